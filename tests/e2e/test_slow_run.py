"""A run that is slow is told: a real scheduler sees the deadline pass, a real executor calls our callback."""

from __future__ import annotations

import json
from typing import Any

import pytest
from caregrid.platform import airflow_client

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

DAG = "document_warehouse"


def test_a_run_past_its_deadline_is_told_in_the_outbox(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run waits, for its DAG is paused; its deadline is moved from minutes ahead to a second ago."""
    monkeypatch.setenv("CAREGRID_VAR", str(job.var))
    client = airflow_client.sign_in()
    client.unpause(DAG, paused=True)
    run_id = client.trigger(DAG)
    of_run = f"from dag_run where dag_run.id = deadline.dagrun_id and dag_run.run_id = '{run_id}'"
    try:
        moved = job.query(
            f"update deadline set deadline_time = now() - interval '1 second' {of_run}"
            " and deadline_time > now() and not missed returning deadline.id",
            database="airflow",
        )
        assert len(moved) == 1, "the run has no deadline of its own"
        job.wait_until(
            "select callback.state in ('success', 'failed') from deadline"
            f" join callback on callback.id = deadline.callback_id where deadline.id = '{moved[0][0]}'",
            120,
            database="airflow",
        )
    finally:
        client.request("DELETE", f"/dags/{DAG}/dagRuns/{run_id}")
        client.unpause(DAG)
    lines = (job.var / "outbox" / "slow_runs.ndjson").read_text(encoding="utf-8").splitlines()
    (told,) = [line for line in map(json.loads, lines) if line["run_id"] == run_id]
    assert (told["kind"], told["dag_id"], told["slow_after_seconds"]) == ("run_is_slow", DAG, 900)
    assert "has not ended within 15 minutes" in told["message"]["en"]
    assert "15 分钟" in told["message"]["zh"]
