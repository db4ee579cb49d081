"""What is killed: a load, or a build of the warehouse, in a process of its own that ends at a given moment.

Run as `python -m tests.integration.faults.work PART MOMENT REPORT`: MOMENT is JSON (see Moment), REPORT the
file that says how far it came.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from caregrid import paths

FEEDS = ("sim_registry", "sim_beds", "sim_emergency")
_OWN = f"{paths.ROOT / 'plugins' / 'caregrid'}/"
# Where a statement goes to the server: a kill may come before each.
_STATEMENTS = {"execute", "executemany", "commit", "rollback", "copy", "write", "close"}
_STARTED = re.compile(r" of \d+ START ")
# What a moment belongs to: said by the innermost function that stands here, for others serve many.
_PHASES = (
    ("landing/", "landing"),
    ("mapping/", "mapping"),
    ("loading/copying.py", "copying"),
    ("loading/", "staging"),
    ("gates/", "gate"),
    ("warehouse/matching.py", "identity"),
    ("warehouse/pairs.py", "identity"),
    ("warehouse/registry.py", "identity"),
    ("warehouse/publish.py", "publishing"),
    ("warehouse/", "ledger"),
)


@dataclass(frozen=True)
class Moment:
    """When the process kills itself.

    Attributes:
        phase: the kind of work that is counted, see _PHASES and `committing`; '' counts all of it.
        call: at which call of a function of ours; 0 is never.
        statement: at which statement to the database; 0 is never.
        node: at the start of which node of dbt; None is never.
        wait: seconds after the start of that node.
        whom: `process`, and what it started lives on, or the whole `group`, as when a machine dies; or the
            database (`database stop`, `database kill`), and the process goes on.
    """

    phase: str = ""
    call: int = 0
    statement: int = 0
    node: int | None = None
    wait: float = 0.0
    whom: str = "process"


class Watch:
    """Counts calls and dbt's nodes, and strikes at the moment."""

    def __init__(self, moment: Moment, report: Path) -> None:
        self.moment, self.report = moment, report
        self.nodes = 0
        # By phase: [calls, statements].
        self.counts: dict[str, list[int]] = {}
        self._known: dict[CodeType, tuple[str, bool]] = {}
        self._log = paths.var("logs", "dbt", "dbt.log")
        self._read = self._log.stat().st_size if self._log.exists() else 0

    def profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        known = self._known.get(code)
        if known is None:
            known = self._known[code] = (_own(code), _is_statement(code))
        own, statement = known
        if not (own or statement):
            return
        phase = "committing" if code.co_name == "commit" and statement else _phase(frame)
        for name in ("", phase):
            count = self.counts.setdefault(name, [0, 0])
            count[statement] += 1
            wanted = self.moment.statement if statement else self.moment.call
            if name == self.moment.phase and count[statement] == wanted:
                self.strike(_place(frame))

    def follow(self) -> None:
        """Read dbt's log as it grows."""
        if self._log.exists():
            with self._log.open("rb") as stream:
                stream.seek(self._read)
                for line in stream:
                    if not line.endswith(b"\n"):
                        break
                    self._read += len(line)
                    self._line(line.decode(errors="replace"))

    def _line(self, line: str) -> None:
        # Fewer than dbt's own count, which holds what it never starts, such as exposures.
        self.nodes += bool(_STARTED.search(line))
        if self.moment.node is not None and self.nodes >= self.moment.node:
            time.sleep(self.moment.wait)
            what = re.search(r"START (.+?) \.\.", line)
            self.strike(f"dbt +{self.moment.wait:.2f} s: {what[1] if what else 'before its first node'}")

    def strike(self, place: str) -> None:
        self.note(place)
        if self.moment.whom.startswith("database"):
            postmaster = int(paths.var("postgres", "data", "postmaster.pid").read_text().split()[0])
            os.kill(postmaster, signal.SIGKILL if self.moment.whom.endswith("kill") else signal.SIGINT)
            return
        if self.moment.whom == "group":
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def note(self, place: str) -> None:
        seen = {"counts": self.counts, "nodes": self.nodes}
        self.report.write_text(json.dumps({"place": place, **seen, **asdict(self.moment)}))


def _own(code: CodeType) -> str:
    """Return the file of ours that a function stands in, '' for any other."""
    return code.co_filename.removeprefix(_OWN) if code.co_filename.startswith(_OWN) else ""


def _is_statement(code: CodeType) -> bool:
    return "/psycopg/" in code.co_filename and code.co_name in _STATEMENTS


def _phase(frame: FrameType | None) -> str:
    while frame is not None:
        own = _own(frame.f_code)
        for start, phase in _PHASES:
            if own.startswith(start):
                return phase
        frame = frame.f_back
    return "beginning"


def _place(frame: FrameType | None) -> str:
    name = frame.f_code.co_name if frame else ""
    while frame is not None and not frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
    if frame is None:
        return name
    where = f"{frame.f_code.co_filename.removeprefix(_OWN)}:{frame.f_lineno} {frame.f_code.co_name}"
    return where if name == frame.f_code.co_name else f"{where} > {name}"


def load() -> None:
    """Land and stage each feed, then let the gate decide on what is staged."""
    from caregrid import gates, loading

    for feed in FEEDS:
        loading.ingest(feed)
    undecided = gates.gate_staged().undecided
    if undecided:
        raise RuntimeError(f"verdicts that could not be carried out: {undecided}")


def build() -> None:
    """Build and publish; a build that is refused is an error."""
    from caregrid import warehouse

    result = warehouse.build()
    if result.status == "failed":
        raise RuntimeError(result.reason)


PARTS: dict[str, Callable[[], None]] = {"load": load, "first build": build, "increment": build}


def main(part: str, moment: str, report: str) -> None:
    # Imported before the watch begins: importing is no work.
    import great_expectations  # noqa: F401
    from caregrid import gates, loading, warehouse  # noqa: F401

    watch = Watch(Moment(**json.loads(moment)), Path(report))
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(0.01):
            watch.follow()

    follower = threading.Thread(target=follow, daemon=True)
    if part != "load":
        follower.start()
    sys.setprofile(watch.profile)
    PARTS[part]()
    sys.setprofile(None)
    ended.set()
    watch.note("the end")


if __name__ == "__main__":
    main(*sys.argv[1:])
