"""Airflow's own backfill, as its UI asks for it, takes a range of past days of a feed: each day once.

The last of these tests by its name: what it loads again the others would count.
"""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import Any

import pytest
from caregrid.platform import airflow_client

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

# Two publications lie a few days apart, and its schedule has one moment a day.
FEED = "sim_clinics"
# Of this feed: what others were still to be built of may come with the same build.
FACTS = f"select count(*) from core.fct_usage join core.dim_series using (series_id) where feed = '{FEED}'"


def test_a_range_is_taken_again_day_by_day(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    published = job.query(
        "select distinct (published_at at time zone 'Asia/Hong_Kong')::date from landing.file"
        f" where feed = '{FEED}' order by 1"
    )
    days = [day for (day,) in published]
    assert len(days) > 1
    facts = job.query(FACTS)
    builds = job.query("select max(build_id) from ledger.build where status = 'published'")[0][0]
    before = reloaded(job)

    monkeypatch.setenv("CAREGRID_VAR", str(job.var))
    client = airflow_client.sign_in()
    dag = f"ingest_{FEED}"
    asked = {
        "dag_id": dag,
        # What the two fields of the dialog hold when a person chooses days: midnights of the browser's clock.
        "from_date": f"{days[0]}T00:00:00+08:00",
        "to_date": f"{days[-1] + timedelta(days=1)}T00:00:00+08:00",
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
            time.sleep(1)
    finally:
        client.unpause(dag, paused=True)

    assert before == set()
    assert reloaded(job) == set(days)
    # What was loaded again is what is known: the build that follows publishes the same facts.
    job.wait_until(f"select max(build_id) > {builds} from ledger.build where status = 'published'")
    assert job.query(FACTS) == facts


def reloaded(job: Any) -> set[date]:
    """Return the days of publication of which a load was replaced by another."""
    found = job.query(
        "select (published_at at time zone 'Asia/Hong_Kong')::date"
        " from raw.load join landing.file using (file_id)"
        f" where replaces is not null and landing.file.feed = '{FEED}'"
    )
    return {day for (day,) in found}
