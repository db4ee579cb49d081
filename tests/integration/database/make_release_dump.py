"""Makes the database that the test of upgrades begins with: a small warehouse as a release left it.

    python -m tests.integration.database.make_release_dump

Run once when a release is tagged, and never again for it; the file bears the number of the release's newest
migration. It lies in tests/data/releases, and test_upgrade.py brings every one of them to the present.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import date
from pathlib import Path

from caregrid import paths
from caregrid.database.migrate import read_migrations
from caregrid.simulate import simulate

from tests.integration.faults.installation import Installation

RELEASES = paths.ROOT / "tests" / "data" / "releases"
AS_OF = "2025-11-17T00:15:00+00:00"
MAKE = "from tests.integration.faults import work; work.load(); work.build()"


def main() -> None:
    """Write the dump of the present release."""
    target = RELEASES / f"{read_migrations()[-1].number:04d}.dump"
    if target.exists():
        sys.exit(f"{target} exists: a release is dumped once")
    with tempfile.TemporaryDirectory(dir=paths.var()) as directory:
        place = Installation(Path(directory) / "var", {"CAREGRID_AS_OF": AS_OF})
        simulate(place.var / "simulated", seed=5, facilities=4, days=14, start=date(2025, 11, 3))
        place.caregrid("database", "start")
        place.run("-c", MAKE)
        kept = Path(directory) / "kept"
        place.caregrid("backup", "--to", str(kept))
        target.write_bytes((kept / "warehouse.dump").read_bytes())
        place.delete()
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
