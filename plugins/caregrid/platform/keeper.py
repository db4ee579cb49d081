"""Keeps one service: starts it again when it dies, later each time it dies soon, until it is told to stop.

Run as `python -m caregrid.platform.keeper NOTES READY COMMAND…`. What ends before it was ever ready is not
started again: that is a mistake in how it is set up, and whoever waits for it is told at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

_FIRST_SECONDS, _MOST_SECONDS = 1.0, 60.0
# What ran as long as this was well: the next death is not counted with those before.
_WELL_SECONDS = 300.0


@dataclass(frozen=True)
class Notes:
    """What a keeper says of its service.

    Attributes:
        pid: of the service, which leads a session of its own.
        created: when that process began, seconds since 1970; a number alone may be another's later.
        restarts: how often it was started again.
        ended_at: when it died last, ISO 8601, UTC.
        how: how it died last.
    """

    pid: int
    created: float
    restarts: int = 0
    ended_at: str = ""
    how: str = ""

    @property
    def is_alive(self) -> bool:
        """Whether the service's own process runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def read(file: Path) -> Notes | None:
    """Return what a keeper noted; None before it has started anything."""
    try:
        return Notes(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def end_leftovers(file: Path) -> None:
    """Kill a service whose keeper is dead, with all it started: two of a kind would do the work twice."""
    left = read(file)
    if left is not None and left.is_alive:
        _end_session(left.pid)


class Keeper:
    """One service and its restarts."""

    def __init__(self, notes: Path, ready: Path, command: list[str]) -> None:
        self._notes, self._ready, self._command = notes, ready, command
        self._service: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    def keep(self) -> int:
        """Run the service until told to stop; return the code that it ended with."""
        signal.signal(signal.SIGTERM, self._stop)
        end_leftovers(self._notes)
        restarts, ended_at, how, wait = 0, "", "", _FIRST_SECONDS
        while True:
            began = time.monotonic()
            self._service = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, start_new_session=True)
            pid = self._service.pid
            self._write(Notes(pid, psutil.Process(pid).create_time(), restarts, ended_at, how))
            if self._stopping.is_set():
                _signal(pid, signal.SIGTERM)
            code = self._service.wait()
            # Workers that outlive it would go on with work that its successor gives out anew.
            _end_session(pid)
            if self._stopping.is_set() or not self._ready.exists():
                return code
            lasted = time.monotonic() - began
            wait = _FIRST_SECONDS if lasted > _WELL_SECONDS else wait
            ended_at = datetime.now(UTC).isoformat(timespec="seconds")
            how = f"signal {-code}" if code < 0 else f"code {code}"
            print(f"ended with {how} after {lasted:.0f} s; started again in {wait:.0f} s", flush=True)
            if self._stopping.wait(wait):
                return code
            restarts += 1
            wait = min(2 * wait, _MOST_SECONDS)

    def _stop(self, *_: object) -> None:
        self._stopping.set()
        if self._service is not None:
            _signal(self._service.pid, signal.SIGTERM)

    def _write(self, notes: Notes) -> None:
        part = self._notes.with_suffix(".part")
        part.write_text(json.dumps(asdict(notes)))
        part.replace(self._notes)


def _end_session(leader: int) -> None:
    """Kill a service and all it started; Airflow's tasks lead groups of their own, but no sessions."""
    while members := [pid for pid in psutil.pids() if _session(pid) == leader]:
        for pid in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _session(pid: int) -> int | None:
    """Return the session of a process that still runs, None of one that has ended."""
    try:
        return os.getsid(pid) if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else None
    except (OSError, psutil.Error):
        return None


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(Keeper(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]).keep() & 0xFF)
