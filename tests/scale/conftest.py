"""The services of docker-compose.yaml as processes of this machine: same commands, same settings, no engine.

These tests need what `make test-scale` installs; elsewhere they are none of the suite.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import yaml
from caregrid.database import server
from caregrid.paths import ROOT
from caregrid.platform import server_secrets
from caregrid.simulate import simulate

if importlib.util.find_spec("celery") is None:
    collect_ignore_glob = ["test_*.py"]

FEEDS = "sim_registry,sim_quality,sim_beds,sim_clinics,sim_emergency"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
COUNTED = ("raw", "canonical", "rejected", "core", "marts", "model_output", "action")


@dataclass
class Stack:
    """One installation: its directory, its settings, and the processes that were started in it."""

    var: Path
    secrets: Path
    settings: dict[str, str] = field(repr=False)
    admin: str = field(repr=False)
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def caregrid(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of CareGrid with the settings of this stack."""
        return subprocess.run(
            [sys.executable, "-m", "caregrid.cli", *arguments],
            env=self.settings | more, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def start(self, name: str, service: str = "", **more: str) -> None:
        """Start a service as compose does, under a name of its own, and wait for its health."""
        arguments = COMPOSE["services"][service or name]["command"]
        self.launch(name, [sys.executable, "-m", "caregrid.cli", *arguments], self.settings | more)
        check = COMPOSE["services"][service or name]["healthcheck"]["test"][2:]
        self.wait(name, lambda: self.caregrid(*check, **more).returncode == 0)

    def launch(self, name: str, command: list[str], settings: dict[str, str]) -> None:
        """Start a process in a session of its own."""
        with (self.var / f"{name}.log").open("ab") as log:
            self.started[name] = subprocess.Popen(
                command, cwd=ROOT, env=settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def wait(self, name: str, is_there: Callable[[], bool]) -> None:
        """Wait until a started process is ready; its log is in the message if it is not."""
        deadline = time.monotonic() + 600
        while not is_there():
            alive = self.started[name].poll() is None
            said = (self.var / f"{name}.log").read_text(errors="replace")[-3000:]
            assert alive, f"{name} ended\n{said}"
            assert time.monotonic() < deadline, f"{name} is not ready\n{said}"
            time.sleep(2)

    def kill(self, name: str) -> None:
        """Kill a process and all that it started with -9, as if its machine were gone."""
        leader = psutil.Process(self.started[name].pid)
        for process in (leader, *leader.children(recursive=True)):
            process.kill()
        self.started.pop(name).wait()

    def stop(self) -> None:
        """Stop everything, the newest first."""
        for name in reversed(list(self.started)):
            process = self.started.pop(name)
            children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for child in children:
                if child.is_running():
                    child.kill()

    def query(self, sql: str, database: str = "warehouse") -> list[tuple[Any, ...]]:
        """Return the rows of a query, as one who may read everything."""
        with psycopg.connect(f"{self.admin.rsplit('/', 1)[0]}/{database}") as connection:
            return connection.execute(sql.encode()).fetchall()

    def row_counts(self) -> dict[str, int]:
        """Return {schema.table: rows} of everything that data flow through."""
        tables = self.query(f"select schemaname, tablename from pg_tables where schemaname in {COUNTED}")
        return {
            f"{schema}.{table}": self.query(f'select count(*) from "{schema}"."{table}"')[0][0]
            for schema, table in tables
        }

    def drive(self) -> subprocess.Popen[str]:
        """Begin to run the chain of the feeds, from the first ingest to the alert."""
        code = f"from caregrid.platform import demo; raise SystemExit(demo.drive({FEEDS!r}))"
        return subprocess.Popen(
            [sys.executable, "-c", code], env=self.settings, cwd=ROOT, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip


def placed(text: str, here: dict[str, str]) -> str:
    """Return a text of docker-compose.yaml with each of its places replaced by that of this machine, once."""
    return re.sub("|".join(map(re.escape, here)), lambda found: here[found[0]], text)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make(test_var: Path, name: str, executor: str) -> Stack:
    """Make an installation with the settings of docker-compose.yaml, its hosts being this machine."""
    var = test_var / name
    (var / "data").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAREGRID_VAR", str(var / "postgres"))
        port = server.start(durable=False)
        admin = json.loads((var / "postgres" / "secrets" / "database.json").read_text())["admin"]
    server_secrets.write(var / "secrets", "127.0.0.1", port)
    (var / "secrets" / "postgres_password").unlink()
    (var / "secrets" / "postgres_password").write_text(urlsplit(admin).password or "")
    simulate(var / "data" / "simulated", seed=7, facilities=5, days=35)
    airflow, redis = free_port(), free_port()
    here = {
        "/run/secrets": str(var / "secrets"),
        "/var/lib/caregrid": str(var / "data"),
        "/srv/feeds": str(var / "data" / "simulated"),
        "0.0.0.0": "127.0.0.1",
        "airflow-api-server:8080": f"127.0.0.1:{airflow}",
        "127.0.0.1:8080": f"127.0.0.1:{airflow}",
        "redis:6379": f"127.0.0.1:{redis}",
    }
    given = COMPOSE["services"]["airflow-scheduler"]["environment"]
    settings = {name: placed(re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", given[name]), here) for name in given}
    # There is no object store here: models and landed files go to the disk.
    for name in ("CAREGRID_ARTIFACTS", "CAREGRID_OBJECT_STORE", "CAREGRID_LANDING"):
        del settings[name]
    settings["CAREGRID_EXECUTOR"] = executor
    settings["CAREGRID_FORECAST_SETTINGS"] = "demo"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("CAREGRID_", "AIRFLOW"))}
    path = os.pathsep.join([str(ROOT / "plugins"), str(ROOT)])
    return Stack(var, var / "secrets", kept | settings | {"PYTHONPATH": path}, admin)


def up(stack: Stack, workers: int = 0) -> None:
    """Set up and start the services in the order of docker-compose.yaml."""
    done = stack.caregrid(*COMPOSE["services"]["init"]["command"])
    assert done.returncode == 0, done.stdout + done.stderr
    if workers:
        start_redis(stack)
    for name in ("airflow-api-server", "airflow-dag-processor", "airflow-triggerer", "airflow-scheduler"):
        stack.start(name)
    for number in range(1, workers + 1):
        stack.start(f"worker{number}", "airflow-worker", CAREGRID_WORKER=f"worker{number}")


def start_redis(stack: Stack) -> None:
    """Start the system's Redis with the very command line of docker-compose.yaml, on a free port."""
    service = COMPOSE["services"]["redis"]
    port = urlsplit(stack.settings["CAREGRID_BROKER"]).port
    (stack.var / "redis").mkdir()
    here = {"/run/secrets": str(stack.secrets), "/tmp": f"{stack.var}/redis", "/data": f"{stack.var}/redis"}
    command = placed(service["command"][-1].replace("$$", "$"), here)
    check = placed(service["healthcheck"]["test"][1].replace("$$", "$"), here)
    command += f" --port {port} --bind 127.0.0.1"
    stack.launch("redis", ["sh", "-c", command], dict(os.environ))
    check = check.replace("redis-cli", f"redis-cli -p {port}")
    stack.wait("redis", lambda: subprocess.run(["sh", "-c", check], check=False).returncode == 0)


def remove(stack: Stack) -> None:
    """Stop a stack and its database."""
    stack.stop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAREGRID_VAR", str(stack.var / "postgres"))
        server.delete()


@pytest.fixture(scope="session")
def local_counts(test_var: Path) -> dict[str, int]:
    """The row counts of one undisturbed run under LocalExecutor."""
    stack = make(test_var, "local", "LocalExecutor")
    try:
        up(stack)
        running = stack.drive()
        said, _ = running.communicate(timeout=1500)
        assert running.returncode == 0, said[-3000:]
        return stack.row_counts()
    finally:
        remove(stack)


@pytest.fixture(scope="session")
def celery(test_var: Path) -> Iterator[Stack]:
    """A stack with two Celery workers and the system's Redis."""
    if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
        pytest.skip("there is no Redis: install it, for example with apt-get install -y redis-server")
    stack = make(test_var, "celery", "CeleryExecutor")
    try:
        up(stack, workers=2)
        yield stack
    finally:
        remove(stack)
