"""The lineage of the columns of a warehouse that was really built, and what a build tells of itself.

The tests of this file follow each other: each finds the warehouse as the one before left it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from caregrid import gates
from caregrid.cli import main
from caregrid.errors import CareGridError
from caregrid.gates import MartsVerdict
from caregrid.lineage import events, journal
from caregrid.lineage.columns import Step
from caregrid.paths import var
from caregrid.warehouse import build, generate_documentation
from caregrid.warehouse import lineage as room
from caregrid.warehouse.lineage import Lineage, read_lineage

from tests.integration.openlineage import read_event
from tests.integration.warehouse.conftest import day

pytestmark = pytest.mark.integration

Rows = Callable[..., list[tuple[Any, ...]]]
# What stands in the SQL itself, or in a union of it: the names of what the rows are about.
LITERALS = {
    "core.dim_left_out": {"kind"},
    "marts.data_health_completeness": {"subject", "attribute"},
    # A calendar: its days are a series between two constants.
    "core.dim_date": {
        "date", "iso_year", "iso_week", "iso_week_label", "iso_weekday", "weekday_name_en", "weekday_name_zh",
        "year", "quarter", "month", "month_name_en", "month_name_zh", "season_en", "season_zh", "week_start",
        "month_start", "is_weekend",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def built(network: Any) -> Lineage:
    """The first build of a small network: it reads the lineage by itself."""
    occupied = network.one_series("A", "occupied")
    load = network.load(day(5))
    network.usage(load, [(occupied, day(number), day(number) + timedelta(days=1), 9.0) for number in (0, 1)])
    network.accept(load)
    result = build()
    assert result.status == "published", result.reason
    return read_lineage()


def test_every_column_that_is_served_is_followed(built: Lineage, rows_of: Rows) -> None:
    """None is missing, and each leads to what was loaded, to a seed, to a count, or is a literal."""
    assert built.unread == {}
    known = {
        (f"{schema}.{table}", column)
        for schema, table, column in rows_of(
            "select table_schema, table_name, column_name from information_schema.columns", role="dbt"
        )
    }
    served = {found for found in known if found[0].startswith(("core.", "marts."))}
    assert len(served) > 500
    assert served == {
        (table, column)
        for table, columns in built.tables.items()
        if table.startswith(("core.", "marts."))
        for column in columns
    }
    literal: dict[str, set[str]] = {}
    loaded = ("landing.", "raw.", "canonical.", "rejected.", "ledger.", "model_output.", "action.")
    for table, column in served:
        ends = built.ends(table, column)
        assert ends <= known, (table, column)
        assert all(end[0].startswith(loaded) or end[0] in built.seeds for end in ends), (table, column, ends)
        counted = any(made and made.rows for _, _, made in built.trace(table, column))
        if not ends and not counted:
            literal.setdefault(table, set()).add(column)
    # A mart may pass on a literal of core.
    own = {
        table: {column for column in columns if not built.tables[table][column].of}
        for table, columns in literal.items()
    }
    assert {table: columns for table, columns in own.items() if columns} == LITERALS


@pytest.mark.parametrize(
    ("column", "through", "ends"),
    [
        # A union of common tables, each of which reads another fact.
        (
            "core.fct_usage_by_period.occupied_beds",
            ("build_intermediate.int_capacity.occupied_beds",),
            {"canonical.series.measure", "canonical.usage.value", "canonical.usage_event.value"},
        ),
        # A fact that is built by touched keys: what is read is how the whole comes about.
        (
            "core.fct_usage.value",
            ("build_intermediate.int_usage_rebuilt.value",),
            {"canonical.usage.value", "canonical.usage_event.value"},
        ),
        # A window over the rows of one series: what they are divided and ordered by counts, too.
        (
            "core.fct_gap.gap_end",
            ("core.fct_observed_run.started_at", "core.fct_observed_run.first_ordinal"),
            {
                "canonical.series.grain",
                "canonical.series.timezone",
                "canonical.usage.period_start",
                "canonical.usage.series_id",
            },
        ),
        # A seed.
        (
            "core.dim_date_country.day_name_zh",
            ("build_seeds.public_holiday.name_zh",),
            {"build_seeds.public_holiday.name_zh"},
        ),
        # Out of JSON, by a function that returns rows.
        ("marts.data_health_rejected.reason", ("core.fct_rejected.reasons",), {"rejected.record.reasons"}),
        # A recursive query, and what is known of the place itself.
        (
            "core.dim_place.facility_id",
            ("build_intermediate.int_facility_group.facility_id",),
            {
                "canonical.facility.place_id",
                "canonical.facility_crosswalk.place_id",
                "canonical.facility_crosswalk.same_place_id",
            },
        ),
        # What a model forecast, and not what it was taught.
        ("core.fct_forecast.value", (), {"model_output.forecast.value"}),
        # Out of an array, a view all the way.
        (
            "core.fct_forecast_path.value",
            ("build_staging.stg_path.values",),
            {"model_output.path.values"},
        ),
        (
            "marts.planning_utilisation.arrivals_persons",
            ("core.fct_usage_by_period.total",),
            {
                "canonical.series.measure",
                "canonical.series.statistic",
                "canonical.usage.value",
                "canonical.usage_event.value",
            },
        ),
    ],
)
def test_known_columns_come_from_where_they_come(
    built: Lineage, column: str, through: tuple[str, ...], ends: set[str]
) -> None:
    table, _, name = column.rpartition(".")
    ways = [".".join(found) for _, found, _ in built.trace(table, name)]
    assert set(through) <= set(ways)
    assert {".".join(end) for end in built.ends(table, name)} == ends
    # Nothing is made of itself.
    assert ways.count(column) == 1


def told(kind: str) -> list[dict[str, Any]]:
    """Return the events of the newest build of a kind, each to the letter of the schema."""
    found = list(journal.read())
    for event in found:
        read_event(event)
    job = f"dbt.build_{kind}"
    newest = [event["run"]["runId"] for event in found if event["job"]["name"] == job][-1]
    return [
        event
        for event in found
        if newest
        in (event["run"]["runId"], event["run"]["facets"].get("parent", {}).get("run", {}).get("runId"))
    ]


def columns_told(happened: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return table → column → how it is made, as the events that end well tell it."""
    return {
        events.table_name(output): output["facets"]["columnLineage"]["fields"]
        for event in happened
        if event["eventType"] == "COMPLETE"
        for output in event["outputs"]
        if "facets" in output
    }


def test_a_build_tells_of_itself_and_of_each_model(built: Lineage) -> None:
    happened = told("warehouse")
    assert [happened[0]["eventType"], happened[-1]["eventType"]] == ["START", "COMPLETE"]
    states: dict[str, list[str]] = {}
    for event in happened:
        states.setdefault(event["job"]["name"], []).append(event["eventType"])
    assert set(map(tuple, states.values())) == {("START", "COMPLETE")}
    made = columns_told(happened)
    assert set(made) == set(built.tables)
    field = made["marts.operations_now_and_next"]["occupancy_rate"]
    assert {(one["name"].split(".", 1)[1], one["field"]) for one in field["inputFields"]} == {
        ("core.fct_latest", "value"),
        ("core.dim_series", "measure"),
    }
    assert {one["transformations"][0]["subtype"] for one in field["inputFields"]} == {Step.AGGREGATION.name}
    (usage,) = [
        event for event in happened
        if event["job"]["name"].endswith(".build_staging.stg_usage") and event["eventType"] == "COMPLETE"
    ]  # fmt: skip
    assert "canonical.usage" in map(events.table_name, usage["inputs"])


def test_a_build_by_touched_keys_tells_the_same_columns(built: Lineage, network: Any) -> None:
    before = columns_told(told("warehouse"))
    load = network.load(day(6))
    network.usage(load, [(network.one_series("A", "occupied"), day(2), day(3), 7.0)])
    network.accept(load)
    assert build().status == "published"
    assert columns_told(told("warehouse")) == before
    assert read_lineage() == built


def test_the_documentation_reads_the_same(built: Lineage) -> None:
    (journal.folder() / "columns.json").unlink()
    generate_documentation()
    assert read_lineage() == built


def test_a_person_is_told_the_way_up_to_the_feeds(built: Lineage, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["warehouse", "lineage", "marts.operations_now_and_next.occupancy_rate", "--feed", "sim_beds"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "marts.operations_now_and_next.occupancy_rate"
    assert "└─ aggregated from core.fct_latest.value" in lines
    assert "      └─ canonical.latest.value  [loaded]" in lines
    at = lines.index("canonical.latest.value is filled from")
    assert lines[at + 1].startswith("   sim_beds, hourly, output beds: general.beds, general.staffed, ")
    assert main(["warehouse", "lineage", "marts.operations_now_and_next.occupancy"]) == 2
    assert "occupancy_rate" in capsys.readouterr().err


def test_a_model_that_cannot_be_read_is_named_and_the_others_are_followed(built: Lineage) -> None:
    target = var("dbt", "documentation")
    broken = target / "compiled" / "caregrid" / "models" / "core" / "fct_gap.sql"
    whole = broken.read_text(encoding="utf-8")
    broken.write_text("select from where (", encoding="utf-8")
    try:
        found = room.write_lineage(target, json.loads((target / "manifest.json").read_text()))
    finally:
        broken.write_text(whole, encoding="utf-8")
    assert list(found.unread) == ["core.fct_gap"]
    assert "models/core/fct_gap.sql" in found.unread["core.fct_gap"]
    assert set(found.tables["core.fct_gap"]) == set(built.tables["core.fct_gap"])
    rest = {table: made for table, made in found.tables.items() if table != "core.fct_gap"}
    assert rest == {table: made for table, made in built.tables.items() if table != "core.fct_gap"}
    with pytest.raises(CareGridError, match="no model makes"):
        list(found.trace("marts.nothing", "value"))


def test_a_build_that_is_refused_tells_why_and_claims_nothing_served(
    built: Lineage, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        gates,
        "gate_marts",
        lambda build_id: MartsVerdict(build_id, passed=False, failures=["too many beds"], checked=1),
    )
    load = network.load(day(7))
    network.usage(load, [(network.one_series("A", "occupied"), day(3), day(4), 8.0)])
    network.accept(load)
    assert build().status == "failed"
    happened = told("warehouse")
    assert happened[-1]["eventType"] == "FAIL"
    assert "too many beds" in happened[-1]["run"]["facets"]["errorMessage"]["message"]
    written = {events.table_name(output).split(".")[0] for event in happened for output in event["outputs"]}
    # Seeds are in place since the first build, so this one wrote none.
    assert written == {"build_staging", "build_intermediate", "build_core", "build_marts"}
