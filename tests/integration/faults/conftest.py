"""Warehouses at the door of what is killed, what each must come to, and the table of what each kill found."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from caregrid import paths
from caregrid.database import connect, roles
from caregrid.simulate import simulate

from tests.integration.faults import contents, work
from tests.integration.faults.work import Moment

# Published after the first build.
LATER = ("*2025-11-15.*", "*2025-11-16.*", "*_late.*")
# A fixed now: everything that asks for the time gets the same in the disturbed run and the other.
AS_OF = "2025-11-17T00:15:00+00:00"
TABLE: list[dict[str, Any]] = []


@dataclass
class Stage:
    """A database and a var directory as they are before a part begins."""

    database: str
    var: Path


@dataclass
class World:
    """Makes copies of the stages, and knows how each part ends undisturbed."""

    root: Path
    template: dict[str, str]
    stages: dict[str, Stage] = field(default_factory=dict)
    ends: dict[str, contents.Contents] = field(default_factory=dict)
    landed: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)

    @contextmanager
    def copy(self, part: str, keep_as: str | None = None) -> Iterator[Stage]:
        """A copy of the stage before `part`; the environment points at it."""
        stage = self.stages[part]
        name = keep_as or f"fault_{os.getpid()}_{time.monotonic_ns()}"
        var = self.root / name.replace(" ", "_")
        shutil.copytree(stage.var, var, symlinks=True)
        with psycopg.connect(self.template["admin"], autocommit=True) as admin:
            roles.clone(admin, stage.database, name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CAREGRID_VAR", str(var))
            patch.setenv("CAREGRID_AS_OF", AS_OF)
            for role in connect.ROLES:
                dsn = f"{self.template[role].rsplit('/', 1)[0]}/{name}"
                patch.setenv(f"CAREGRID_DSN_{role.upper()}", dsn)
            yield Stage(name, var)
        if not keep_as:
            self.drop(Stage(name, var))

    def drop(self, stage: Stage) -> None:
        with psycopg.connect(self.template["admin"], autocommit=True) as admin:
            admin.execute(f'drop database "{stage.database}" with (force)')
        shutil.rmtree(stage.var, ignore_errors=True)

    def run(self, part: str, moment: Moment) -> tuple[int, dict[str, Any]]:
        """Run a part in a process of its own; return its exit code and what it reported."""
        report = paths.var("report.json")
        report.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.integration.faults.work", part, json.dumps(asdict(moment))]
        done = subprocess.run(
            [*command, str(report)], cwd=paths.ROOT, check=False, start_new_session=True, env=dict(os.environ)
        )
        return done.returncode, json.loads(report.read_text()) if report.exists() else {}

    def undisturbed(self, part: str) -> dict[str, Any]:
        code, report = self.run(part, Moment())
        assert code == 0
        self.ends[part] = read()
        self.sizes[part] = {name: report[name] for name in ("calls", "statements", "nodes")}
        return report


def read() -> contents.Contents:
    with connect.connect("owner") as connection:
        # The owner of the database is no member of the role that owns core and marts; the superuser may look.
        name = connection.info.dbname
    with psycopg.connect(f"{os.environ['CAREGRID_TEST_ADMIN'].rsplit('/', 1)[0]}/{name}") as admin:
        return contents.read(admin)


@pytest.fixture(scope="session")
def world(database_server: dict[str, str], test_var: Path) -> Iterator[World]:
    """Every stage, made by the product itself, and how each part ends when nothing disturbs it."""
    root = test_var / "faults"
    made = World(root, database_server)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAREGRID_TEST_ADMIN", database_server["admin"])
        patch.setenv("PYTHONPATH", os.pathsep.join([str(paths.ROOT), str(paths.ROOT / "plugins")]))
        all_files = root / "all"
        simulate(all_files / "simulated", seed=3, facilities=4, days=14, start=date(2025, 11, 3))
        made.stages["load"] = Stage("warehouse", all_files)
        with made.copy("load"):
            made.undisturbed("load")
            made.landed = contents.landed(paths.var())
        first_files = root / "first"
        shutil.copytree(all_files, first_files)
        for pattern in LATER:
            for path in first_files.rglob(pattern):
                path.unlink()
        made.stages["first load"] = Stage("warehouse", first_files)
        with made.copy("first load", keep_as="fault_loaded") as loaded:
            work.load()
        made.stages["first build"] = loaded
        with made.copy("first build", keep_as="fault_built") as built:
            made.undisturbed("first build")
            shutil.copytree(all_files / "simulated", built.var / "simulated", dirs_exist_ok=True)
            work.load()
        made.stages["increment"] = built
        with made.copy("increment"):
            made.undisturbed("increment")
        yield made
        for stage in (loaded, built):
            made.drop(stage)


def moment_of(seed: int, world: World) -> tuple[str, Moment]:
    """Return the part that a seed kills, and when: the same seed gives the same moment."""
    drawn = random.Random(seed)
    part = ("load", "first build", "load", "increment")[seed % 4]
    whom = drawn.choice(["process", "group"])
    size = world.sizes[part]
    kind, wait = drawn.random(), round(drawn.random() / 5, 2)
    # dbt is most of a build's time and few of its own calls; loops over columns are most of a load's calls.
    if part != "load" and kind < 0.7:
        return part, Moment(node=drawn.randint(0, size["nodes"]), wait=wait, whom=whom)
    if kind < 0.85:
        return part, Moment(statement=drawn.randint(1, size["statements"]), whom=whom)
    return part, Moment(call=drawn.randint(1, size["calls"]), whom=whom)


@pytest.fixture
def table() -> list[dict[str, Any]]:
    return TABLE


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what each seeded kill met, and keep it in var/faults.json."""
    if not TABLE:
        return
    rows = sorted(TABLE, key=lambda row: row["seed"])
    terminalreporter.section("seeded kills")
    heading = f"{'seed':>4} {'killed':<12} {'whom':<8} {'where':<70}"
    terminalreporter.write_line(f"{heading} left behind → after the retry")
    for row in rows:
        line = f"{row['seed']:>4} {row['part']:<12} {row['whom']:<8} {row['place'][:70]:<70}"
        terminalreporter.write_line(f"{line} {row['left']} → {row['ended']}")
    paths.ROOT.joinpath("var", "faults.json").write_text(json.dumps(rows, indent=1) + "\n")
