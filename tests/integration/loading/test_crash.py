"""kill -9 of a task or its supervisor at every named point: nothing half-loaded, the retry completes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import Any

import pytest
from caregrid import faults, loading, paths

pytestmark = pytest.mark.integration

# Enough rows for several chunks, so that the middle of a COPY is a middle.
RECORDS = [
    f"S{number % 250},Site {number % 250},2025-02-{1 + number // 250:02d},{number},{number}"
    for number in range(7000)
]
TASK = "import sys; from caregrid import loading; loading.accept(loading.ingest(sys.argv[1])['load_ids'])"
SUPERVISOR = (
    "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', *sys.argv[1:]]).returncode)"
)
NOTHING_LOADED = ("raw.load", "raw.fate", "rejected.record", "canonical.place", "canonical.series",
                  "canonical.usage", "canonical.facility", "canonical.latest")  # fmt: skip


@pytest.fixture
def expected(publisher: Any) -> dict[str, int]:
    """The row counts of a run that nobody disturbs; the warehouse is empty again afterwards."""
    publisher.publish("2025-03-02", RECORDS)
    publisher.load()
    counts: dict[str, int] = publisher.counts()
    with publisher.warehouse.connect("owner") as connection:
        connection.execute("truncate landing.file, canonical.place restart identity cascade")
        connection.execute("truncate canonical.usage")
    shutil.rmtree(paths.var("landing"))
    assert counts["canonical.usage"] == 14_000
    return counts


def run(publisher: Any, fault: str, *command: str) -> int:
    return subprocess.run(
        [sys.executable, "-c", *command, str(publisher.feed)],
        env={**os.environ, "CAREGRID_FAULT": fault},
        check=False,
    ).returncode


def accept_all(publisher: Any) -> None:
    staged = publisher.query("select load_id from raw.load where status = 'staged'")
    loading.accept([load_id for (load_id,) in staged])


@pytest.mark.parametrize(
    "point", [point for point in faults.POINTS if not point.startswith(("alerts:", "bucket:"))]
)
def test_a_killed_task_leaves_nothing_half_loaded(
    publisher: Any, expected: dict[str, int], point: str
) -> None:
    assert run(publisher, point, TASK) == -9
    left = publisher.counts()
    if point not in ("stage:after_commit", "accept:before_commit"):
        assert {table: left[table] for table in NOTHING_LOADED} == dict.fromkeys(NOTHING_LOADED, 0)
    assert left["canonical.latest"] == 0
    publisher.ingest()
    accept_all(publisher)
    assert publisher.counts() == expected


@pytest.mark.parametrize("point", ["stage:mapped", "stage:mid_copy", "stage:before_commit"])
def test_a_killed_supervisor_and_a_retry_beside_the_orphan(
    publisher: Any, expected: dict[str, int], point: str
) -> None:
    assert run(publisher, f"parent@{point}", SUPERVISOR, TASK) == -9
    # The orphan may still be at work; the retry waits for it or finds its load.
    publisher.ingest()
    accept_all(publisher)
    deadline = time.monotonic() + 30
    while publisher.query("select from pg_stat_activity where application_name = 'caregrid loader' "
                          "and datname = current_database()"):  # fmt: skip
        assert time.monotonic() < deadline, "the orphan does not end"
        time.sleep(0.05)
    assert publisher.counts() == expected
