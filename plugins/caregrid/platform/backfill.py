"""Backfills days of a feed through Airflow: one run per publication day, which cascades to the marts."""

from __future__ import annotations

import time
from datetime import date, timedelta

from caregrid.errors import CareGridError
from caregrid.feeds import load_feed
from caregrid.landing.addresses import refuse_future
from caregrid.platform import airflow_client

_POLL_SECONDS = 1.0


def backfill_in_airflow(feed_name: str, first: date, last: date) -> int:
    """Run a feed's ingest for each day from `first` to `last`, both included; return 1 if one failed, else 0.

    The day is the run's parameter, not its logical date: an hourly schedule would otherwise make 24 runs of a
    day, and one of 03:00 none at all from D to D. A paused DAG is let run and paused again.

    Raises:
        CareGridError: there is no such feed, or the days are in the wrong order or have not come.
    """
    if last < first:
        raise CareGridError(f"{last} lies before {first}", fix="give the first day first")
    feed = load_feed(feed_name)
    refuse_future(feed, last)
    dag_id = f"ingest_{feed.name}"
    client = airflow_client.sign_in()
    paused = client.is_paused(dag_id)
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    runs = {day: client.trigger(dag_id, {"day": day.isoformat()}) for day in days}
    if paused:
        client.unpause(dag_id)
    states = {}
    try:
        for day, run_id in runs.items():
            while (state := client.run(dag_id, run_id)["state"]) not in ("success", "failed"):
                time.sleep(_POLL_SECONDS)
            ended = {task["task_id"]: task["state"] for task in client.task_instances(dag_id, run_id)}
            states[day] = state
            print(f"{day}: {_words(state, ended.get('land_and_stage'))}; run {run_id} of {dag_id}")
    finally:
        if paused:
            client.unpause(dag_id, paused=True)
    return 0 if set(states.values()) == {"success"} else 1


def _words(state: str, task_state: str | None) -> str:
    if state == "failed":
        return "failed; the run's log says why"
    if task_state == "skipped":
        return "nothing to take: none of that day is offered, or landed; the run's log says which"
    return "staged; the build takes it from here"
