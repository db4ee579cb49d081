"""Whatever the order in which loads arrive and builds happen, core ends the same, and as a full refresh
leaves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from caregrid.database.connect import connect
from caregrid.loading import accept
from caregrid.paths import var
from caregrid.warehouse import build, dbt, ledger, publish
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.integration.warehouse.conftest import OF_EVENTS

pytestmark = pytest.mark.integration

# Every fact that is built by touched keys, by the intermediate table that holds its rebuilt rows.
ROWS = {
    "fct_usage": "int_usage_rebuilt",
    "fct_occupancy": "int_capacity",
    "fct_observed_part": "int_observed_part",
    "fct_observed_run": "int_observed_run",
    "fct_usage_by_period": "int_usage_by_period",
    "fct_panel_change": "int_panel_change",
    "fct_total_check": "int_total_check",
    "fct_load": "int_load",
}
FACTS = [*ROWS, "dim_facility", "dim_total_part"]
# fct_load says when we accepted; what the files say must not depend on it
CLOCKED = ["loaded_at", "accepted_at", "superseded_at", "landed_at"]
LOADS = 6
REGISTRY = "ward_registry"


def day(number: int) -> datetime:
    return datetime(2025, 3, 1, tzinfo=UTC) + timedelta(days=number)


class Workbench:
    """Runs the SQL that dbt compiled, table by table, without dbt: some hundred builds in the time of one."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.series = [network.one_series(code, measure) for code in "AB" for measure in ("occupied", "free")]
        # what the publisher says is occupied in both places together
        network.place("AB", level="panel")
        self.series.append(network.one_series("AB", "occupied", total_over="{place}"))
        # records that are events, not states: what several files tell of one day adds up
        self.counted = [network.one_series(code, "admissions", statistic="count") for code in "AB"]
        self.loads: list[int] = []
        seed = network.load(day(0), source="seed")
        network.usage(seed, [(self.series[0], day(-9), day(-8), 1.0)])
        network.accept(seed)
        for _ in range(2):
            # the second makes the delta views and leaves every table beside the served one
            built = build(force=True)
            assert built.status == "published", built.reason
        with connect("loader") as connection:
            # a register that lists every site: who is absent from a version has left it
            connection.execute(
                "insert into ledger.feed "
                "(feed, name_en, name_zh, owner, visibility, timezone, complete_sources) "
                "values (%s, 'Register', '登记', 'test', 'public', 'Europe/London', '{beds}')",
                [REGISTRY],
            )
        outcome_manifest = dbt.run(["compile"]).manifest
        self.tables = [
            table for table in publish.tables(outcome_manifest) if table.name in ("dim_series", *FACTS)
        ]
        self.delta = self._compiled(var("dbt", "target"))
        whole = var("dbt", "whole")
        dbt.run(["compile", "--full-refresh"], target=whole)
        self.whole_refresh = self._compiled(whole)
        with connect("loader") as connection:
            connection.execute("update raw.load set status = 'refused' where load_id = %s", [seed])

    @staticmethod
    def _compiled(target: Path) -> dict[str, str]:
        """SQL by name, in an order in which each finds its inputs."""
        ordered = [
            *("stg_load", "int_series", "int_usage_touched", "int_usage_rebuilt", "int_capacity"),
            *("dim_series", "dim_total_part", "int_period_touched", "int_part_touched", "int_series_touched"),
            *("int_observed_part", "int_observed_run", "int_usage_by_period", "int_panel_change"),
            *("int_total_touched", "int_total_check"),
            *("int_facility_group", "int_facility_state", "int_facility_version", "dim_facility"),
            *("int_load_touched", "int_event_added", "int_described_line", "int_conservation", "int_load"),
        ]
        found = {path.stem: path.read_text() for path in (target / "compiled").rglob("*.sql")}
        return {name: found[name] for name in ordered}

    def reset(self) -> None:
        """Forget every build and every verdict."""
        with connect("dbt") as connection:
            for table in self.tables:
                connection.execute(sql.SQL("delete from {}").format(table.served))
            connection.execute("update ledger.build set status = 'failed'")
        with connect("loader") as connection:
            connection.execute(
                "update raw.load set status = 'staged', accepted_at = null, superseded_at = null "
                "where load_id = any(%s)",
                [self.loads],
            )
            connection.execute("delete from canonical.latest")

    def build(self) -> None:
        """One build by delta, published and listed as the real one does."""
        with connect("dbt") as connection:
            build_id = ledger.open_build(connection, "warehouse", False, "test")
            self._fill_all(connection, self.delta)
            publish.publish(connection, self.tables)
            ledger.list_loads(connection, build_id)
            ledger.close_build(connection, build_id, "published", None)

    def _fill_all(self, connection: psycopg.Connection[Any], compiled: dict[str, str]) -> None:
        for name, text in compiled.items():
            schema = "build_staging" if name.startswith("stg_") else "build_intermediate"
            self._fill(connection, "build_core" if name.startswith("dim_") else schema, name, text)

    @staticmethod
    def _fill(connection: psycopg.Connection[Any], schema: str, name: str, text: str) -> None:
        table = sql.Identifier(schema, name)
        shape = connection.execute(
            "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not "
            "attisdropped "
            "order by attnum",
            [f"{schema}.{name}"],
        ).fetchall()
        columns = sql.SQL(", ").join(sql.Identifier(column) for (column,) in shape)
        connection.execute(sql.SQL("delete from {}").format(table))
        connection.execute(
            sql.SQL("insert into {} ({}) select {} from (").format(table, columns, columns)
            + sql.SQL(text)  # type: ignore[arg-type]
            + sql.SQL(") as compiled")
        )

    def served(self) -> dict[str, list[str]]:
        """Every row of the facts, without the moments of our own clock."""
        with connect("dbt") as connection:
            return {name: self._rows(connection, f"core.{name}") for name in FACTS}

    @staticmethod
    def _rows(connection: psycopg.Connection[Any], table: str) -> list[str]:
        query = f"select (to_jsonb(t) - %s::text[])::text from {table} as t order by 1"
        return [row for (row,) in connection.execute(query.encode(), [CLOCKED])]

    def accounts(self) -> dict[int, tuple[Any, ...]]:
        """Status, loaded and unchanged records by load; every record received must be one of the two."""
        with connect("dbt") as connection:
            found = connection.execute(
                "select load_id, status, loaded_records, unchanged_records, received_records "
                "from core.fct_load"
            ).fetchall()
        assert all(loaded + unchanged == received for _, _, loaded, unchanged, received in found)
        return {load_id: tuple(account) for load_id, *account, _ in found}

    def counts(self) -> dict[tuple[int, int, int], float]:
        """What was known of the events: series and day by number, moment known → value; changes only."""
        with connect("dbt") as connection:
            found = connection.execute(
                "select series_id, period_start, known_at, value from core.fct_usage "
                "where series_id = any(%s)", [self.counted],
            ).fetchall()  # fmt: skip
        return {
            (self.counted.index(series), (start - day(0)).days, (known - day(0)).days): value
            for series, start, known, value in found
        }

    def whole(self) -> dict[str, list[str]]:
        """The facts as a full refresh computes them from all accepted loads; nothing of it stays."""
        with connect("dbt") as connection:
            # The views read what is served, too: to a full refresh nothing is.
            for table in self.tables:
                connection.execute(sql.SQL("delete from {}").format(table.served))
            self._fill_all(connection, self.whole_refresh)
            found = {
                name: self._rows(connection, f"build_intermediate.{rows}") for name, rows in ROWS.items()
            }
            connection.rollback()
        return found


@pytest.fixture(scope="module")
def workbench(network: Any) -> Workbench:
    return Workbench(network)


# Days on both sides of where a month ends and where a part of the spine does (31 days, counted from 1970).
DAYS = [0, 1, 2, 30, 31]
STARTED = 32  # when the first of it became known
# Units behind a value: a revision from 1 to 3 is a change of the panel, one from 1 to 2 is none.
UNITS = {1.0: 8, 2.0: 8, 3.0: 9}
# Few keys and few values, so that repeats, returns, corrections and ties all occur: (subject, moment known,
# what is said). The subject of a usage row is a series and a day, that of a description a site.
usage = st.tuples(
    st.just("usage"),
    st.lists(
        st.tuples(
            st.tuples(st.integers(0, 4), st.sampled_from(DAYS)), st.integers(STARTED, STARTED + 2),
            st.sampled_from([1.0, 2.0, 3.0, None]),
        ), min_size=1, max_size=6, unique_by=lambda row: row[:2],
    ),
)  # fmt: skip
events = st.tuples(
    st.just("events"),
    st.lists(
        st.tuples(
            st.tuples(st.integers(0, 1), st.sampled_from(DAYS[:2])), st.integers(STARTED, STARTED + 2),
            st.frozensets(st.integers(1, 4), min_size=1),
        ), min_size=1, max_size=4, unique_by=lambda row: row[:2],
    ),
)  # fmt: skip
description = st.tuples(
    st.just("facility"),
    st.lists(
        st.tuples(
            st.tuples(st.sampled_from("AB")), st.integers(STARTED, STARTED + 2),
            st.sampled_from(["Alpha", "Beta", None]),
        ),
        min_size=1, max_size=2, unique_by=lambda row: row[0],
    ),
)  # fmt: skip


@dataclass
class File:
    """One landed file: what it holds, and when it was published."""

    contract: str
    rows: list[tuple[tuple[Any, ...], int, Any]]
    published: int
    load_id: int = 0
    replaced: bool = False

    def land(self, workbench: Workbench, *, replaces: int | None = None) -> int:
        """Write the file as a staged load."""
        network = workbench.network
        feed = REGISTRY if self.contract == "facility" else None
        version = "2" if replaces else "1"
        self.load_id = network.load(
            day(self.published), feed=feed, mapping_version=version, replaces=replaces,
            mapping=OF_EVENTS if self.contract == "events" else "{}",
        )  # fmt: skip
        if self.contract == "usage":
            network.usage(
                self.load_id,
                [
                    (workbench.series[series], day(start), day(known), said)
                    for (series, start), known, said in self.rows
                ],
                units=UNITS,
            )
        elif self.contract == "events":
            network.events(
                self.load_id,
                [
                    (workbench.counted[series], day(start), day(known), numbers)
                    for (series, start), known, numbers in self.rows
                ],
            )
        else:
            network.facility(
                self.load_id,
                [
                    {"code": code, "name": said, "published_at": day(self.published), "known_at": day(known)}
                    for (code,), known, said in self.rows
                ],
            )
        return self.load_id


def accounts_by_hand(files: list[File]) -> dict[int, tuple[Any, ...]]:
    """Count loaded and unchanged rows as the contracts say, subject by subject and moment by moment.

    A row is unchanged if it says what was known just before its own moment, or if another file, published
    later, says the same at that moment; a row of events if each of them was told of before, or is told of at
    that moment by a file published later.
    """
    told: dict[Any, tuple[int, int]] = {}
    for file in files:
        if file.contract == "events" and not file.replaced:
            for subject, known, numbers in file.rows:
                for number in numbers:
                    first = (known, -file.published)
                    told[subject, number] = min(told.get((subject, number), first), first)
    last: dict[Any, tuple[Any, int]] = {}
    for file in sorted((file for file in files if not file.replaced), key=lambda file: file.published):
        for subject, known, said in file.rows:
            last[file.contract, subject, known] = (said, file.load_id)
    counted = {}
    for file in files:
        unchanged = 0
        for subject, known, said in file.rows:
            if file.contract == "events":
                moment = (known, -file.published)
                unchanged += not file.replaced and all(told[subject, number] < moment for number in said)
                continue
            before = [
                (k, last[c, s, k]) for c, s, k in last if (c, s) == (file.contract, subject) and k < known
            ]
            is_repeat = bool(before) and max(before)[1][0] == said
            is_told_by_another = not file.replaced and (
                last[file.contract, subject, known][0] == said
                and last[file.contract, subject, known][1] != file.load_id
            )
            unchanged += is_repeat or is_told_by_another
        counted[file.load_id] = (
            ("superseded", len(file.rows), 0)
            if file.replaced
            else ("accepted", len(file.rows) - unchanged, unchanged)
        )
    return counted


def counts_by_hand(files: list[File]) -> dict[tuple[int, int, int], float]:
    """Count the events that are known at each moment at which a file tells of a series and day."""
    told = [
        (subject, known, numbers)
        for file in files
        if file.contract == "events" and not file.replaced
        for subject, known, numbers in file.rows
    ]
    totals: dict[tuple[int, int, int], float] = {}
    for subject, known, _ in sorted(told, key=lambda row: row[1]):
        total = float(
            len(
                set().union(*(numbers for other, when, numbers in told if other == subject and when <= known))
            )
        )
        before = [value for (*other, _), value in totals.items() if tuple(other) == subject]
        if not before or before[-1] != total:
            totals[(*subject, known)] = total
    return totals


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    contents=st.lists(st.one_of(usage, events, description), min_size=2, max_size=LOADS - 1),
    published=st.permutations(range(LOADS)),
    replaced=st.booleans(),
    data=st.data(),
)
def test_any_order_of_arrival_ends_in_the_same_core(
    workbench: Workbench, contents: list[tuple[str, Any]], published: list[int],
    replaced: bool, data: st.DataObject,
) -> None:  # fmt: skip
    with connect("owner") as connection:
        connection.execute(
            "truncate raw.load, landing.file, canonical.usage, canonical.usage_event, canonical.latest, "
            "ledger.build_load, raw.fate, "
            "canonical.facility_identifier, canonical.external_forecast, canonical.facility cascade"
        )
    files = [File(*content, published[number]) for number, content in enumerate(contents)]
    loads = [file.land(workbench) for file in files]
    if replaced:
        # the first file again, under a corrected mapping
        files[0].replaced = True
        again = {
            "usage": [((0, 0), STARTED, 7.0)],
            "events": [((0, 0), STARTED, frozenset({1, 9}))],
            "facility": [(("A",), STARTED, "Gamma")],
        }[files[0].contract]
        files.append(File(files[0].contract, again, published[0]))
        loads.append(files[-1].land(workbench, replaces=loads[0]))
    workbench.loads = loads

    def arrive(order: list[int], cuts: set[int]) -> dict[str, list[str]]:
        workbench.reset()
        for position, number in enumerate(order):
            accept([loads[number]])
            if position in cuts:
                workbench.build()
        workbench.build()
        return workbench.served()

    reference = arrive(list(range(len(loads))), set())
    assert workbench.counts() == counts_by_hand(files)
    assert {name: reference[name] for name in ROWS} == workbench.whole()
    assert workbench.accounts() == accounts_by_hand(files)
    # a load cannot be accepted once the one that replaces it is
    order = data.draw(
        st.permutations(range(len(loads))).filter(
            lambda chosen: not replaced or chosen.index(0) < chosen.index(len(loads) - 1)
        )
    )
    cuts = data.draw(st.sets(st.integers(0, len(loads) - 1)))
    assert arrive(list(order), cuts) == reference
