"""Says what a load received, rejected and made; what became of each record is counted in the warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from caregrid.database.connect import connect


@dataclass(frozen=True)
class LoadCounts:
    """The plain counts of a load, without what needs other loads to tell."""

    records_received: int
    records_rejected: int
    rows_loaded: int
    rows_rejected: int


def load_counts(connection: psycopg.Connection[Any], load_id: int) -> LoadCounts:
    """Return how much a load received, loaded and rejected."""
    row = connection.execute(
        "select (select row_count from raw.fate where load_id = %(load)s and output = '' and fate = "
        "'received'), "
        "(select count(distinct line) from rejected.record where load_id = %(load)s), "
        "(select sum(rows) from ledger.rows_by_contract where load_id = %(load)s), "
        "(select count(*) from rejected.record where load_id = %(load)s and output <> '')",
        {"load": load_id},
    ).fetchone()
    assert row is not None
    return LoadCounts(*(int(number or 0) for number in row))


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
