"""Says what a load received, rejected and made; what became of each record is counted in the warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from caregrid.database.connect import connect

_COUNTS = """
with of_load as (
    select
        coalesce(sum(row_count) filter (where fate = 'received'), 0)::bigint as received,
        coalesce(sum(row_count) filter (where fate = 'duplicate'), 0)::bigint as duplicate,
        coalesce(sum(row_count) filter (where fate = 'filtered'), 0)::bigint as filtered
    from raw.fate where load_id = %(load)s and output = ''
),
broken as (
    select line, count(*) filter (where output <> '') as rows
    from rejected.record where load_id = %(load)s group by line
),
mixed as (
    -- One look at the lines that were made, however many were rejected, and none where none was.
    select count(*) as records from (
        select line from broken
        intersect
        select line from ledger.canonical_line where load_id = %(load)s and exists (select from broken)
    ) as in_part
)
select
    received,
    received - duplicate - filtered - (select count(*) from broken) as loaded,
    mixed.records as partly_rejected,
    (select count(*) from broken) - mixed.records as rejected,
    duplicate,
    filtered,
    (select coalesce(sum(rows), 0)::bigint from ledger.rows_by_contract where load_id = %(load)s),
    (select coalesce(sum(rows), 0)::bigint from broken)
from of_load cross join mixed
"""
_REASONS = """
select reason ->> 'code', count(*)
from rejected.record, jsonb_array_elements(reasons) as reason
where load_id = %s group by 1 order by 2 desc, 1
"""


@dataclass(frozen=True)
class LoadCounts:
    """What became of a load's records before the gate has seen it, and its output rows.

    received = loaded + partly_rejected + rejected + duplicate + filtered. What the gate holds, and what was
    known already, only the warehouse can tell; it also counts what is loaded from the rows themselves, which
    here is what is left: the gate refuses a load whose records do not add up.
    """

    records_received: int
    records_loaded: int
    records_partly_rejected: int
    records_rejected: int
    records_duplicate: int
    records_filtered: int
    rows_loaded: int
    rows_rejected: int


@dataclass(frozen=True)
class Rejects:
    """Why rows of a load were rejected: how often by code, and the line of the first."""

    reasons: dict[str, int]
    first_line: int | None


def load_counts(connection: psycopg.Connection[Any], load_id: int) -> LoadCounts:
    """Return how much a load received, loaded and rejected."""
    row = connection.execute(_COUNTS, {"load": load_id}).fetchone()
    assert row is not None
    return LoadCounts(*(int(number) for number in row))


def rejects(connection: psycopg.Connection[Any], load_id: int) -> Rejects:
    """Return the reasons of a load's rejects; a row has as many as it has mistakes."""
    first = connection.execute(
        "select min(line) from rejected.record where load_id = %s", [load_id]
    ).fetchone()
    return Rejects(dict(connection.execute(_REASONS, [load_id]).fetchall()), first[0] if first else None)


def newest_loads(feed: str | None, count: int) -> list[dict[str, Any]]:
    """Return the newest loads (of one feed), newest first.

    Keys: load_id, feed, status, received, rejected (records with a reject), loaded_at, uri, member.
    """
    with connect("loader") as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select l.load_id, l.feed, l.status, l.loaded_at, f.uri, f.member, "
            "coalesce((select sum(row_count) from raw.fate as t where t.load_id = l.load_id and t.output "
            "= '' "
            "and t.fate = 'received'), 0)::bigint as received, "
            "(select count(distinct line) from rejected.record as r where r.load_id = l.load_id) as rejected "
            "from raw.load as l join landing.file as f using (file_id) "
            "where %(feed)s::text is null or l.feed = %(feed)s order by l.load_id desc limit %(count)s",
            {"feed": feed, "count": count},
        ).fetchall()
