"""Long-running processes: started detached with log and pid file, checked, stopped by their own id."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from caregrid import paths
from caregrid.errors import CareGridError

_POLL_SECONDS = 0.2
_STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Service:
    """One process: how it is started, and how one knows that it is ready.

    Attributes:
        name: of its pid file and log.
        command: the program and its arguments, no secrets among them.
        environment: the whole environment; secrets go here.
        is_ready: asked until it says yes.
    """

    name: str
    command: Sequence[str]
    environment: dict[str, str] = field(repr=False)
    is_ready: Callable[[], bool]
    seconds_to_start: float = 180.0

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return paths.var("logs", f"{self.name}.log")


def answers(url: str) -> bool:
    """Whether an address on this machine answers below 400; proxies are not asked."""
    try:
        return httpx.get(url, timeout=5.0, trust_env=False).status_code < 400
    except httpx.HTTPError:
        return False


def serves(name: str, url: str) -> bool:
    """Whether an address answers, and it is this service that does.

    Two installations that start at once may choose one port: the second must not take the first for its own.
    """
    return answers(url) and urlsplit(url).port in _ports(name)


def start(service: Service) -> None:
    """Start a service unless its process already runs. Does not wait: see `wait`."""
    if is_running(service.name):
        return
    service.log.parent.mkdir(parents=True, exist_ok=True)
    with service.log.open("ab") as log:
        process = subprocess.Popen(
            list(service.command), cwd=paths.ROOT, env=service.environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    _pid_file(service.name).parent.mkdir(parents=True, exist_ok=True)
    created = psutil.Process(process.pid).create_time()
    # The installer asks by `python` whether an installation is in use.
    noted = {"pid": process.pid, "created": created, "python": sys.executable}
    _pid_file(service.name).write_text(json.dumps(noted))


def wait(service: Service) -> None:
    """Wait until a started service is ready.

    Raises:
        CareGridError: it died or was not ready in time; the end of its log is in the message.
    """
    deadline = time.monotonic() + service.seconds_to_start
    while not service.is_ready():
        if not is_running(service.name) or time.monotonic() > deadline:
            ending = "\n".join(service.log.read_text(errors="replace").splitlines()[-15:])
            raise CareGridError(f"{service.name} did not start\n{ending}", where=str(service.log))
        time.sleep(_POLL_SECONDS)


def is_running(name: str) -> bool:
    """Whether the process in the pid file of a service is alive and the one that we started."""
    return _process(name) is not None


def stop(name: str) -> bool:
    """Stop a service and the processes it started; return whether it was running."""
    process = _process(name)
    if process is not None:
        # It leads a session of its own: the group holds its workers and nothing else.
        _signal(process.pid, signal.SIGTERM)
        if not _gone(process, _STOP_SECONDS):
            _signal(process.pid, signal.SIGKILL)
            _gone(process, _STOP_SECONDS)
        # Workers of a leader that died first would otherwise be left behind.
        _signal(process.pid, signal.SIGKILL)
    _pid_file(name).unlink(missing_ok=True)
    return process is not None


def _ports(name: str) -> set[int]:
    """Return the ports that a service and the processes it started listen on."""
    leader = _process(name)
    if leader is None:
        return set()
    found: set[int] = set()
    for process in (leader, *leader.children(recursive=True)):
        # A worker may end between being listed and being asked.
        with contextlib.suppress(psutil.Error):
            connections = process.net_connections(kind="tcp")
            found |= {one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN}
    return found


def _gone(process: psutil.Process, seconds: float) -> bool:
    try:
        process.wait(timeout=seconds)
    except psutil.TimeoutExpired:
        return False
    return True


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def _process(name: str) -> psutil.Process | None:
    try:
        noted = json.loads(_pid_file(name).read_text())
        process = psutil.Process(noted["pid"])
        # A number is given again after a restart of the machine: the moment of its start tells them apart.
        same = abs(process.create_time() - noted["created"]) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, psutil.Error):
        return None


def _pid_file(name: str) -> Path:
    return paths.var("run", f"{name}.json")
