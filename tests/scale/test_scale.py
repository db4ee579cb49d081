"""The pipeline as servers run it: FAB accounts, Celery, two workers, and one of them killed in the middle."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import httpx
import psutil
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3000)]

RUNNING = """
select pid from task_instance where dag_id = 'build_warehouse' and task_id = 'build' and state = 'running'
  and pid is not null
"""
TRIES = """
select task.try_number, task.state from task_instance as task
where dag_id = 'build_warehouse' and task_id = 'build' order by task.start_date
"""


def sign_in(stack: Any, account: str, password: str) -> httpx.Response:
    """Ask Airflow for a token, as its own clients do."""
    return httpx.post(
        f"{stack.settings['CAREGRID_AIRFLOW_URL']}/auth/token",
        json={"username": account, "password": password},
        timeout=60,
        trust_env=False,
    )


def call(stack: Any, method: str, path: str, token: str = "", **options: Any) -> int:
    """Return with which status Airflow answers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    address = f"{stack.settings['CAREGRID_AIRFLOW_URL']}{path}"
    return httpx.request(method, address, headers=headers, timeout=60, trust_env=False, **options).status_code


def passwords(stack: Any) -> dict[str, str]:
    """Return the passwords of the secret."""
    return dict(json.loads((stack.secrets / "airflow_accounts.json").read_text()))


def test_every_account_signs_in_with_its_own_password_alone(celery: Any) -> None:
    words = passwords(celery)
    assert set(words) == {"admin", "data_engineer", "ml_engineer", "viewer"}
    for account, word in words.items():
        answer = sign_in(celery, account, word)
        assert answer.status_code == 201, answer.text
        assert call(celery, "GET", "/api/v2/dags", answer.json()["access_token"]) == 200
    assert sign_in(celery, "admin", words["viewer"]).status_code == 401
    assert sign_in(celery, "admin", "admin").status_code == 401
    assert sign_in(celery, "airflow", "airflow").status_code == 401


def test_the_simple_manager_is_off_and_nobody_unknown_gets_in(celery: Any) -> None:
    # The simple manager would hand a token to whoever asks, where it is told so; FAB has no such door.
    assert call(celery, "GET", "/auth/token") in (404, 405)
    assert call(celery, "GET", "/api/v2/dags") == 401
    assert call(celery, "GET", "/api/v2/dags", "no-token") in (401, 403)
    hashes = celery.query("select password from ab_user", "airflow")
    assert len(hashes) == len(passwords(celery))
    assert not {word for (word,) in hashes} & set(passwords(celery).values())


def test_a_viewer_looks_and_starts_nothing(celery: Any) -> None:
    token = sign_in(celery, "viewer", passwords(celery)["viewer"]).json()["access_token"]
    path = "/api/v2/dags/build_warehouse/dagRuns"
    assert call(celery, "GET", path, token) == 200
    assert call(celery, "POST", path, token, json={"logical_date": None}) == 403


def test_setting_up_again_changes_nothing_and_renews_a_password(celery: Any) -> None:
    file = celery.secrets / "airflow_accounts.json"
    before = passwords(celery)
    file.chmod(0o600)
    file.write_text(json.dumps(before | {"viewer": "another-word-for-the-viewer"}))
    done = celery.caregrid("servers", "init")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warehouse: 0 new migrations" in done.stdout
    assert not [word for word in before.values() if word in done.stdout + done.stderr]
    assert sign_in(celery, "viewer", before["viewer"]).status_code == 401
    assert sign_in(celery, "viewer", "another-word-for-the-viewer").status_code == 201
    assert celery.query("select count(*) from ab_user", "airflow") == [(len(before),)]


def test_health_tells_a_service_that_is_not_there(celery: Any) -> None:
    assert celery.caregrid("servers", "healthy", "airflow-worker", CAREGRID_WORKER="nobody").returncode == 1
    nowhere = {"CAREGRID_AIRFLOW_URL": "http://127.0.0.1:9"}
    for name in ("airflow-api-server", "airflow-scheduler", "airflow-triggerer", "airflow-dag-processor"):
        assert celery.caregrid("servers", "healthy", name).returncode == 0
        assert celery.caregrid("servers", "healthy", name, **nowhere).returncode == 1


def worker_of(stack: Any, pid: int) -> str:
    """Return the name of the worker below which a process runs."""
    above = {process.pid for process in psutil.Process(pid).parents()}
    (name,) = (name for name, worker in stack.started.items() if worker.pid in above and "worker" in name)
    return str(name)


def test_a_run_whose_worker_is_killed_ends_as_the_undisturbed_one(
    celery: Any, local_counts: dict[str, int]
) -> None:
    running: subprocess.Popen[str] = celery.drive()
    deadline = time.monotonic() + 900
    while not (pids := celery.query(RUNNING, "airflow")):
        assert running.poll() is None, running.communicate()[0][-3000:]
        assert time.monotonic() < deadline, "the build did not begin"
        time.sleep(0.2)
    killed = worker_of(celery, pids[0][0])
    celery.kill(killed)
    said, _ = running.communicate(timeout=1800)
    assert running.returncode == 0, said[-3000:]
    tries = celery.query(TRIES, "airflow")
    assert tries[0] == (2, "success"), tries
    (other,) = {"worker1", "worker2"} - {killed}
    assert celery.caregrid("servers", "healthy", "airflow-worker", CAREGRID_WORKER=killed).returncode == 1
    assert celery.caregrid("servers", "healthy", "airflow-worker", CAREGRID_WORKER=other).returncode == 0
    assert sum(local_counts.values()) > 1000
    # It holds the alerts that the clock had raised before the newest build; action.alert_event holds all.
    by_the_clock = {"core.fct_alert"}
    counts = celery.row_counts()
    assert set(counts) == set(local_counts)
    differing = {table for table in counts if counts[table] != local_counts[table]}
    assert differing <= by_the_clock, {table: (counts[table], local_counts[table]) for table in differing}
