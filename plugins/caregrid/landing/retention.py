"""Sweeps what crashes left behind, and never a file that the manifest, and so any row, refers to."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from caregrid import clock, paths
from caregrid.database.connect import connect

# A load or a fetch that has run for a day is dead.
_DEAD_AFTER = timedelta(days=1)


def sweep() -> dict[str, int]:
    """Remove half-fetched files, spilled rows of dead loads, and landed bytes that no manifest row names.

    Returns:
        How many of each were removed: incoming, spills, unnamed.
    """
    with connect("loader") as connection:
        named = {sha256 for (sha256,) in connection.execute("select sha256 from landing.file")}
    dead = clock.now() - _DEAD_AFTER
    incoming = [path for path in paths.var("landing", "incoming").glob("*") if _older(path, dead)]
    spills = [path for path in paths.var("tmp").glob("load-*") if _older(path, dead)]
    unnamed = [
        path for path in paths.var("landing").glob("??/??/*") if path.name not in named and _older(path, dead)
    ]
    for path in (*incoming, *unnamed):
        path.unlink(missing_ok=True)
    for path in spills:
        shutil.rmtree(path, ignore_errors=True)
    return {"incoming": len(incoming), "spills": len(spills), "unnamed": len(unnamed)}


def _older(path: Path, moment: datetime) -> bool:
    return path.stat().st_mtime < moment.timestamp()
