"""dbt as a process that dies with the one that started it.

Standard input is a pipe whose other end the builder holds, and nobody writes to. When the builder dies,
however it dies, the system closes that end. A dbt that lived on would write to the tables of the build
that retries.
"""

from __future__ import annotations

import os
import threading


def _die_with_the_builder() -> None:
    os.read(0, 1)
    # No farewell: its transactions are rolled back as those of a killed process are.
    os._exit(1)


def main() -> None:
    """Run dbt's own command line."""
    threading.Thread(target=_die_with_the_builder, daemon=True).start()
    from dbt.cli.main import cli

    cli(prog_name="dbt")


if __name__ == "__main__":
    main()
