"""Waits until loads pause for a moment, so that one build takes several. Never for all feeds."""

from __future__ import annotations

import time

from caregrid.database.connect import connect

# Loads being written hold an advisory lock of this class (see caregrid.loading.stage).
_STAGING = """
select (select count(*) from pg_locks where locktype = 'advisory' and classid = %s and objsubid = 2
        and database = (select oid from pg_database where datname = current_database())),
       (select coalesce(max(load_id), 0) from raw.load)
"""


def is_anything_staged() -> bool:
    """Whether a load waits for the gate."""
    with connect("loader") as connection:
        found = connection.execute("select exists (select from raw.load where status = 'staged')").fetchone()
    return bool(found and found[0])


def wait_for_quiet(quiet_seconds: float, at_most_seconds: float = 120.0) -> float:
    """Return once no load is being written and none was staged for a while; say how long it took."""
    from caregrid.loading.stage import STAGE_LOCK

    started = quiet_since = time.monotonic()
    last = None
    with connect("loader", autocommit=True) as connection:
        while (now := time.monotonic()) - started < at_most_seconds:
            seen = connection.execute(_STAGING, [STAGE_LOCK]).fetchone()
            if seen != last or (seen and seen[0]):
                quiet_since, last = now, seen
            elif now - quiet_since >= quiet_seconds:
                break
            time.sleep(0.25)
    return time.monotonic() - started
