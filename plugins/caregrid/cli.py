"""The `caregrid` command: gathers the command groups, runs one, turns errors into words and exit codes."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence

import psycopg

from caregrid import commands, terminal
from caregrid.errors import CareGridError
from caregrid.quiet import apply_quiet

_DATABASE_FIX = (
    "nothing is half loaded; see var/logs/postgres.log, start the database with `caregrid database start` "
    "and run the command again"
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with every group found in caregrid.commands."""
    parser = argparse.ArgumentParser(prog="caregrid", description="CareGrid from the terminal.")
    subparsers = parser.add_subparsers(dest="group", required=True, metavar="COMMAND")
    for module in sorted(pkgutil.iter_modules(commands.__path__), key=lambda found: found.name):
        importlib.import_module(f"{commands.__name__}.{module.name}").register(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 when done, 1 when it failed, 2 when its input was wrong."""
    with terminal.guarded():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        if arguments is None:
            # As a command of its own; a caller in the same process keeps the environment it has.
            apply_quiet()
        options = build_parser().parse_args(arguments)
        return int(options.run(options) or 0)
    except CareGridError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except psycopg.Error as error:
        # What the database says of itself; the DETAIL lines may hold cells of patients' data.
        print(f"error: the database broke off: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        print(f"  fix: {_DATABASE_FIX}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            print(f"error: {str(error.filename)[:100]}…: this is too long for a path", file=sys.stderr)
            print("  fix: give the path of a file; the system takes no name this long", file=sys.stderr)
            return 2
        named = error.filename or "the system"
        print(f"error: {named}: {error.strerror or error}", file=sys.stderr)
        print("  fix: see that the path exists, may be read and written, and has room", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
