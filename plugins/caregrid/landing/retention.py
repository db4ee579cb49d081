"""Sweeps what crashes left behind, and never a file that the manifest, and so any row, refers to."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from caregrid import clock, paths
from caregrid.database.connect import connect
from caregrid.landing import store

# A load or a fetch that has run for a day is dead.
_DEAD_AFTER = timedelta(days=1)


def sweep() -> dict[str, int]:
    """Remove half-fetched files, spilled rows of dead loads, and landed bytes that no manifest row names.

    Returns:
        How many of each were removed: incoming, spills, unnamed, unfinished (uploads to an object store).
    """
    dead = clock.now() - _DEAD_AFTER
    incoming = [path for path in paths.var("landing", "incoming").glob("*") if _older(path, dead)]
    spills = [path for path in paths.var("tmp").glob("load-*") if _older(path, dead)]
    for path in incoming:
        path.unlink(missing_ok=True)
    for path in spills:
        shutil.rmtree(path, ignore_errors=True)
    room = store.room()
    unfinished = room.drop_unfinished(dead)
    unnamed = _sweep_unnamed(room, dead)
    return {"incoming": len(incoming), "spills": len(spills), "unnamed": unnamed, "unfinished": unfinished}


def _sweep_unnamed(room: store.Room, dead: datetime) -> int:
    old = {sha256 for sha256, since in room.kept() if since < dead}
    with connect("loader") as connection:
        named = connection.execute("select sha256 from landing.file where sha256 = any(%s)", [list(old)])
        unnamed = old - {sha256 for (sha256,) in named}
        connection.commit()
        if unnamed:
            # The same content may arrive again at this moment. No row is added while the lock is held, and
            # who adds one looks afterwards whether the bytes are there: one of both sees the other.
            connection.execute("lock table landing.file in share mode")
            named = connection.execute(
                "select sha256 from landing.file where sha256 = any(%s)", [list(unnamed)]
            )
            unnamed -= {sha256 for (sha256,) in named}
            for sha256 in unnamed:
                room.remove(sha256)
    return len(unnamed)


def _older(path: Path, moment: datetime) -> bool:
    return path.stat().st_mtime < moment.timestamp()
