"""Where the events are kept: var/lineage/events-YYYY-MM-DD.ndjson, one line each, a file a day (UTC).

Many processes write at once: each appends whole lines under a lock of the file. What is told of the work
never stops the work: where an event cannot be written, that is logged and nothing else happens.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from caregrid.lineage.events import Event
from caregrid.paths import var

# Beyond this the oldest days go, however young they are.
LARGEST_BYTES = 256 * 2**20

log = logging.getLogger(__name__)


def folder() -> Path:
    """Return the directory of the events."""
    return var("lineage")


def write(events: Iterable[Event]) -> None:
    """Append events to the file of this day."""
    lines = "".join(json.dumps(event) + "\n" for event in events).encode()
    if not lines:
        return
    file = folder() / f"events-{datetime.now(UTC):%Y-%m-%d}.ndjson"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab+", buffering=0) as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            _append(stream.fileno(), lines)
    except OSError as error:
        log.warning("lineage was not written: %s", error)


def _append(number: int, lines: bytes) -> None:
    size = os.fstat(number).st_size
    if size and os.pread(number, 1, size - 1) != b"\n":
        # Whoever wrote it was killed, or the disk was full.
        lines = b"\n" + lines
    while lines:
        lines = lines[os.write(number, lines) :]


def files() -> list[Path]:
    """Return the files of events, the oldest first."""
    return sorted(folder().glob("events-*.ndjson"))


def read() -> Iterator[Event]:
    """Yield the events of all days in the order in which they were written; a broken line is left out."""
    for file in files():
        with file.open("rb") as stream:
            for line in stream:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict):
                    yield event


def sweep(keep_days: int) -> int:
    """Remove files older than `keep_days`, and the oldest while all exceed LARGEST_BYTES; return how many.

    The youngest file stays: it is being written.
    """
    limit = time.time() - keep_days * 86_400
    kept = files()
    removed = 0
    while len(kept) > 1:
        oldest = kept[0]
        total = sum(file.stat().st_size for file in kept)
        if oldest.stat().st_mtime >= limit and total <= LARGEST_BYTES:
            break
        oldest.unlink(missing_ok=True)
        kept.pop(0)
        removed += 1
    return removed
