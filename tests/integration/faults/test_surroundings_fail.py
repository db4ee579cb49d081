"""What a load stands on fails in its middle: PostgreSQL goes, the disk fills, a second worker comes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from caregrid import paths
from caregrid.simulate import simulate

from tests.integration.faults import contents
from tests.integration.faults.conftest import AS_OF
from tests.integration.faults.installation import Installation
from tests.integration.faults.work import FEEDS, Moment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

WORK = ("-m", "tests.integration.faults.work", "load")


def load(place: Installation, moment: Moment | None = None, code: int = 0) -> str:
    report = place.var / "report.json"
    return place.run(*WORK, json.dumps(asdict(moment or Moment())), str(report), code=code)


def noted(table: Any, fails: str, place: Installation, where: str, end: contents.Contents) -> None:
    """Load once more, note in the table what came of it, and expect the undisturbed end, row for row."""
    with place.connect() as connection:
        left = f"{len(contents.loads(connection))} loads"
    row = {"seed": None, "part": "load", "phase": "", "whom": fails, "place": where, "left": left}
    table.append(row | {"ended": "no retry"})
    load(place)
    found = contents.differences(place.contents(), end)
    table[-1]["ended"] = f"{len(found)} tables differ" if found else "equal"
    assert found == []


def made(var: Path) -> Installation:
    place = Installation(var, {"CAREGRID_AS_OF": AS_OF})
    # The same files for all, their times included.
    published = paths.var("published-once")
    if not published.exists():
        simulate(published, seed=3, facilities=4, days=14, start=date(2025, 11, 3))
    shutil.copytree(published, var / "simulated")
    place.caregrid("database", "start")
    return place


@pytest.fixture(scope="module")
def end(test_var: Path) -> Iterator[tuple[contents.Contents, dict[str, Any]]]:
    """What a load comes to when nothing fails, and how many statements it takes."""
    place = made(test_var / "undisturbed")
    load(place)
    yield place.contents(), json.loads((place.var / "report.json").read_text())
    place.delete()


@pytest.fixture
def place(test_var: Path) -> Iterator[Installation]:
    place = made(test_var / "disturbed")
    yield place
    place.delete()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_postgresql_restarted_in_the_middle_of_a_load(
    end: tuple[contents.Contents, dict[str, Any]], place: Installation, table: Any, how: str
) -> None:
    expected, sizes = end
    load(place, Moment(statement=sizes["counts"][""][1] // 2, whom=f"database {how}"), code=1)
    place.caregrid("database", "start")
    assert contents.differences(place.contents(), expected) != [], "it broke off after the end"
    where = json.loads((place.var / "report.json").read_text())["place"]
    fails = {"stop": "PostgreSQL, at once", "kill": "PostgreSQL, killed"}[how]
    noted(table, fails, place, where, expected)


def test_two_workers_on_the_same_feeds_at_once(
    end: tuple[contents.Contents, dict[str, Any]], place: Installation, table: Any
) -> None:
    workers = [
        place.start(*WORK, json.dumps(asdict(Moment())), str(place.var / f"report-{number}.json"))
        for number in range(2)
    ]
    told = [worker.communicate()[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], told
    assert contents.differences(place.contents(), end[0]) == []
    noted(table, "nothing: two workers", place, "the same feeds at once", end[0])


@pytest.fixture
def small_disk(test_var: Path) -> Iterator[Path]:
    """A file system of memory that can be made to be full; needs the right to mount."""
    disk = test_var / "small"
    disk.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1g,mode=755", "tmpfs", str(disk)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def resize(disk: Path, free_bytes: int) -> None:
    size = shutil.disk_usage(disk).used + free_bytes
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


# Too little for a landed file; enough for those, and too little for the tables.
@pytest.mark.parametrize("free_bytes", [8_192, 400_000])
def test_the_disk_is_full(
    end: tuple[contents.Contents, dict[str, Any]], small_disk: Path, table: Any, free_bytes: int
) -> None:
    place = made(small_disk / "var")
    try:
        resize(small_disk, free_bytes)
        told = ""
        for feed in FEEDS:
            worker = place.start("-m", "caregrid.cli", "feeds", "ingest", feed)
            told += worker.communicate()[0]
        assert "No space left on device" in told, told
        assert "Traceback" not in told
        resize(small_disk, 2**30)
        place.caregrid("database", "start")
        noted(table, "the disk, full", place, f"{free_bytes:,} bytes left when it began", end[0])
        assert not [path for path in place.var.glob("landing/incoming/*") if path.is_file()]
    finally:
        resize(small_disk, 2**30)
        place.caregrid("database", "stop")
