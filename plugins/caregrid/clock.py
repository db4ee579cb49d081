"""The only clock: everything that asks for "now" asks here, so that a run can be replayed as of a moment."""

from __future__ import annotations

import os
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment in UTC, or the one that CAREGRID_AS_OF fixes (ISO 8601 with an offset)."""
    fixed = os.environ.get("CAREGRID_AS_OF")
    if not fixed:
        return datetime.now(UTC)
    moment = datetime.fromisoformat(fixed)
    if moment.tzinfo is None:
        raise ValueError(f"CAREGRID_AS_OF={fixed!r} has no offset; write it as 2025-01-31T12:00:00+00:00")
    return moment.astimezone(UTC)
