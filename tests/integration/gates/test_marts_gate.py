"""The marts gate on a real database: what refuses a publication."""

from __future__ import annotations

import json
from typing import Any

import pytest
from caregrid import gates

from expectations import data_health
from expectations.building import between, suite

pytestmark = pytest.mark.integration

CONSERVATION = {"data_health_conservation": data_health.data_health_conservation}


@pytest.fixture
def build(warehouse: Any) -> Any:
    """Return sql(query, *values), run as the role that builds, with the four schemas there."""

    def sql(query: str, *values: Any) -> list[Any]:
        with warehouse.connect("dbt") as connection:
            cursor = connection.execute(query.encode(), values)
            return list(cursor.fetchall()) if cursor.description else []

    for schema in ("build_core", "build_marts", "core", "marts"):
        sql(f"create schema if not exists {schema}")
    return sql


def _results(sql: Any, build_id: int) -> dict[str, tuple[bool, bool]]:
    query = "select suite || '.' || expectation, success, raised from ledger.gate_result where build_id = %s"
    return {name: (success, raised) for name, success, raised in sql(query, build_id)}


def test_tables_that_keep_what_they_have_pass(build: Any) -> None:
    build("create table marts.board as select n as place_id, 'x' as name from generate_series(1, 10) as n")
    build(
        "create table build_marts.board as select n as place_id, 'x' as name from generate_series(1, 9) as n"
    )
    build("create view build_core.dim_new as select 1 as id")
    verdict = gates.gate_marts(7, suites={})
    assert verdict.passed, verdict.failures
    assert verdict.checked == 6
    assert set(_results(build, 7).values()) == {(True, False)}
    json.dumps(verdict.to_dict())


def test_nothing_to_publish_does_not_pass(build: Any) -> None:
    verdict = gates.gate_marts(1, suites={})
    assert not verdict.passed
    assert not _results(build, 1)["marts_every_table.batch_not_empty"][0]


@pytest.mark.parametrize(
    ("built", "broken"),
    [
        ("select 1 as place_id, 'x' as name where false", "emptied"),
        ("select n as place_id, 'x' as name from generate_series(1, 4) as n", "rows_to_served_at_least"),
        ("select n as place_id from generate_series(1, 10) as n", "lost_columns"),
    ],
)
def test_loss_refuses_the_publication(build: Any, built: str, broken: str) -> None:
    build("create table marts.board as select n as place_id, 'x' as name from generate_series(1, 10) as n")
    build(f"create table build_marts.board as {built}")
    verdict = gates.gate_marts(2, suites={})
    assert not verdict.passed
    assert any(broken in failure and "marts.board" in failure for failure in verdict.failures)


def test_of_many_tables_a_few_are_named_and_the_others_counted(build: Any) -> None:
    for number in range(8):
        build(f"create table marts.board_{number} as select 1 as place_id")
        build(f"create table build_marts.board_{number} as select 1 as place_id where false")
    verdict = gates.gate_marts(2, suites={})
    told = next(failure for failure in verdict.failures if "emptied" in failure)
    assert "marts.board_0, marts.board_1, marts.board_2, marts.board_3, marts.board_4 and 3 more" in told
    assert "marts.board_4 等另外 3 张" in told
    ((observed,),) = build(
        "select string_agg(observed::text, '') from ledger.gate_result where build_id = 2 and not success"
    )
    assert "marts.board_7" in observed


def test_sudden_growth_is_only_a_warning(build: Any) -> None:
    build("create table marts.board as select 1 as place_id")
    build("create table build_marts.board as select n as place_id from generate_series(1, 11) as n")
    verdict = gates.gate_marts(3, suites={})
    assert verdict.passed
    assert len(verdict.warnings) == 1
    # The message stands alone in an alert: it names the table, in both languages.
    query = "select message from ledger.gate_result where build_id = 3 and not success"
    ((message,),) = build(query)
    english, chinese = message.split(" · ")
    assert english.endswith(": marts.board")
    assert chinese.endswith("：marts.board")


def _conservation(build: Any, received: int, loaded: int) -> None:
    build("create table build_core.fct_load as select 1 as load_id")
    build(
        "create table build_marts.data_health_conservation as select 1 as load_id, 'accepted' as status,"
        f" {received} as received_records, {received} = {loaded} as records_are_conserved,"
        " 1 as produced_rows, 1 as loaded_rows, 0 as rejected_rows, 0 as duplicate_rows, 0 as filtered_rows"
    )


def test_lost_record_refuses_the_publication(build: Any) -> None:
    _conservation(build, 10, 9)
    verdict = gates.gate_marts(4, suites=CONSERVATION)
    assert not verdict.passed
    assert [failure.split(":")[0] for failure in verdict.failures] == [
        "marts_data_health_conservation.loads_not_conserved_at_most"
    ]


def test_rejects_of_a_superseded_load_need_not_stand_in_the_list(build: Any) -> None:
    """A feed mended and replayed leaves a load with rejects behind: no reason to hold back every mart."""
    rejects = {"data_health_rejected": data_health.data_health_rejected}
    build(
        "create table build_marts.data_health_rejected as"
        " select 2::bigint as load_id, 'negative' as reason, 1 as rows_rejected"
    )
    build(
        "create table build_marts.data_health_conservation as select * from (values"
        " (1::bigint, 'superseded', 2, 1), (2, 'accepted', 1, 0), (3, 'accepted', 0, 0))"
        " as load (load_id, status, rejected_records, partly_rejected_records)"
    )
    assert gates.gate_marts(10, suites=rejects).passed
    build("update build_marts.data_health_conservation set partly_rejected_records = 1 where load_id = 3")
    verdict = gates.gate_marts(11, suites=rejects)
    assert [failure.split(":")[0] for failure in verdict.failures] == [
        "marts_data_health_rejected.loads_without_reasons_at_most"
    ]


def test_mart_empty_where_its_facts_are_not_is_refused(build: Any) -> None:
    _conservation(build, 10, 10)
    assert gates.gate_marts(5, suites=CONSERVATION).passed
    build("delete from build_marts.data_health_conservation")
    assert not gates.gate_marts(6, suites=CONSERVATION).passed


def test_absent_mart_is_refused_and_the_others_are_still_checked(build: Any) -> None:
    _conservation(build, 10, 10)
    suites = {"data_health_gaps": data_health.data_health_gaps, **CONSERVATION}
    verdict = gates.gate_marts(8, suites=suites)
    assert not verdict.passed
    results = _results(build, 8)
    assert results["marts_data_health_gaps.profile"] == (False, True)
    assert results["marts_data_health_conservation.not_missing"] == (True, False)


def test_exception_inside_a_mild_expectation_refuses_the_publication(build: Any) -> None:
    _conservation(build, 10, 10)
    planted = {
        "data_health_conservation": lambda: suite("p", [between("gone", "warning", "x", "某", high=1)])
    }
    verdict = gates.gate_marts(9, suites=planted)
    assert not verdict.passed
    assert _results(build, 9)["p.gone_at_most"] == (False, True)
