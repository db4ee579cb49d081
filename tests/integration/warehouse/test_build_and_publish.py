"""One warehouse from its first build to a refused one: what readers see changes only when all of it holds.

The tests of this file follow each other: each finds the warehouse as the one before left it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from caregrid import gates
from caregrid.database.connect import connect
from caregrid.gates import MartsVerdict
from caregrid.paths import var
from caregrid.warehouse import (
    BuildResult,
    build,
    build_forecast,
    dbt,
    generate_documentation,
    relations,
    seeds,
)

pytestmark = pytest.mark.integration

SERVED = "select schemaname || '.' || tablename from pg_tables where schemaname in ('core', 'marts')"
# as_of is the clock's; it differs from build to build and nothing else does.
CLOCKED = {"core.dim_feed", "marts.data_health_freshness"}
Rows = Callable[..., list[tuple[Any, ...]]]


def day(number: int) -> datetime:
    return datetime(2025, 3, 1, tzinfo=UTC) + timedelta(days=number)


def contents() -> dict[str, list[str]]:
    """Every row of every served table as text, sorted."""
    with connect("dbt") as connection:
        tables = [table for (table,) in connection.execute(SERVED)]
        return {
            table: sorted(row for (row,) in connection.execute(f"select t::text from {table} as t".encode()))
            for table in tables
            if table not in CLOCKED
        }


@pytest.fixture(scope="module")
def first(network: Any) -> BuildResult:
    """A file of beds over four days with a hole, and descriptions of its sites; the first build."""
    occupied = network.one_series("A", "occupied")
    capacity = network.one_series("A", "staffed_capacity")
    free = network.one_series("B", "free")
    at_b = network.one_series("B", "occupied")
    load = network.load(day(5))
    network.usage(load, [
        (series, day(number), day(number) + timedelta(days=1), value)
        for number in (0, 1, 3)
        for series, value in ((occupied, 9.0 + number), (capacity, 10.0), (at_b, 4.0), (free, 2.0))
    ])  # fmt: skip
    sites = network.load(day(4), source="sites")
    network.facility(sites, [
        {"code": "A", "published_at": day(4), "name": "Mercy Hospital", "name_local": "仁爱医院",
         "region_code": "R1"},
        {"code": "B", "published_at": day(4), "name": "Grace Hospital", "region_code": "R1"},
    ])  # fmt: skip
    network.accept(load, sites)
    return build()


def test_first_build_is_published(first: BuildResult, rows_of: Rows) -> None:
    assert (first.status, first.reason, first.tests_failed) == ("published", None, 0)
    assert first.loads == 2
    assert rows_of("select count(*), count(*) filter (where is_current) from core.fct_usage") == [(12, 12)]
    over = rows_of(
        "select capacity_basis, is_over_capacity, count(*) from core.fct_occupancy group by 1, 2 order "
        "by 1, 2"
    )
    assert over == [
        ("occupied_plus_free", False, 3),
        ("staffed_capacity", False, 2),
        ("staffed_capacity", True, 1),
    ]
    gaps = rows_of("select gap_start, gap_end, missing_periods, series from marts.data_health_gaps")
    assert gaps == [(day(2), day(3), 1, 2)] * 2
    assert rows_of(
        "select bool_and(records_are_conserved), sum(received_records) from marts.data_health_conservation"
    ) == [(True, 14)]
    now = rows_of(
        "select place_name_en, place_name_zh, occupied_beds, usable_beds, is_over_capacity, as_of "
        "from marts.operations_now_and_next order by 1"
    )
    assert now == [
        ("Grace Hospital", "Grace Hospital", 4.0, 6.0, False, day(4)),
        ("Mercy Hospital", "仁爱医院", 12.0, 10.0, True, day(4)),
    ]


def test_planning_sums_by_region_with_coverage(first: BuildResult, rows_of: Rows) -> None:
    row = rows_of(
        "select region_code, mean_occupied_beds, occupancy_rate, over_capacity_rate, "
        "places_reporting, arrived_reports, expected_reports, coverage_rate from marts.planning_utilisation"
    )
    # A: mean of 9, 10 and 12 beside 10 usable; B: 4 beside 6. Four series, three of four days.
    mean = (9 + 10 + 12) / 3
    rates = (pytest.approx((mean + 4) / 16), pytest.approx(1 / 6))
    assert row == [("R1", pytest.approx(mean + 4), *rates, 2, 12, 16, 0.75)]


def test_results_of_nodes_stand_in_the_ledger(first: BuildResult, rows_of: Rows) -> None:
    found = rows_of(
        "select count(*) filter (where resource_type = 'model'), count(*) filter (where resource_type = "
        "'test') "
        "from ledger.node_result where build_id = %s and status in ('success', 'pass')",
        first.build_id, role="dbt",
    )  # fmt: skip
    assert found == [(first.models, first.tests_passed)]
    assert first.models > 50
    assert first.tests_passed > 50


def test_nothing_to_do_without_new_loads(first: BuildResult) -> None:
    assert build().status == "nothing_to_do"


def test_served_tables_are_as_contracted(first: BuildResult, rows_of: Rows) -> None:
    manifest = json.loads(var("dbt", "target", "manifest.json").read_text())
    declared = {
        (relations.SCHEMAS[node["schema"]], node["name"]): [
            (column["name"], column["data_type"]) for column in node["columns"].values()
        ]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] in relations.SCHEMAS
    }
    assert len(declared) > 35
    assert all(
        node["config"]["contract"]["enforced"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] in relations.SCHEMAS
    )
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, table, column, data_type, udt_name in rows_of(
        "select table_schema, table_name, column_name, data_type, udt_name from information_schema.columns "
        "where table_schema in ('core', 'marts') order by table_schema, table_name, ordinal_position"
    ):
        kind = (
            f"{udt_name.removeprefix('_')}[]".replace("int8", "bigint") if data_type == "ARRAY" else data_type
        )
        found.setdefault((schema, table), []).append((column, kind))
    assert found == declared


def test_comments_reach_the_database(first: BuildResult, rows_of: Rows) -> None:
    without = rows_of(
        "select oid::regclass::text from pg_class where relnamespace in ('core'::regnamespace, "
        "'marts'::regnamespace) "
        "and relkind = 'r' and obj_description(oid) is null"
    )
    assert without == []
    columns = rows_of(
        "select attrelid::regclass::text || '.' || attname "
        "from pg_attribute join pg_class on pg_class.oid = attrelid "
        "where relnamespace in ('core'::regnamespace, 'marts'::regnamespace) and relkind = 'r' "
        "and attnum > 0 "
        "and not attisdropped and col_description(attrelid, attnum) is null"
    )
    assert columns == []
    assert "first and changed" in str(rows_of("select obj_description('core.fct_usage'::regclass)")[0][0])
    assert "Number of the series" in str(
        rows_of("select col_description('core.fct_usage'::regclass, 1)")[0][0]
    )


def test_owner_reads_what_is_served(first: BuildResult, rows_of: Rows) -> None:
    assert rows_of("select count(*) >= 0 from marts.operations_now_and_next", role="owner") == [(True,)]


def test_reader_sees_core_and_marts_and_nothing_else(first: BuildResult, rows_of: Rows) -> None:
    unreadable = rows_of(
        f"select t from ({SERVED}) as served (t) where not has_table_privilege(current_user, t, 'select')"
    )
    assert unreadable == []
    elsewhere = rows_of(
        "select schemaname || '.' || tablename from pg_tables "
        "where schemaname not in ('core', 'marts', 'pg_catalog', 'information_schema') "
        "and has_schema_privilege(current_user, schemaname, 'usage') "
        "and has_table_privilege(current_user, schemaname || '.' || tablename, 'select')"
    )
    assert elsewhere == []
    for forbidden in ("select * from canonical.usage", "select * from build_core.dim_place",
                      "create table core.mine (x int)", "delete from core.dim_place"):  # fmt: skip
        with pytest.raises(psycopg.errors.Error, match=r"permission denied|read-only"):
            rows_of(forbidden)


def test_increment_touches_its_pairs_alone_and_equals_a_full_refresh(
    first: BuildResult, network: Any, rows_of: Rows
) -> None:
    occupied, capacity = network.one_series("A", "occupied"), network.one_series("A", "staffed_capacity")
    load = network.load(day(6))
    # repeats day 0, corrects day 1, fills the hole of day 2; a superseding value known before all of them
    network.usage(load, [
        (occupied, day(0), day(5), 9.0),
        (occupied, day(1), day(5), 11.0),
        (occupied, day(2), day(5), 10.0),
        (capacity, day(2), day(5), 10.0),
        (occupied, day(3), day(3), 13.0),
    ])  # fmt: skip
    network.accept(load)
    result = build()
    assert result.status == "published"
    # three pairs of 'occupied' come with those of their capacity group
    assert result.published["core.fct_usage"] == "6 rows of touched keys out, 10 rows in"
    assert rows_of("select count(*) from core.fct_usage where series_id = %s", occupied) == [(6,)]
    assert rows_of("select is_over_capacity from core.fct_occupancy where period_start = %s and "
    "series_id = %s",
                   day(1), occupied) == [(True,)]  # fmt: skip
    unchanged = rows_of(
        "select unchanged_records, loaded_records from core.fct_load where load_id = %s", load
    )
    assert unchanged == [(1, 4)]
    by_delta = contents()
    whole = build(full_refresh=True)
    assert whole.published["core.fct_usage"] == "moved whole"
    assert contents() == by_delta


def test_access_and_comments_survive_rebuilds(first: BuildResult, rows_of: Rows) -> None:
    test_reader_sees_core_and_marts_and_nothing_else(first, rows_of)
    test_comments_reach_the_database(first, rows_of)


def seeds_written(result: BuildResult, rows_of: Rows) -> int:
    query = "select count(*) from ledger.node_result where build_id = %s and resource_type = 'seed'"
    return int(rows_of(query, result.build_id, role="dbt")[0][0])


def test_building_again_changes_nothing(first: BuildResult, rows_of: Rows) -> None:
    before = contents()
    again = build(force=True)
    assert again.status == "published"
    # seeds that are in place are not written again
    assert seeds_written(first, rows_of) > seeds_written(again, rows_of) == 0
    changed = {
        name: what
        for name, what in again.published.items()
        if what not in ("unchanged", "0 rows out, 0 rows in")
    }
    deltas = {name for name, what in changed.items() if "touched keys" in what}
    assert set(changed) - deltas <= CLOCKED
    assert contents() == before


def score(connection: psycopg.Connection[Any], run_id: str, made_at: datetime) -> None:
    """Append a scoring run."""
    connection.execute(
        "insert into model_output.run (run_id, kind, model_name, model_version, made_at, as_of, "
        "known_at_cut, code_version, lock_sha256, load_ids) "
        "values (%s, 'score', 'm', '1', %s, %s, %s, 'c', 'l', '{}')",
        [run_id, *[made_at] * 3],
    )


def sum_of(connection: psycopg.Connection[Any], run_id: str, series: list[int]) -> None:
    """Append the forecast of a sum over some series."""
    connection.execute(
        "insert into model_output.area values (%s, 1, 'country', 'GB', 'ward_beds', 'day', 'occupied', "
        "'bed_general', 'snapshot', 'beds', '{}', '{}', %s, 1)",
        [run_id, series],
    )
    connection.execute(
        "insert into model_output.area_forecast values (%s, 1, %s, %s, 1, 0.5, 20)", [run_id, day(4), day(5)]
    )


def test_critical_failure_leaves_what_readers_see(
    first: BuildResult, network: Any, rows_of: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents()
    freshness = rows_of("select * from marts.data_health_freshness order by 1")
    load = network.load(day(7))
    network.usage(load, [(network.one_series("A", "occupied"), day(4), day(6), 99.0)])
    network.accept(load)

    def refuses(build_id: int) -> MartsVerdict:
        return MartsVerdict(build_id, passed=False, failures=["a planted failure"], checked=1)

    with monkeypatch.context() as patch:
        patch.setattr(gates, "gate_marts", refuses)
        refused = build()
    assert refused.status == "failed"
    assert "a planted failure" in str(refused.reason)
    assert contents() == before
    assert rows_of("select * from marts.data_health_freshness order by 1") == freshness
    # a build of forecasts must not carry what was refused
    at_a = network.one_series("A", "occupied")
    with connect("model") as connection:
        score(connection, "r1", day(6))
        connection.execute(
            "insert into model_output.forecast values ('r1', %s, %s, %s, 1, 0.5, 10, %s, %s)",
            [at_a, day(4), day(5), day(6), day(6)],
        )
        for old, new in ((None, "1"), ("1", "2")):
            connection.execute(
                "insert into model_output.alias_change (changed_at, model_name, alias, from_version, "
                "to_version, who, why) values (%s, 'm', 'champion', %s, %s, 'ana', 'better')",
                [day(5 + int(new)), old, new],
            )
        connection.execute("insert into model_output.path values ('r1', %s, %s, '{8.5, 12}')", [at_a, day(4)])
        sum_of(connection, "r1", [at_a, network.one_series("B", "occupied")])
    forecast = build_forecast()
    assert (forecast.status, forecast.reason) == ("published", None)
    after = contents()
    assert {name for name in after if after[name] != before[name]} == {
        "core.dim_forecast_area", "core.dim_forecast_run", "core.dim_model_alias_change",
        "core.fct_area_forecast", "core.fct_forecast", "marts.operations_area_outlook",
        "marts.operations_now_and_next",
    }  # fmt: skip
    assert rows_of("select to_version, replaced_at from core.dim_model_alias_change order by change_id") == [
        ("1", day(7)),
        ("2", None),
    ]
    now = (
        "select occupied_beds, next_median from marts.operations_now_and_next"
        " where forecast_measure is not null"
    )
    assert rows_of(now) == [(12.0, 10.0)]
    assert build_forecast().status == "nothing_to_do"
    paths = "select distinct run_id from core.fct_forecast_path order by 1"
    assert rows_of("select period_start, path, value from core.fct_forecast_path order by 2") == [
        (day(4), 1, 8.5), (day(4), 2, 12.0),
    ]  # fmt: skip
    # a later run left the series out: the board shows no longer what the older one said of it
    with connect("model") as connection:
        score(connection, "r2", day(7))
        connection.execute(
            "insert into model_output.series_left_out values ('r2', %s, 'withdrawn', 'missed · 未中')",
            [at_a],
        )
        connection.execute("insert into model_output.path values ('r2', %s, %s, '{1}')", [at_a, day(5)])
        # two series of one place, and one of another
        at_both = [at_a, network.one_series("A", "staffed_capacity"), network.one_series("B", "occupied")]
        sum_of(connection, "r2", at_both)
    # what is not published is not seen, through a view neither
    assert rows_of(paths) == [("r1",)]
    view = "select 'core.fct_forecast_path'::regclass::oid"
    stands = rows_of(view)
    assert build_forecast().status == "published"
    assert rows_of(paths) == [("r1",), ("r2",)]
    assert rows_of(view) == stands, "a view that stays as it is waits for nobody"
    assert rows_of(now) == []
    assert rows_of(
        "select occupied_beds, next_median, forecast_remark from marts.operations_now_and_next"
        " where forecast_remark is not null"
    ) == [(12.0, None, "missed · 未中")]
    assert rows_of("select count(*) from core.fct_forecast") == [(1,)]
    assert rows_of("select run_id, value from core.fct_area_forecast order by 1") == [("r1", 20), ("r2", 20)]
    counts = "select run_id, series_summed, places_summed, series_absent from {} order by 1"
    assert rows_of(counts.format("core.dim_forecast_area")) == [("r1", 2, 2, 1), ("r2", 3, 2, 1)]
    assert rows_of(counts.format("marts.operations_area_outlook")) == [("r2", 3, 2, 1)]
    # the next build takes the refused load in
    assert build().status == "published"
    assert rows_of("select value from core.fct_usage where load_id = %s", load) == [(99.0,)]


def test_a_view_comes_again_when_a_table_below_it_is_replaced(first: BuildResult, rows_of: Rows) -> None:
    """A served table of another shape is moved in place; the view over it is made anew, with its rights."""
    comment = "select obj_description('core.fct_forecast_path'::regclass)"
    told = rows_of(comment)
    assert told[0][0]
    with connect("dbt") as connection:
        connection.execute("alter table core.dim_forecast_run alter column sample type varchar")
    result = build(force=True)
    assert result.status == "published", result.reason
    assert result.published["core.dim_forecast_run"] == "moved whole"
    assert result.published["core.fct_forecast_path"] == "created"
    assert rows_of("select distinct run_id from core.fct_forecast_path order by 1") == [("r1",), ("r2",)]
    assert rows_of(comment) == told
    again = build(force=True)
    assert again.published["core.fct_forecast_path"] == "unchanged"


def test_failing_data_test_publishes_nothing(first: BuildResult, network: Any, rows_of: Rows) -> None:
    before = contents()
    load = network.load(day(8))
    network.usage(load, [(network.one_series("A", "occupied"), day(5), day(8), 1.0)])
    with connect("loader") as connection:
        # a record that nothing accounts for
        connection.execute(
            "update raw.fate set row_count = row_count + 1 where load_id = %s and output = ''", [load]
        )
    network.accept(load)
    result = build()
    assert (result.status, result.tests_failed) == ("failed", 1)
    assert "records_are_conserved" in str(result.reason)
    assert contents() == before
    with connect("loader") as connection:
        connection.execute(
            "update raw.fate set row_count = row_count - 1 where load_id = %s and output = ''", [load]
        )
    with connect("dbt") as connection:
        # as a build leaves it that was killed among the seeds
        seeds.note(connection, in_place=False)
    again = build()
    assert again.status == "published"
    assert seeds_written(again, rows_of) == seeds_written(first, rows_of)


def test_other_seeds_are_not_in_place(
    first: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect("dbt") as connection:
        assert seeds.are_in_place(connection)
        project = tmp_path / "dbt"
        shutil.copytree(dbt.PROJECT, project)
        monkeypatch.setattr(seeds, "PROJECT", project)
        assert seeds.are_in_place(connection)
        with (project / "seeds" / "measure.csv").open("a") as file:
            file.write("\n")
        assert not seeds.are_in_place(connection)


def test_documentation_is_one_page_without_outside_content(first: BuildResult) -> None:
    page = generate_documentation().read_text()
    assert "fct_usage" in page
    assert "<script src=" not in page
    # who depends on the tables stands on the page too
    assert "exposure.caregrid.bi_operations" in page
    assert "Can the numbers be trusted" in page


def test_logic_holds_in_the_hard_cases(first: BuildResult) -> None:
    """dbt's unit tests, which the builds leave out."""
    outcome = dbt.run(["test", "--select", "test_type:unit"], target=var("dbt", "unit"))
    assert outcome.problems() == []
    assert outcome.count("unit_test", "pass") >= 12
