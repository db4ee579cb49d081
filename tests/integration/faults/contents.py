"""What a warehouse holds, row for row, in words that do not depend on the order in which numbers were issued.

Numbers of places, series, files and loads are replaced by what they stand for; numbers that only count, and
the moments of our own clock, are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

Contents = dict[str, list[str]]

SCHEMAS = ("landing", "raw", "canonical", "rejected", "core", "marts")
# Every attempt leaves a line there, the killed one too.
_ATTEMPTS = {("landing", "fetch")}
_COUNTERS = {"series_key", "reject_id", "rejected_file_id", "build_id", "run_id"}
_CLOCK = {
    "landed_at", "loaded_at", "accepted_at", "refused_at", "superseded_at", "issued_at", "decided_at",
    "rejected_at", "last_accepted_at",
}  # fmt: skip
_FILE = "file.feed || '/' || file.source || '/' || file.uri || '/' || file.member || '/' || file.sha256"
_NAMES = {
    "place": "select place_id as number, 'place ' || id_system || '/' || place_level || '/' || code as name "
    "from canonical.place",
    "series": "select series_id as number, concat_ws('/', 'series', feed, id_system, place_level, code, "
    "service_or_resource, measure, statistic, unit, grain, week_ends_on, dimensions, total_over, subset_of) "
    "as name "
    "from canonical.series join canonical.place using (place_id)",
    "file": f"select file.file_id as number, {_FILE} as name from landing.file as file",
    "load": f"select load.load_id as number, {_FILE} || '#' || load.mapping_version as name "
    "from raw.load as load join landing.file as file using (file_id)",
}
_KIND_OF = {
    "file_id": "file", "load_id": "load", "replaces": "load", "place_id": "place", "same_place_id": "place",
    "facility_id": "place", "series_id": "series", "preferred_series_id": "series",
    "other_series_id": "series", "capacity_series_id": "series", "capacity_group_id": "series",
}  # fmt: skip


def read(connection: psycopg.Connection[Any], schemas: Sequence[str] = SCHEMAS) -> Contents:
    """Return {schema.table: its rows as text, sorted} of everything that a load or a build writes."""
    for kind, names in _NAMES.items():
        connection.execute(f"create temporary table name_of_{kind} as {names}".encode())
        connection.execute(f"create unique index on name_of_{kind} (number)".encode())
    columns: dict[tuple[str, str], list[str]] = {}
    for schema, table, column in connection.execute(
        "select table_schema, table_name, column_name from information_schema.columns "
        "join information_schema.tables using (table_schema, table_name) "
        "where table_schema = any(%s) and table_type = 'BASE TABLE' order by 1, 2, ordinal_position",
        [list(schemas)],
    ):
        columns.setdefault((schema, table), []).append(column)
    contents = {}
    for (schema, table), found in columns.items():
        if (schema, table) in _ATTEMPTS:
            continue
        query = _rows(schema, table, [name for name in found if name not in _COUNTERS | _CLOCK])
        contents[f"{schema}.{table}"] = sorted(row for (row,) in connection.execute(query))
    return contents


def _rows(schema: str, table: str, columns: list[str]) -> sql.Composed:
    fields = [
        sql.SQL("(select name from {} where number = t.{})").format(
            sql.Identifier(f"name_of_{_KIND_OF[column]}"), sql.Identifier(column)
        )
        if column in _KIND_OF
        else sql.SQL("t.{}").format(sql.Identifier(column))
        for column in columns
    ]
    return sql.SQL("select row({})::text from {} as t").format(
        sql.SQL(", ").join(fields), sql.Identifier(schema, table)
    )


def loads(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Return {what stands for a load: how many canonical rows it has}, of every load that is registered."""
    query = (
        f"select load.name, (select count(*) from ledger.canonical_line where load_id = load.number) "
        f"from ({_NAMES['load']}) as load"
    )
    return dict(connection.execute(query.encode()).fetchall())


def landed(var: Path) -> dict[str, str]:
    """Return {name: sha256} of every file that lies in landing; a kill may leave half-fetched ones apart."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(var.joinpath("landing").glob("??/??/*"))
    }


def differences(found: Contents, expected: Contents) -> list[str]:
    """Say of each table that differs how many rows are missing and too many, and show the first of each."""
    told = []
    for table in sorted({*found, *expected}):
        here, there = found.get(table, []), expected.get(table, [])
        if here == there:
            continue
        missing, extra = _minus(there, here), _minus(here, there)
        told.append(f"{table}: {len(missing)} missing {missing[:2]}, {len(extra)} too many {extra[:2]}")
    return told


def _minus(left: list[str], right: list[str]) -> list[str]:
    rest = list(right)
    only = []
    for row in left:
        try:
            rest.remove(row)
        except ValueError:
            only.append(row)
    return only
