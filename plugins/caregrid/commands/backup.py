"""`caregrid backup` and `caregrid restore`: databases, landing and MLflow of one moment."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def register(subparsers: Any) -> None:
    """Add the commands to the parser."""
    keep = subparsers.add_parser("backup", help="keep databases, landed files and MLflow as they are now")
    keep.add_argument(
        "--to", type=Path, metavar="DIRECTORY", help="one that does not exist (default: var/backups/MOMENT)"
    )
    keep.set_defaults(run=_backup)
    bring = subparsers.add_parser("restore", help="bring back what `caregrid backup` kept")
    bring.add_argument("directory", type=Path, metavar="DIRECTORY")
    bring.add_argument("--overwrite", action="store_true", help="what is there now is lost")
    bring.set_defaults(run=_restore)


def _backup(options: argparse.Namespace) -> int:
    from caregrid import paths
    from caregrid.platform.backup import back_up

    backup = back_up(options.to)
    print(f"{backup.directory}: as of {backup.taken_at}, {backup.byte_size:,} bytes")
    print(f"  {', '.join(f'{name} {rows:,} rows' for name, rows in backup.rows.items())}")
    print(f"  {backup.landed:,} landed files, {backup.artifacts:,} artifacts of MLflow")
    if paths.var().resolve() in backup.directory.resolve().parents:
        print("  it lies beside what it is to replace: copy it to another disk (`make reset` deletes it)")
    for sha256 in backup.missing:
        print(f"missing: the landed file {sha256} is named in landing.file and is gone or damaged")
    return 1 if backup.missing else 0


def _restore(options: argparse.Namespace) -> None:
    from caregrid.platform.restore import restore

    restored = restore(options.directory, options.overwrite)
    print(f"restored as of {restored.taken_at}: the databases {', '.join(restored.databases)}")
    print(f"  {restored.landed:,} landed files, {restored.artifacts:,} artifacts of MLflow")
    for name in restored.migrated:
        print(f"  applied {name}")
    print("start everything with `make up`, on servers with `docker compose up -d`")
