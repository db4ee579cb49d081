"""What the main job tells of itself: events of a real scheduler, real tasks and a real build, in files."""

from __future__ import annotations

from typing import Any

import pytest
from caregrid.lineage import events, journal

from tests.integration.openlineage import read_event

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

Told = list[dict[str, Any]]


@pytest.fixture
def told(job: Any, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Every event so far."""
    monkeypatch.setenv("CAREGRID_VAR", str(job.var))
    return list(journal.read())


def of(told: Told, name: str, state: str) -> Told:
    return [event for event in told if event["job"]["name"] == name and event["eventType"] == state]


def parents(event: dict[str, Any]) -> dict[str, Any]:
    return event["run"]["facets"]["parent"]


def test_every_event_is_to_the_letter_of_the_schema(told: Told) -> None:
    assert len(told) > 200
    for event in told:
        read_event(event)


def test_every_line_of_the_files_is_an_event(told: Told) -> None:
    lines = [line for file in journal.files() for line in file.read_text().splitlines()]
    assert len(lines) >= len(told)
    assert all(line.startswith("{") and line.endswith("}") for line in lines)


def test_every_run_that_ended_well_in_airflow_is_told_from_start_to_end(job: Any, told: Told) -> None:
    ended = job.query(
        "select dag_id, task_id, run_id, map_index, try_number from task_instance "
        # What the scheduler skips has no process of its own, and never begins.
        "where state in ('success', 'skipped') and pid is not null "
        "and end_date < now() - interval '5 seconds'",
        database="airflow",
    )
    assert len(ended) > 10
    states: dict[str, set[str]] = {}
    for event in told:
        states.setdefault(event["run"]["runId"], set()).add(event["eventType"])
    for dag_id, task_id, run_id, map_index, try_number in ended:
        run = events.run_id(dag_id, run_id, task_id, map_index, try_number)
        assert states.get(run) == {"START", "COMPLETE"}, (dag_id, task_id, run_id, states.get(run))
    runs = job.query("select dag_id, run_id from dag_run where state = 'success'", database="airflow")
    for dag_id, run_id in runs:
        assert "COMPLETE" in states.get(events.run_id(dag_id, run_id), set()), (dag_id, run_id)


def test_an_ingest_tells_its_files_its_tables_and_its_loads(job: Any, told: Told) -> None:
    done = [event for event in of(told, "ingest_sim_beds.land_and_stage", "COMPLETE") if event["inputs"]]
    assert done
    known = set(
        job.query(
            "select load.load_id, file.sha256 from raw.load join landing.file as file using (file_id) "
            "where load.feed = 'sim_beds'"
        )
    )
    for event in done:
        loads = event["run"]["facets"]["caregrid_loads"]["load_ids"]
        files = [one["facets"]["version"]["datasetVersion"] for one in event["inputs"]]
        assert set(zip(loads, files, strict=True)) <= known
        assert {events.table_name(one) for one in event["outputs"]} >= {"raw.load", "canonical.usage"}
        assert parents(event)["job"]["name"] == "ingest_sim_beds"
        began = of(told, "ingest_sim_beds", "START")
        assert parents(event)["run"]["runId"] in {one["run"]["runId"] for one in began}


def test_a_mart_is_followed_from_its_column_to_the_file_by_the_events_alone(told: Told) -> None:
    """As a server that collects them does: each event's outputs are found again among others' inputs."""
    (build,) = of(told, "dbt.build_warehouse", "COMPLETE")[:1]
    assert parents(build)["job"]["name"] == "build_warehouse.build"
    assert parents(build)["run"]["runId"] in {
        event["run"]["runId"] for event in of(told, "build_warehouse.build", "START")
    }
    columns: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for event in told:
        if event["eventType"] == "COMPLETE" and event["job"]["name"].startswith("dbt."):
            for output in event["outputs"]:
                for name, made in (
                    output.get("facets", {}).get("columnLineage", {"fields": {}})["fields"].items()
                ):
                    above = {(one["name"], one["field"]) for one in made["inputFields"]}
                    columns.setdefault((output["name"], name), set()).update(above)
    reached: set[tuple[str, str]] = set()
    waiting = {("warehouse.marts.planning_utilisation", "mean_occupied_beds")}
    assert waiting <= set(columns)
    while waiting:
        reached |= waiting
        waiting = {above for found in waiting for above in columns.get(found, set())} - reached
    assert ("warehouse.canonical.usage", "value") in reached
    writers = {
        event["job"]["name"]
        for event in told
        if any(one["name"] == "warehouse.canonical.usage" for one in event["outputs"])
    }
    assert "ingest_sim_beds.land_and_stage" in writers


def test_a_forecast_is_followed_from_what_was_read_to_what_is_served(told: Told) -> None:
    scored = [event for event in of(told, "score_forecast.score", "COMPLETE") if event["outputs"]]
    assert scored
    assert "core.fct_usage" in map(events.table_name, scored[0]["inputs"])
    (build,) = of(told, "dbt.build_forecast", "COMPLETE")[:1]
    assert parents(build)["job"]["name"] == "score_forecast.build_forecast"
    # A view, which the build of the whole has made; the forecast's own reads it.
    (staged,) = of(told, "dbt.build_warehouse.build_staging.stg_forecast", "COMPLETE")[:1]
    written = {one["name"] for one in scored[0]["outputs"]}
    assert {one["name"] for one in staged["inputs"]} <= written
    (served,) = of(told, "dbt.build_forecast.core.fct_forecast", "COMPLETE")[:1]
    (table,) = served["outputs"]
    assert "value" in table["facets"]["columnLineage"]["fields"]


def test_a_person_asks_for_the_same_in_a_shell(job: Any) -> None:
    done = job.caregrid("warehouse", "lineage", "marts.planning_utilisation.mean_occupied_beds")
    assert done.returncode == 0, done.stderr
    assert "canonical.usage.value  [loaded]" in done.stdout
    assert "sim_beds, hourly, output beds: general.beds" in done.stdout
