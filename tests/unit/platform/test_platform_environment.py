"""Every tool is silent and stays below var/; secrets are made once and are their owner's alone."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from caregrid import ports
from caregrid.errors import CareGridError
from caregrid.platform import accounts, demo, environment, install, processes
from caregrid.platform.processes import Service
from caregrid.quiet import quiet

pytestmark = pytest.mark.unit


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path))
    for role in ("owner", "airflow", "mlflow"):
        monkeypatch.setenv(f"CAREGRID_DSN_{role.upper()}", f"postgresql://any:word@127.0.0.1:1/{role}")
    return tmp_path


def test_every_directory_of_a_tool_lies_below_var(var: Path) -> None:
    settings = quiet()
    directories = [
        "HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
        "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "DBT_TARGET_PATH", "DBT_LOG_PATH",
    ]  # fmt: skip
    for name in directories:
        assert Path(settings[name]).is_relative_to(var.resolve()), name
        assert Path(settings[name]).is_dir(), name


def test_mlflow_takes_the_setting_that_silences_it(var: Path) -> None:
    code = "from mlflow.telemetry.utils import is_telemetry_disabled; print(is_telemetry_disabled())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={"PATH": os.environ["PATH"], **quiet()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["True"], done.stderr


def test_a_setting_of_the_shell_does_not_win(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "True")
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "True")
    monkeypatch.setenv("NO_PROXY", "example.org")
    settings = environment.environment()
    assert settings["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "False"
    assert settings["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert settings["NO_PROXY"].split(",") == ["127.0.0.1", "localhost", "::1", "example.org"]


def test_every_server_binds_loopback(var: Path) -> None:
    settings = environment.environment()
    assert settings["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert settings["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"].startswith("http://127.0.0.1:")


def test_secrets_are_made_once_and_closed(var: Path) -> None:
    assert set(accounts.passwords()) == set(accounts.ROLES)
    assert accounts.passwords() == accounts.passwords()
    assert accounts.keys() == accounts.keys()
    assert len(set(accounts.passwords().values())) == len(accounts.ROLES)
    for file in (var / "secrets").glob("*.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((var / "secrets").stat().st_mode) == 0o700


def test_a_taken_port_gives_way_to_the_next_and_is_remembered(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = {8080}
    monkeypatch.setattr(ports, "_is_free", lambda port: port not in taken)
    assert ports.choose("airflow") == 8081
    # The documentation prefers the same number, which is given away now.
    assert ports.choose("docs") == 8082
    taken.clear()
    assert ports.choose("airflow") == 8081
    assert ports.known("airflow") == 8081


def _sleeper(name: str) -> Service:
    return Service(
        name, [sys.executable, "-c", "import time; time.sleep(60)"], dict(os.environ), lambda: True
    )


def test_a_service_is_stopped_with_its_children_and_by_its_own_id(var: Path) -> None:
    processes.start(_sleeper("sleeper"))
    assert processes.is_running("sleeper")
    assert processes.stop("sleeper")
    assert not processes.is_running("sleeper")
    assert not processes.stop("sleeper")


def test_a_pid_given_to_another_program_is_left_alone(var: Path) -> None:
    (var / "run").mkdir()
    (var / "run" / "other.json").write_text(json.dumps({"pid": os.getpid(), "created": 1.0}))
    assert not processes.is_running("other")
    assert not processes.stop("other")


def test_an_address_that_another_program_answers_is_not_the_service(var: Path) -> None:
    server = (
        "import http.server as web; s = web.HTTPServer(('127.0.0.1', 0), web.SimpleHTTPRequestHandler); "
        "print(s.server_port, flush=True); s.serve_forever()"
    )
    log = var / "logs" / "ours.log"
    ours = Service("ours", [sys.executable, "-c", server], dict(os.environ), lambda: log.read_text() != "")
    with subprocess.Popen([sys.executable, "-c", server], stdout=subprocess.PIPE, text=True) as theirs:
        assert theirs.stdout is not None
        address = f"http://127.0.0.1:{theirs.stdout.readline().strip()}/"
        processes.start(ours)
        try:
            processes.wait(ours)
            assert processes.answers(address)
            assert not processes.serves("ours", address)
            assert processes.serves("ours", f"http://127.0.0.1:{log.read_text().split()[0]}/")
        finally:
            processes.stop("ours")
            theirs.kill()
    assert not processes.serves("ours", address)


def test_a_service_that_dies_shows_the_end_of_its_log(var: Path) -> None:
    service = Service(
        "dying", [sys.executable, "-c", "raise SystemExit('no such thing')"], dict(os.environ), lambda: False
    )
    processes.start(service)
    with pytest.raises(CareGridError, match="no such thing"):
        processes.wait(service)


def test_demo_choice_names_feeds_that_exist(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, var: Path
) -> None:
    monkeypatch.setenv("CAREGRID_FEEDS_BASE", str(tmp_path))
    with_mirror = demo.choose("demo")
    assert {"tw_nhi_facilities", "tw_nhi_er_realtime", "ca_quebec_emergency", "sim_quality"} <= set(
        with_mirror
    )
    monkeypatch.setenv("CAREGRID_FEEDS_BASE", str(var / "simulated"))
    alone = demo.choose("demo")
    assert alone
    assert all(name.startswith("sim_") for name in alone)
    assert all(name.startswith("sim_") for name in demo.choose("all"))


def test_demo_refuses_a_feed_that_is_not_there(var: Path) -> None:
    with pytest.raises(CareGridError, match="there is no feed nowhere"):
        demo.choose("sim_beds,nowhere")


def test_demo_choice_covers_every_contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from caregrid.contracts import contract_versions
    from caregrid.feeds import load_feed

    monkeypatch.setenv("CAREGRID_FEEDS_BASE", str(tmp_path))
    covered = {output.contract for name in demo.choose("demo") for output in load_feed(name).outputs}
    assert covered == set(contract_versions())


def test_lock_pins_the_installer_itself() -> None:
    lines = install._pin("pip").splitlines()
    assert lines[0].startswith("pip==")
    assert all("--hash=sha256:" in line for line in lines[1:])


def test_missing_system_library_is_answered_with_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(install.ctypes, "CDLL", fails)
    monkeypatch.setattr(install.sys, "platform", "linux")
    monkeypatch.setattr(install.shutil, "which", lambda program: program if program == "dnf" else None)
    assert "dnf install -y libgomp" in str(install._problem())


def test_installer_needs_nothing_installed() -> None:
    # -S: without site-packages, as on a fresh machine.
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", f"import runpy; runpy.run_path({install.__file__!r})"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
