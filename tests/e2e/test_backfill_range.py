"""Airflow's own backfill, as its UI asks for it, takes a range of past days of a feed: each day once."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import Any

import pytest
from caregrid.platform import airflow_client

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

# Of many reports a day and of one a day: a schedule's ticks and the days of publication are two things.
FEEDS = ("sim_clinics", "sim_beds")


@pytest.mark.parametrize("feed", FEEDS)
def test_a_range_is_taken_again_day_by_day(feed: str, job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [
        day
        for (day,) in job.query(
            "select distinct (published_at at time zone 'Asia/Hong_Kong')::date from landing.file"
            f" where feed = '{feed}' order by 1"
        )
    ]
    assert len(days) > 4
    first, last = days[-4], days[-2]
    before = job.row_counts()
    reloaded = _reloaded(job, feed)
    builds = job.query("select max(build_id) from ledger.build where status = 'published'")[0][0]

    monkeypatch.setenv("CAREGRID_VAR", str(job.var))
    client = airflow_client.sign_in()
    dag = f"ingest_{feed}"
    asked = {
        "dag_id": dag,
        # What the two fields of the dialog hold when a person chooses days: midnights of the browser's clock.
        "from_date": f"{first}T00:00:00+08:00",
        "to_date": f"{last + timedelta(days=1)}T00:00:00+08:00",
        "reprocess_behavior": "completed",
        "run_backwards": False,
        "max_active_runs": 2,
        "dag_run_conf": {},
    }
    backfill = client.request("POST", "/backfills", json=asked)["id"]
    client.unpause(dag)
    try:
        deadline = time.monotonic() + 900
        while not client.request("GET", f"/backfills/{backfill}")["completed_at"]:
            assert time.monotonic() < deadline, "the backfill has not ended"
            time.sleep(2)
    finally:
        client.unpause(dag, paused=True)

    expected = {day for day in days if first <= day <= last}
    assert _reloaded(job, feed) - reloaded == expected
    job.wait_until(f"select max(build_id) > {builds} from ledger.build where status = 'published'")
    after = job.row_counts()
    assert {
        name: rows for name, rows in after.items() if name.startswith(("core.fct_usage", "marts.operations"))
    } == {
        name: rows for name, rows in before.items() if name.startswith(("core.fct_usage", "marts.operations"))
    }


def _reloaded(job: Any, feed: str) -> set[date]:
    found = job.query(
        "select (published_at at time zone 'Asia/Hong_Kong')::date"
        " from raw.load join landing.file using (file_id)"
        f" where replaces is not null and landing.file.feed = '{feed}'"
    )
    return {day for (day,) in found}
