"""Puts loads into the warehouse as the loader leaves them, without reading a file."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

PUBLISHED = datetime(2025, 3, 3, tzinfo=UTC)
_numbers = itertools.count(1)

_FILE = """
insert into landing.file (
    feed, source, uri, version, sha256, byte_size, published_at, published_at_is_assumed
)
values (%s, 'daily', %s, 1, %s, 10, %s, false) returning file_id
"""
_LOAD = """
insert into raw.load (file_id, feed, source, owner, visibility, mapping_version, mapping, status,
    accepted_at, known_at_max)
values (%s, %s, 'daily', 'tester', 'public', 'v1', %s, %s, case when %s then clock_timestamp() end, %s)
returning load_id
"""
_PLACE = """
insert into canonical.place (place_level, id_system, code, timezone) values ('facility', %s, 'A', 'UTC')
on conflict (id_system, place_level, code) do update set code = excluded.code returning place_id
"""
_SERIES = """
insert into canonical.series (series_key, feed, place_id, service_or_resource, measure, statistic, unit,
    grain, timezone)
values (%s, %s, %s, 'emergency_department', %s, 'count', %s, 'day', 'UTC')
on conflict (series_key) do update set feed = excluded.feed returning series_id
"""
_USAGE = """
insert into canonical.usage (series_id, period_start, period_end, known_at, load_id, line, value,
    value_status, known_at_is_assumed)
values (%s, %s, %s, %s, %s, %s, %s, 'reported', false)
"""
_REJECTED = """
insert into rejected.record (load_id, line, output, contract, reasons, record)
values (%s, %s, 'o0', 'usage', '[{"code": "negative"}]', '{}')
"""
_RECEIVED = """
insert into raw.fate (load_id, output, fate, lines, row_count)
values (%s, '', 'received', int4multirange(int4range(2, %s)), %s)
"""


def _one(connection: psycopg.Connection[Any], query: str, values: list[Any]) -> int:
    row = connection.execute(query.encode(), values).fetchone()
    assert row is not None
    return int(row[0])


def insert_load(
    connection: psycopg.Connection[Any],
    feed: str,
    *,
    rows: int = 20,
    rejected: int = 0,
    status: str = "staged",
    contracts: tuple[str, ...] = ("usage",),
    known_after: timedelta = timedelta(hours=1),
    unit: str = "persons",
    measure: str = "arrivals",
    times: float = 1.0,
) -> int:
    """Insert a file, a load and `rows` days of usage, `times` the usual size; return the load's id."""
    number = next(_numbers)
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    file_id = _one(connection, _FILE, [feed, f"file:///{feed}/{number}", sha256, PUBLISHED])
    outputs = [{"name": f"o{i}", "contract": name, "source": "daily"} for i, name in enumerate(contracts)]
    load_id = _one(
        connection,
        _LOAD,
        [file_id, feed, json.dumps({"outputs": outputs}), status, status == "accepted", PUBLISHED],
    )
    place_id = _one(connection, _PLACE, [feed])
    series_id = _one(connection, _SERIES, [f"{feed}/{measure}/{unit}", feed, place_id, measure, unit])
    for line in range(2, rows + 2):
        start = PUBLISHED - timedelta(days=line)
        end = start + timedelta(days=1)
        value = times * (7.0 + line)
        connection.execute(_USAGE, [series_id, start, end, end + known_after, load_id, line, value])
    for line in range(rows + 2, rows + rejected + 2):
        connection.execute(_REJECTED, [load_id, line])
    if rows + rejected:
        connection.execute(_RECEIVED, [load_id, rows + rejected + 2, rows + rejected])
    return load_id


@pytest.fixture
def add_load(warehouse: Any) -> Callable[..., int]:
    """Insert a load (see insert_load) and commit it."""

    def add(feed: str = "beds", **how: Any) -> int:
        with warehouse.connect("loader") as connection:
            return insert_load(connection, feed, **how)

    return add
