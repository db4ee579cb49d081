"""When the chain of runs counts as ended: every emission must have been answered by a run that has ended."""

from __future__ import annotations

from typing import Any

import pytest
from caregrid.platform.follow import CHAIN, Link, Progress, follow

pytestmark = pytest.mark.unit

BUILD = Link("build_warehouse", ["publish"], ["ingest_a"])


def run(state: str, queued_at: str, run_id: str = "r1") -> dict[str, Any]:
    return {"state": state, "queued_at": queued_at, "dag_run_id": run_id}


def test_nothing_emitted_and_nothing_running_is_settled() -> None:
    assert Progress().is_settled(BUILD)


@pytest.mark.parametrize(
    ("runs", "settled"),
    [
        ([], False),
        ([run("success", "2026-01-01T00:00:01")], False),  # queued before the emission: it did not see it
        ([run("success", "2026-01-01T00:00:03")], True),
        ([run("failed", "2026-01-01T00:00:03")], True),
        ([run("success", "2026-01-01T00:00:03"), run("running", "2026-01-01T00:00:04")], False),
        ([run("queued", "2026-01-01T00:00:03")], False),
    ],
)
def test_an_emission_waits_for_a_run_queued_after_it(runs: list[dict[str, Any]], settled: bool) -> None:
    progress = Progress(runs={"build_warehouse": runs}, emitted={"ingest_a": "2026-01-01T00:00:02"})
    assert progress.is_settled(BUILD) is settled


def test_chain_names_only_dags_before_as_causes() -> None:
    known: set[str] = set()
    for link in CHAIN:
        assert set(link.after) <= known, link.dag_id
        known.add(link.dag_id)


class _Airflow:
    """Answers like Airflow where one feed loads, the build publishes, and everything else ends well."""

    def __init__(self) -> None:
        self.looks = 0
        self.paused: list[str] = []
        self.dropped: list[str] = []

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        self.looks += 1
        return run("running" if self.looks < 2 else "success", "t0", run_id)

    def runs(self, dag_id: str, since: str) -> list[dict[str, Any]]:
        when = {"build_warehouse": "t2", "train_forecast": "t4", "score_forecast": "t6"}.get(dag_id, "t8")
        return [run("success", when)] if self.looks >= 2 else []

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        ends = {"ingest_a": ("land_and_stage", "t1"), "build_warehouse": ("publish", "t3")}
        task, end = ends.get(dag_id, ("train" if dag_id == "train_forecast" else "build_forecast", "t5"))
        return [{"task_id": task, "state": "success", "end_date": end}]

    def unpause(self, dag_id: str, paused: bool = False) -> None:
        assert paused
        self.paused.append(dag_id)

    def drop_queued(self, dag_id: str, keep: str) -> None:
        self.dropped.append(dag_id)


def test_follow_pauses_a_feed_that_has_ended_and_returns_when_the_chain_has() -> None:
    airflow = _Airflow()
    waited_for: list[str] = []
    progress = follow(airflow, {"ingest_a": "m1"}, "t0", lambda _, dag_id: waited_for.append(dag_id))  # type: ignore[arg-type]
    assert airflow.paused == ["ingest_a"]
    assert airflow.dropped == ["ingest_a"]
    assert waited_for[0] == "ingest"
    assert waited_for[-1] == ""
    assert progress.emitted["build_warehouse"] == "t3"
    assert progress.failed() == []


def test_follow_gives_up_in_time() -> None:
    with pytest.raises(TimeoutError, match="has not ended"):
        follow(_Airflow(), {"ingest_a": "m1"}, "t0", lambda *_: None, seconds=0)  # type: ignore[arg-type]
