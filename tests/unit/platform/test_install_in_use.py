"""An installation is never renewed under the processes that run from it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from caregrid.platform import install, processes
from caregrid.platform.processes import Service

pytestmark = pytest.mark.unit


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An outdated installation; whoever installs into it leaves a mark."""
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(install, "_problem", lambda: None)
    monkeypatch.setattr(install, "_install", lambda target, locks: (target / "renewed").touch())
    target = tmp_path / ".venv"
    (target / "bin").mkdir(parents=True)
    (target / "bin" / "python").symlink_to(sys.executable)
    (target / ".installed").write_text("another lock")
    return target


@pytest.fixture
def scheduler(target: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A service started from that installation."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(target / "bin" / "python"))
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        # That python is a link without packages; the keeper finds them on the path.
        path = {"PYTHONPATH": os.pathsep.join(sys.path)}
        processes.start(Service("airflow-scheduler", command, path, lambda: True))
    yield
    processes.stop("airflow-scheduler")


@pytest.mark.usefixtures("scheduler")
def test_a_running_stack_is_not_pulled_from_under_itself(
    target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install.main([str(target)]) == 2
    told = capsys.readouterr().err
    assert "airflow-scheduler" in told
    assert "make down" in told
    assert not (target / "renewed").exists()

    processes.stop("airflow-scheduler")
    assert install.main([str(target)]) == 0
    assert (target / "renewed").exists()


@pytest.mark.usefixtures("scheduler")
def test_an_unchanged_lock_is_no_matter_while_the_stack_runs(target: Path) -> None:
    (target / ".installed").write_text(install._fingerprint([install.LOCK]))
    assert install.main([str(target)]) == 0
    assert not (target / "renewed").exists()


@pytest.mark.usefixtures("scheduler")
def test_a_stack_of_another_installation_is_no_matter(target: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert install.main([str(other)]) == 0
    assert (other / "renewed").exists()


@pytest.mark.parametrize(
    "noted",
    [
        # A number that was given again, to the process of this very test, after a restart of the machine.
        {"pid": -1, "created": time.time() - 86_400, "python": "{target}/bin/python"},
        {"airflow": 8080},
        [],
    ],
)
def test_what_is_no_living_service_is_no_matter(target: Path, noted: object) -> None:
    run = target.parent / "var" / "run"
    run.mkdir(parents=True)
    text = json.dumps(noted).replace("{target}", str(target)).replace("-1", str(os.getpid()))
    (run / "service.json").write_text(text)
    assert install.main([str(target)]) == 0
    assert (target / "renewed").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="what a process runs from is asked of /proc")
def test_a_database_that_runs_from_it_counts_too(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = target / "bin" / "postgres"
    shutil.copy(str(shutil.which("sleep")), program)
    data = target.parent / "var" / "postgres" / "data"
    data.mkdir(parents=True)
    with subprocess.Popen([program, "600"]) as database:
        try:
            (data / "postmaster.pid").write_text(f"{database.pid}\n{data}\n")
            assert install.main([str(target)]) == 2
            assert "runs from it: postgres" in capsys.readouterr().err
        finally:
            database.kill()
    assert install.main([str(target)]) == 0
