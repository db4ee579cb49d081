"""Named points at which a test may kill the process; inert unless CAREGRID_FAULT names one."""

from __future__ import annotations

import os
import signal
import time

# Every point that may be named; a test goes through them all.
POINTS = (
    "landing:before_rename",
    "landing:before_manifest",
    "bucket:mid_upload",
    "bucket:sent",
    "stage:opened",
    "stage:mapped",
    "stage:registered",
    "stage:mid_copy",
    "stage:copied",
    "stage:before_commit",
    "stage:after_commit",
    "accept:before_commit",
    "alerts:events_written",
    "alerts:sent",
)
_PARENT = os.getppid()


def point(name: str) -> None:
    """Kill this process where CAREGRID_FAULT is `name`, its parent where it is `parent@name`."""
    fault = os.environ.get("CAREGRID_FAULT")
    if not fault:
        return
    if fault == name:
        os.kill(os.getpid(), signal.SIGKILL)
    # Once only, and by the number it began with: the orphan, whose parent is another, may pass here again.
    if fault == f"parent@{name}" and os.getppid() == _PARENT != 1:
        parent = _PARENT
        os.kill(parent, signal.SIGKILL)
        # The orphan lives on for a while, as a task does whose supervisor died.
        deadline = time.monotonic() + 10
        while os.getppid() == parent and time.monotonic() < deadline:
            time.sleep(0.01)
