"""Events to the letter of OpenLineage's schema, and the files that hold them whatever happens to a writer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from caregrid.lineage import events, journal, task
from caregrid.lineage.columns import Made, Step
from caregrid.platform import listener

from tests.integration.openlineage import read_event

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A var directory of this test, and a database that is only named."""
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path))
    monkeypatch.setenv("CAREGRID_DSN_DBT", "postgresql://dbt:secret@127.0.0.1:5433/warehouse")
    monkeypatch.delenv(events.PARENT, raising=False)
    return tmp_path


def instance(**other: Any) -> Any:
    told = {"dag_id": "ingest_a", "task_id": "land", "run_id": "manual__1", "map_index": -1, "try_number": 1}
    return SimpleNamespace(**{**told, **other})


def test_everything_that_an_event_can_hold_is_in_the_schema() -> None:
    made = {
        "rate": Made({("core.usage", "value"): Step.AGGREGATION}, expression="sum(value)"),
        "rows": Made(rows=("core.usage",), expression="count(*)"),
        "kind": Made(),
    }
    event = events.run_event(
        "FAIL",
        "a.b",
        events.run_id("a", 1),
        facets={**events.parent("a", events.run_id("a")), **events.error("why"), **events.loads([1, 2])},
        inputs=[events.file("file:///data/beds.zip", "a.csv", "0" * 64), events.file("/data/beds.csv")],
        outputs=[events.table("core.rate", made), events.table("raw.load")],
    )
    found = read_event(event)
    assert found.outputs[0].name == "warehouse.core.rate"
    assert found.outputs[0].namespace == "postgres://127.0.0.1:5433"
    fields = found.outputs[0].facets["columnLineage"].fields
    assert [(one.name, one.field) for one in fields["rate"].inputFields] == [
        ("warehouse.core.usage", "value")
    ]
    assert fields["rows"].transformationDescription == "count(*) -- counts the rows of core.usage"
    assert found.inputs[0].name == "/data/beds.zip#a.csv"
    assert "secret" not in json.dumps(event)


@pytest.mark.parametrize(
    "change",
    [
        {"eventType": "DONE"},
        {"eventTime": "yesterday"},
        {"more": 1},
        {"run": {"runId": "1", "facets": {}}},
        {"inputs": [{"name": "no namespace"}]},
    ],
)
def test_the_reader_of_these_tests_refuses_what_the_schema_does_not_have(change: dict[str, Any]) -> None:
    event = events.run_event("START", "a", events.run_id("a"))
    read_event(event)
    with pytest.raises((AssertionError, ValueError, TypeError)):
        read_event({**event, **change})


def test_passwords_in_addresses_are_not_told() -> None:
    found = events.file("https://me:secret@host.example:8443/beds.csv?token=secret")
    assert found == {"namespace": "https://host.example:8443", "name": "/beds.csv"}
    assert events.file("s3://landing/a/beds.csv") == {"namespace": "s3://landing", "name": "a/beds.csv"}


def test_secrets_that_airflow_hides_are_not_told(place: Path) -> None:
    from airflow.sdk._shared.secrets_masker import _secrets_masker

    _secrets_masker().add_mask("hunter2-is-long")
    listener.on_task_instance_failed(None, instance(), ValueError("no way in with hunter2-is-long"))
    (failed,) = journal.read()
    assert failed["run"]["facets"]["errorMessage"]["message"] == "no way in with ***"


def test_a_task_tells_what_it_noted_and_the_next_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    listener.on_task_instance_running(None, instance())
    job, run = os.environ[events.PARENT].split("/")[1:]
    task.note(inputs=[events.file("/a.csv")], outputs=[events.table("raw.load")], **events.loads([7]))
    task.note(inputs=[events.file("/a.csv")])
    listener.on_task_instance_success(None, instance())
    listener.on_task_instance_running(None, instance(try_number=2))
    listener.on_task_instance_failed(None, instance(try_number=2), ValueError("no bed"))
    begun, done, again, failed = map(read_event, journal.read())
    assert [one.job.name for one in (begun, done, again, failed)] == ["ingest_a.land"] * 4 == [job] * 4
    assert begun.run.runId == done.run.runId == run != again.run.runId == failed.run.runId
    assert [one.name for one in done.inputs] == ["/a.csv"]
    assert done.run.facets["parent"].job.name == "ingest_a"
    assert (failed.inputs, failed.outputs) == ([], [])
    assert failed.run.facets["errorMessage"].message == "no bed"


def test_a_run_of_a_dag_bears_the_id_that_its_tasks_name() -> None:
    run = SimpleNamespace(dag_id="ingest_a", run_id="manual__1")
    listener.on_dag_run_running(run, "started")
    listener.on_task_instance_skipped(None, instance())
    listener.on_dag_run_failed(run, "task_failure")
    begun, skipped, failed = map(read_event, journal.read())
    assert skipped.run.facets["parent"].run.runId == begun.run.runId == failed.run.runId
    assert [one.eventType.value for one in (begun, skipped, failed)] == ["START", "COMPLETE", "FAIL"]


def test_a_line_that_was_cut_off_costs_no_other(place: Path) -> None:
    journal.write([events.run_event("START", "first", events.run_id(1))])
    (file,) = journal.files()
    with file.open("ab") as stream:
        stream.write(b'{"eventType": "COMP')
    journal.write([events.run_event("START", "second", events.run_id(2))])
    assert [event["job"]["name"] for event in journal.read()] == ["first", "second"]


def test_many_processes_write_whole_lines(place: Path) -> None:
    code = (
        "import sys\n"
        "from caregrid.lineage import events, journal\n"
        "for n in range(50):\n"
        "    journal.write([events.run_event('START', sys.argv[1], events.run_id(n), "
        "facets={'f': 'x' * 40000})])\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(name)]) for name in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    (file,) = journal.files()
    written = [json.loads(line)["job"]["name"] for line in file.read_text().splitlines()]
    assert {name: written.count(name) for name in set(written)} == {str(name): 50 for name in range(4)}


def test_a_disk_that_takes_nothing_stops_no_work(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    (place / "lineage").write_text("a file where the directory should be")
    journal.write([events.run_event("START", "a", events.run_id(1))])
    assert "lineage was not written" in caplog.text


def test_old_days_go_and_so_do_the_oldest_of_too_much(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.folder().mkdir()
    days = [journal.folder() / f"events-2026-01-0{number}.ndjson" for number in (1, 2, 3, 4)]
    for day in days:
        day.write_text("x" * 100)
    os.utime(days[0], (0, 0))
    assert journal.sweep(keep_days=30) == 1
    assert journal.files() == days[1:]
    monkeypatch.setattr(journal, "LARGEST_BYTES", 250)
    assert journal.sweep(keep_days=30) == 1
    assert journal.files() == days[2:]
    monkeypatch.setattr(journal, "LARGEST_BYTES", 1)
    journal.sweep(keep_days=30)
    # The youngest is being written.
    assert journal.files() == days[3:]
