"""Where things lie: the checkout, everything written while running (var/), and the mirror of the feeds."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FEEDS_DIR = ROOT / "dags" / "feeds"
SEEDS_DIR = ROOT / "dbt" / "seeds"


def var(*parts: str) -> Path:
    """Return a path below the directory of run-time files (CAREGRID_VAR, by default var/ in the checkout)."""
    return Path(os.environ.get("CAREGRID_VAR", ROOT / "var")).joinpath(*parts)


def secrets(*parts: str) -> Path:
    """Return a path below the directory of passwords and keys: CAREGRID_SECRETS, by default var/secrets.

    Where the variable is set, as in a container, somebody else wrote them and here they are only read.
    """
    named = os.environ.get("CAREGRID_SECRETS")
    return (Path(named) if named else var("secrets")).joinpath(*parts)


def feeds_base() -> Path:
    """Return the directory that the feeds' relative paths start from.

    CAREGRID_FEEDS_BASE names it; else a mirror beside the checkout serves where there is one; else the
    directory that the simulator writes to.
    """
    named = os.environ.get("CAREGRID_FEEDS_BASE")
    if named:
        return Path(named)
    mirror = ROOT.parent / "shared" / "feeds"
    return mirror if mirror.is_dir() else var("simulated")
