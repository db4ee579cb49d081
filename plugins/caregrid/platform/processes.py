"""Long-running processes: started detached with log and pid file, kept, checked, stopped by their own id.

Each has a keeper (keeper.py), whose number is in the pid file: a service that dies is started again.
"""

from __future__ import annotations

import contextlib
import json
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
from caregrid.platform import keeper

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
    """Start a service, and what keeps it, unless it already runs.

    Does not wait: see `wait`, which must follow, for only what was ready once is started again.
    """
    if is_running(service.name):
        return
    for directory in (service.log.parent, _pid_file(service.name).parent):
        directory.mkdir(parents=True, exist_ok=True)
    _ready_file(service.name).unlink(missing_ok=True)
    files = (str(file.resolve()) for file in (_notes_file(service.name), _ready_file(service.name)))
    with service.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "caregrid.platform.keeper", *files, *service.command],
            cwd=paths.ROOT, env=service.environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
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
            raise CareGridError(
                f"{service.name} did not start\n{ending}",
                where=str(service.log),
                fix="see to the cause in its last lines (a port in use, memory, the disk), then `make down` "
                "and `make up`",
            )
        time.sleep(_POLL_SECONDS)
    _ready_file(service.name).touch()


def is_running(name: str) -> bool:
    """Whether the process in the pid file of a service is alive and the one that we started."""
    return _process(name) is not None


def kept(name: str) -> keeper.Notes | None:
    """Return what the keeper of a running service noted: its process, and how often it was started again."""
    return keeper.read(_notes_file(name)) if is_running(name) else None


def stop(name: str) -> bool:
    """Stop a service and the processes it started; return whether it was running."""
    process = _process(name)
    if process is not None:
        # The keeper passes it on to the service's own group, and waits for that to end.
        process.terminate()
        if not _gone(process, _STOP_SECONDS):
            process.kill()
            _gone(process, _STOP_SECONDS)
    # What did not end when it was asked, or lost its keeper.
    keeper.end_leftovers(_notes_file(name))
    for file in (_pid_file(name), _notes_file(name), _ready_file(name)):
        file.unlink(missing_ok=True)
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


def _notes_file(name: str) -> Path:
    return paths.var("run", f"{name}.kept")


def _ready_file(name: str) -> Path:
    return paths.var("run", f"{name}.ready")
