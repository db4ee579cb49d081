"""kill -9 under a real scheduler, at the door of a COPY: of a task, a supervisor and the scheduler itself."""

from __future__ import annotations

import shutil
import time
from typing import Any

import psutil
import psycopg
import pytest
from caregrid.platform import airflow_client, processes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

SCHEDULER = "airflow-scheduler"
# Whose task is killed, and whose supervisor: with the newest file of each, published once more.
TASK, SUPERVISOR = ("sim_beds", "beds"), ("sim_emergency", "emergency")
COPYING = """
select client_port from pg_stat_activity
where datname = 'warehouse' and usename = 'caregrid_loader' and wait_event_type = 'Lock'
  and query ilike 'copy %canonical%usage%'
"""
LOADS = """
select load.status, received.row_count, count(usage.line), count(distinct usage.line)
from landing.file as file
join raw.load as load using (file_id)
join raw.fate as received on received.load_id = load.load_id and output = '' and fate = 'received'
left join canonical.usage as usage on usage.load_id = load.load_id
where file.uri like '%/{name}'
group by load.load_id, received.row_count
"""


def process_at(port: int) -> psutil.Process:
    """Return the client's process of a connection to PostgreSQL."""
    (pid,) = {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.laddr and connection.laddr.port == port and connection.pid
    }
    return psutil.Process(pid)


def copying(job: Any, known: set[int]) -> psutil.Process:
    """Wait for a task that has come to its COPY, besides those known already."""
    deadline = time.monotonic() + 180
    while not (ports := {port for (port,) in job.query(COPYING)} - known):
        assert time.monotonic() < deadline, "no task came to its COPY"
        time.sleep(0.2)
    known |= ports
    return process_at(ports.pop())


def test_a_killed_task_and_a_killed_supervisor_are_made_good_by_the_retry(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREGRID_VAR", str(job.var))
    client = airflow_client.sign_in()
    names, before, known, runs = {}, {}, set[int](), {}
    for feed, folder in (TASK, SUPERVISOR):
        newest = max((job.var / "simulated" / folder).glob(f"{folder}_*.gz"))
        names[feed] = f"{folder}_again{''.join(newest.suffixes)}"
        before[feed] = job.query(LOADS.format(name=newest.name))
        shutil.copy(newest, newest.with_name(names[feed]))
    dsn = job.dsn("admin")
    with psycopg.connect(dsn) as holder:
        holder.execute("lock table canonical.usage in share mode")  # readers pass, a COPY waits
        for feed, _ in (TASK, SUPERVISOR):
            dag_id = f"ingest_{feed}"
            client.unpause(dag_id)
            runs[feed] = (dag_id, client.trigger(dag_id))
            task = copying(job, known)
            supervisor = task.parent()
            assert supervisor is not None
            assert "airflow" in " ".join(supervisor.cmdline())
            (task if feed == TASK[0] else supervisor).kill()
    tries = {}
    for feed, (dag_id, run_id) in runs.items():
        deadline = time.monotonic() + 400
        while (state := client.run(dag_id, run_id)["state"]) not in ("success", "failed"):
            assert time.monotonic() < deadline, f"{dag_id} is {state}"
            time.sleep(1)
        client.unpause(dag_id, paused=True)
        (loaded,) = [t for t in client.task_instances(dag_id, run_id) if t["task_id"] == "land_and_stage"]
        tries[feed] = (state, loaded["try_number"])
    assert tries == dict.fromkeys(runs, ("success", 2))
    for feed in runs:
        assert job.query(LOADS.format(name=names[feed])) in (
            before[feed], [("staged", *before[feed][0][1:])],
        )  # fmt: skip


def restarted(restarts: int) -> processes.keeper.Notes:
    """Wait until the scheduler was started again; return what its keeper noted."""
    deadline = time.monotonic() + 120
    while (notes := processes.kept(SCHEDULER)) is None or notes.restarts < restarts or not notes.is_alive:
        assert time.monotonic() < deadline, f"the scheduler is not started again: {notes}"
        time.sleep(0.2)
    return notes


def test_a_killed_scheduler_is_started_again_and_the_run_ends_as_any_other(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREGRID_VAR", str(job.var))
    client = airflow_client.sign_in()
    feed, folder = TASK
    dag_id = f"ingest_{feed}"
    newest = max(path for path in (job.var / "simulated" / folder).glob("*.gz") if "_again" not in path.name)
    name = f"{folder}_once_more{''.join(newest.suffixes)}"
    before = job.query(LOADS.format(name=newest.name))
    shutil.copy(newest, newest.with_name(name))
    killed = processes.kept(SCHEDULER)
    assert killed is not None
    with psycopg.connect(job.dsn("admin")) as holder:
        holder.execute("lock table canonical.usage in share mode")
        client.unpause(dag_id)
        run_id = client.trigger(dag_id)
        task = copying(job, set())
        psutil.Process(killed.pid).kill()
        started = restarted(killed.restarts + 1)
        assert (started.how, started.pid != killed.pid) == ("signal 9", True)
        # It would otherwise go on with what the new scheduler gives out again.
        task.wait(60)
    assert f"{SCHEDULER}: restarts: {started.restarts}" in job.caregrid("status").stdout
    deadline = time.monotonic() + 600
    while (state := client.run(dag_id, run_id)["state"]) not in ("success", "failed"):
        assert time.monotonic() < deadline, f"{dag_id} is {state}"
        time.sleep(1)
    client.unpause(dag_id, paused=True)
    (loaded,) = [t for t in client.task_instances(dag_id, run_id) if t["task_id"] == "land_and_stage"]
    assert (state, loaded["try_number"] > 1) == ("success", True)
    assert job.query(LOADS.format(name=name)) in (before, [("staged", *before[0][1:])])
    assert processes.kept(SCHEDULER) == started
