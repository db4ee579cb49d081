"""A service that dies is started again; one that never came up, or was told to stop, is not."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from caregrid.platform import processes, services
from caregrid.platform.keeper import Notes
from caregrid.platform.processes import Service

pytestmark = [pytest.mark.unit, pytest.mark.timeout(300)]

# Starts a worker that leads a group of its own, as a scheduler's tasks do, and says who it is.
LEADER = """
import subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
open(sys.argv[1], "a").write(f"{worker.pid}\\n")
time.sleep(600)
"""


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path / "var"))
    return tmp_path / "var"


@pytest.fixture
def workers(var: Path) -> Iterator[Path]:
    """The scheduler's stand-in, ready; the numbers of its workers so far."""
    told = var.parent / "workers"
    service = Service(
        "airflow-scheduler", [sys.executable, "-c", LEADER, str(told)], dict(os.environ), told.exists
    )
    processes.start(service)
    processes.wait(service)
    yield told
    processes.stop("airflow-scheduler")


def numbers(told: Path) -> list[int]:
    return [int(line) for line in told.read_text().splitlines()]


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def kept() -> Notes:
    notes = processes.kept("airflow-scheduler")
    assert notes is not None
    return notes


def test_a_killed_service_is_started_again_and_its_workers_end_with_it(workers: Path) -> None:
    first = kept()
    assert (first.restarts, services.restarts()) == (0, [])
    wait_until(lambda: len(numbers(workers)) == 1)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: len(numbers(workers)) == 2)
    again = kept()
    assert (again.restarts, again.how) == (1, "signal 9")
    assert again.pid != first.pid
    old, new = numbers(workers)
    wait_until(lambda: not runs(old))
    assert runs(new)
    (told,) = services.restarts()
    assert told.startswith("airflow-scheduler: restarts: 1; last ended ")
    assert "signal 9" in told


def test_a_stopped_service_stays_down_with_all_it_started(workers: Path) -> None:
    notes = kept()
    wait_until(lambda: len(numbers(workers)) == 1)
    assert processes.stop("airflow-scheduler")
    assert not notes.is_alive
    wait_until(lambda: not runs(numbers(workers)[0]))
    assert processes.kept("airflow-scheduler") is None


def test_a_service_without_its_keeper_does_not_run_beside_the_next(workers: Path) -> None:
    orphan = kept()
    keeper = psutil.Process(orphan.pid).parent()
    assert keeper is not None
    keeper.kill()
    keeper.wait()
    assert not processes.is_running("airflow-scheduler")
    assert orphan.is_alive
    service = Service(
        "airflow-scheduler", [sys.executable, "-c", LEADER, str(workers)], dict(os.environ),
        lambda: processes.kept("airflow-scheduler") not in (None, orphan),
    )  # fmt: skip
    processes.start(service)
    processes.wait(service)
    assert not orphan.is_alive
    assert kept().is_alive


def test_what_never_came_up_is_not_started_again(var: Path) -> None:
    told = var.parent / "starts"
    script = "import sys; open(sys.argv[1], 'a').write('start '); sys.exit(3)"
    processes.start(
        Service("mlflow", [sys.executable, "-c", script, str(told)], dict(os.environ), lambda: False)
    )
    wait_until(lambda: not processes.is_running("mlflow"))
    assert told.read_text() == "start "
