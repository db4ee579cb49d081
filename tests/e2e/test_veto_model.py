"""A person's veto through Airflow, as the UI asks for it: done by the scheduler, under the person's name."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from caregrid.platform import airflow_client

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

ENDED = ("success", "failed")
# What a second training would register, without its minutes: the same files under the next number.
ONCE_MORE = """
from ml.tracking import registry
client, champion = registry.client(), registry.by_alias(registry.CHAMPION)
first = client.get_model_version(registry.MODEL_NAME, champion.version)
print(client.create_model_version(registry.MODEL_NAME, first.source, first.run_id, first.tags).version)
"""


def test_a_veto_is_carried_out_by_the_scheduler_under_the_name_of_who_asks(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = subprocess.run(
        [sys.executable, "-c", ONCE_MORE], env=job.environment, cwd=job.root, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    second = made.stdout.split()[-1]
    led = job.caregrid("models", "rollback", "--to", second, "--why", "tried by hand")
    assert led.returncode == 0, led.stderr
    newest = "select from_version, to_version, who, why, run_id from model_output.alias_change"
    newest += " where alias = 'champion' order by change_id desc limit 1"
    before = job.query(newest)[0]
    assert before[1] == second
    runs = "from model_output.run where kind = 'score'"
    scored = [run for (run,) in job.query(f"select run_id {runs}")]
    monkeypatch.setenv("CAREGRID_VAR", str(job.var))
    client = airflow_client.sign_in()
    since, deadline = datetime.now(UTC).isoformat(), time.monotonic() + 1200
    run_id = client.trigger("veto_model", {"reason": "too low in ward 3", "version": None})
    while (state := client.run("veto_model", run_id)["state"]) not in ENDED:
        assert time.monotonic() < deadline, f"veto_model is {state}"
        time.sleep(1)
    assert state == "success"
    person = client.run("veto_model", run_id)["triggering_user_name"]
    assert person
    assert job.query(newest) == [(second, before[0], person, "too low in ward 3", run_id)]
    listed = {line.split()[0]: line for line in job.caregrid("models", "list").stdout.splitlines()[1:]}
    assert "champion" in listed[before[0]]
    assert "champion" not in listed[second].split("promoted")[0]

    # score_forecast follows, and what serves again says so anew, unless a load before asked for that already.
    while not (ran := client.runs("score_forecast", since)) or any(one["state"] not in ENDED for one in ran):
        assert time.monotonic() < deadline, f"score_forecast has not followed: {ran}"
        time.sleep(1)
    assert {one["state"] for one in ran} == {"success"}
    told = job.query(f"select run_id, model_version {runs}")
    assert before[0] in [version for run, version in told if run not in scored]
