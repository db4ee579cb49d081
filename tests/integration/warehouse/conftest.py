"""A small network written straight into the canonical tables: loads with their files, places, series
and rows.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import psycopg
import pytest
from caregrid.database.connect import connect
from caregrid.loading import accept

BASE = datetime(2025, 3, 1, tzinfo=UTC)
LINES = itertools.count(1)
# What the mapping of a source of events says of it.
OF_EVENTS = '{"source": {"events": true}}'


def day(number: int) -> datetime:
    """The start of the n-th day."""
    return BASE + timedelta(days=number)


@dataclass
class Network:
    """Writes as the loader does; every row is a record of its own line."""

    feed: str = "ward_beds"
    places: dict[str, int] = field(default_factory=dict)
    series: dict[tuple[str, ...], int] = field(default_factory=dict)

    def place(self, code: str, system: str = "test_site", level: str = "facility") -> int:
        if code not in self.places:
            with connect("loader") as connection:
                row = connection.execute(
                    "insert into canonical.place (place_level, id_system, code, country_code, timezone) "
                    "values (%s, %s, %s, 'GB', 'Europe/London') returning place_id",
                    [level, system, code],
                ).fetchone()
            assert row
            self.places[code] = row[0]
        return self.places[code]

    def one_series(
        self,
        code: str,
        measure: str,
        *,
        grain: str = "day",
        dimensions: str = "{}",
        total_over: str = "{}",
        feed: str | None = None,
        statistic: str = "snapshot",
    ) -> int:
        feed = feed or self.feed
        key = (feed, code, measure, grain, dimensions)
        if key not in self.series:
            place_id = self.place(code)
            with connect("loader") as connection:
                row = connection.execute(
                    "insert into canonical.series (series_key, feed, place_id, service_or_resource, measure, "
                    "statistic, unit, grain, dimensions, total_over, timezone) "
                    "values (%s, %s, %s, 'bed_general', %s, %s, 'beds', %s, %s, %s, 'Europe/London') "
                    "returning series_id",
                    ["/".join(key), feed, place_id, measure, statistic, grain, dimensions, total_over],
                ).fetchone()
            assert row
            self.series[key] = row[0]
        return self.series[key]

    def load(
        self,
        published_at: datetime,
        *,
        feed: str | None = None,
        source: str = "beds",
        content: str | None = None,
        replaces: int | None = None,
        mapping_version: str = "1",
        mapping: str = "{}",
    ) -> int:
        """Insert a staged load of one landed file; return its number."""
        feed = feed or self.feed
        content = content or f"{feed}/{source}/{published_at}/{next(LINES)}"
        with connect("loader") as connection:
            file = connection.execute(
                "insert into landing.file (feed, source, uri, version, sha256, byte_size, published_at, "
                "published_at_is_assumed) values (%s, %s, %s, 1, %s, 1, %s, false) "
                "on conflict (feed, source, uri, version, member) do update set byte_size = 1 returning "
                "file_id",
                [feed, source, content, hashlib.sha256(content.encode()).hexdigest(), published_at],
            ).fetchone()
            assert file
            row = connection.execute(
                "insert into raw.load (file_id, feed, source, owner, visibility, mapping_version, "
                "mapping, status, "
                "replaces) values (%s, %s, %s, 'test', 'public', %s, %s, 'staged', %s) returning load_id",
                [file[0], feed, source, mapping_version, mapping, replaces],
            ).fetchone()
        assert row
        return int(row[0])

    def usage(
        self,
        load_id: int,
        rows: Iterable[tuple[int, datetime, datetime, float | None]],
        *,
        status: str = "suppressed",
        units: Mapping[float, int] = MappingProxyType({}),
    ) -> None:
        """Write (series_id, period_start, known_at, value) rows; a value of None bears `status`.

        units: how many reporting units stand behind a value, by value.
        """
        written = list(rows)
        with connect("loader") as connection, connection.cursor() as cursor:
            cursor.executemany(
                "insert into canonical.usage (series_id, period_start, period_end, known_at, load_id, "
                "line, value, value_status, reporting_units, known_at_is_assumed) "
                "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, false)",
                [
                    [
                        series_id,
                        start,
                        start + timedelta(days=1),
                        known_at,
                        load_id,
                        line,
                        value,
                        status if value is None else "reported",
                        None if value is None else units.get(value),
                    ]
                    for line, (series_id, start, known_at, value) in enumerate(written, start=1)
                ],
            )
        self.received(load_id, len(written))

    def events(self, load_id: int, rows: Iterable[tuple[int, datetime, datetime, Iterable[int]]]) -> None:
        """Write (series_id, period_start, known_at, numbers of events) rows, each the count of its events."""
        written = [(*row[:3], sorted(row[3])) for row in rows]
        self.usage(load_id, [(*row[:3], float(len(row[3]))) for row in written])
        with connect("loader") as connection, connection.cursor() as cursor:
            cursor.executemany(
                "insert into canonical.usage_event values (%s, %s, %s, %s, %s, '', %s, 1)",
                [
                    [*row[:3], load_id, UUID(int=number), line]
                    for line, row in enumerate(written, start=1)
                    for number in row[3]
                ],
            )

    def facility(self, load_id: int, rows: Iterable[dict[str, Any]]) -> None:
        """Write facility descriptions: code, published_at and columns of canonical.facility."""
        written = list(rows)
        with connect("loader") as connection:
            for line, row in enumerate(written, start=1):
                values = {
                    "load_id": load_id,
                    "line": line,
                    "place_id": self.place(row["code"], row.get("system", "test_site")),
                    "known_at": row["published_at"],
                    "known_at_is_assumed": False,
                    **{name: value for name, value in row.items() if name not in ("code", "system")},
                }
                columns = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, values))
                marks = psycopg.sql.SQL(", ").join([psycopg.sql.Placeholder()] * len(values))
                connection.execute(
                    psycopg.sql.SQL("insert into canonical.facility ({}) values ({})").format(columns, marks),
                    list(values.values()),
                )
        self.received(load_id, len(written))

    def received(self, load_id: int, lines: int) -> None:
        """Say that the file had so many records, each of one output row."""
        with connect("loader") as connection:
            for output in ("", "rows"):
                connection.execute(
                    "insert into raw.fate values (%s, %s, 'received', %s::int4multirange, %s)",
                    [load_id, output, f"{{[1,{lines + 1})}}" if lines else "{}", lines],
                )

    def accept(self, *load_ids: int) -> None:
        accept(list(load_ids))


@pytest.fixture(scope="module")
def network(warehouse_module: Any) -> Network:
    """An empty network in the module's warehouse."""
    return Network()


@pytest.fixture(scope="module")
def rows_of(warehouse_module: Any) -> Callable[..., list[tuple[Any, ...]]]:
    """Query the module's warehouse as a role; by default as the reader."""

    def query(text: str, *parameters: Any, role: str = "bi_reader") -> list[tuple[Any, ...]]:
        with connect(role) as connection:
            return connection.execute(text.encode(), list(parameters) or None).fetchall()

    return query
