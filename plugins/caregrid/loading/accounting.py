"""Shows what became of every record and every output row of a load, each term counted on its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from caregrid.database.connect import connect
from caregrid.errors import CareGridError


@dataclass(frozen=True)
class Conservation:
    """One load's two equations; each number is an independent count over raw, canonical and rejected.

    Records: received = loaded + partly_rejected + rejected + duplicate + unchanged + filtered + held.
    Output rows: rows_produced = rows_loaded + rows_rejected + rows_duplicate + rows_filtered.
    """

    load_id: int
    status: str
    received: int
    loaded: int
    partly_rejected: int
    rejected: int
    duplicate: int
    unchanged: int
    filtered: int
    held: int
    rows_produced: int
    rows_loaded: int
    rows_rejected: int
    rows_duplicate: int
    rows_filtered: int

    @property
    def accounted(self) -> int:
        """Return the records that some term accounts for."""
        return (
            self.loaded
            + self.partly_rejected
            + self.rejected
            + self.duplicate
            + self.unchanged
            + self.filtered
            + self.held
        )

    @property
    def is_conserved(self) -> bool:
        """Return whether both equations hold."""
        rows = self.rows_loaded + self.rows_rejected + self.rows_duplicate + self.rows_filtered
        return self.received == self.accounted and self.rows_produced == rows

    def as_dict(self) -> dict[str, Any]:
        """Return the fields and `is_conserved`."""
        return {**asdict(self), "is_conserved": self.is_conserved}


@dataclass(frozen=True)
class LoadCounts:
    """The plain counts of a load, without what needs other loads to tell."""

    records_received: int
    records_rejected: int
    rows_loaded: int
    rows_rejected: int


def conservation(load_id: int, connection: psycopg.Connection[Any] | None = None) -> Conservation:
    """Return the accounts of one load, as SQL function ledger.conservation_of counts them.

    Raises:
        CareGridError: there is no such load.
    """
    if connection is None:
        with connect("loader") as own:
            return conservation(load_id, own)
    columns = ", ".join(Conservation.__dataclass_fields__)
    query = f"select {columns} from ledger.conservation_of(%s)"  # noqa: S608
    row = connection.execute(query.encode(), [load_id]).fetchone()
    if row is None:
        raise CareGridError(f"there is no load {load_id}", fix="list the loads with `caregrid feeds loads`")
    return Conservation(*row)


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
