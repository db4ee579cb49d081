"""The ledger of loads: opens them, and carries out the gate's verdicts together with canonical.latest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from caregrid import faults
from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.loading import latest

# Verdicts are given one at a time, so that two of them never compute the newest values from half a picture.
VERDICT_LOCK = 7_203_114_202


@dataclass(frozen=True)
class Load:
    """One row of raw.load, as far as verdicts need it."""

    load_id: int
    file_id: int
    feed: str
    status: str
    replaces: int | None


def load(connection: psycopg.Connection[Any], load_id: int) -> Load:
    """Return a load.

    Raises:
        CareGridError: there is no such load.
    """
    row = connection.execute(
        "select load_id, file_id, feed, status, replaces from raw.load where load_id = %s", [load_id]
    ).fetchone()
    if row is None:
        raise CareGridError(f"there is no load {load_id}", fix="list the loads with `caregrid feeds loads`")
    return Load(*row)


def accept(load_ids: Sequence[int], reason: str | None = None) -> list[int]:
    """Accept loads, supersede those they replace, and keep canonical.latest: all in one transaction.

    A load accepted already stays as it is; a refused one is released, for which a reason should be given.

    Returns:
        The loads whose status changed to accepted.

    Raises:
        CareGridError: there is no such load, or it is superseded. Then nothing has changed.
    """
    with connect("loader") as connection:
        # What follows, and the build that comes next, join these tables: they need statistics.
        connection.execute("select ledger.analyze_loaded()")
        connection.commit()
        connection.execute("select pg_advisory_xact_lock(%s)", [VERDICT_LOCK])
        loads = [load(connection, load_id) for load_id in sorted(set(load_ids))]
        superseded = [found.load_id for found in loads if found.status == "superseded"]
        if superseded:
            raise CareGridError(
                f"load {superseded[0]} was superseded by a later one",
                fix="replay the feed to load it again under the present mapping",
            )
        opened = [found for found in loads if found.status != "accepted"]
        if not opened:
            return []
        accepted = [found.load_id for found in opened]
        connection.execute(
            "update raw.load set status = 'accepted', accepted_at = clock_timestamp(), refused_at = null, "
            "decision_reason = %s where load_id = any(%s)",
            [reason, accepted],
        )
        replaced = connection.execute(
            # A load may replace one that itself replaced another and was never accepted: all end here.
            "with recursive old (load_id) as ("
            "  select replaces from raw.load where load_id = any(%s) and replaces is not null"
            "  union select l.replaces from raw.load as l join old using (load_id) where l.replaces is "
            "not null"
            ") update raw.load as l set status = 'superseded', superseded_at = clock_timestamp() from old "
            "where l.load_id = old.load_id and l.status <> 'superseded' returning l.load_id",
            [accepted],
        ).fetchall()
        latest.refresh(connection, accepted, [load_id for (load_id,) in replaced])
        faults.point("accept:before_commit")
    return accepted


def refuse(load_id: int, reason: str) -> None:
    """Refuse a staged load; its rows are held, and what was accepted before stays.

    Raises:
        CareGridError: there is no such load, or it has been accepted or superseded.
    """
    with connect("loader") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [VERDICT_LOCK])
        found = load(connection, load_id)
        if found.status not in ("staged", "refused"):
            raise CareGridError(
                f"load {load_id} is {found.status} and cannot be refused",
                fix="correct the mapping and replay the feed: the new load supersedes this one",
            )
        connection.execute(
            "update raw.load set status = 'refused', refused_at = clock_timestamp(), decision_reason = %s "
            "where load_id = %s",
            [reason, load_id],
        )
