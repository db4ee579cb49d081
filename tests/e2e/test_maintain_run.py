"""`maintain` on the running installation: every cleaning ends well, and what people read stays as it was."""

from __future__ import annotations

import time
from typing import Any

import pytest
from caregrid.platform import airflow_client

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]


def test_every_cleaning_ends_well_and_takes_nothing_that_is_served(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = job.row_counts()
    landed = {path for path in (job.var / "landing").rglob("*") if path.is_file()}
    assert landed
    monkeypatch.setenv("CAREGRID_VAR", str(job.var))
    client = airflow_client.sign_in()
    run_id = client.trigger("maintain")
    deadline = time.monotonic() + 600
    while (state := client.run("maintain", run_id)["state"]) not in ("success", "failed"):
        assert time.monotonic() < deadline, f"maintain is {state}"
        time.sleep(1)
    states = {task["task_id"]: task["state"] for task in client.task_instances("maintain", run_id)}
    cleanings = (
        "clean_airflow", "clean_landing", "clean_logs", "clean_mlflow", "clean_paths", "vacuum_warehouse",
    )  # fmt: skip
    assert states == dict.fromkeys((*cleanings, "check_sources"), "success")
    assert {path for path in (job.var / "landing").rglob("*") if path.is_file()} == landed
    assert job.row_counts() == before
    assert job.query("select count(*) > 0 from core.fct_forecast", "bi_reader") == [(True,)]
