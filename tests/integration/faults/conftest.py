"""Warehouses at the door of what is killed, what each must come to, and the table of what each kill found."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
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
# Which phases take turns (work.py tells them apart); dbt is most of a build's time.
_BUILD = ("dbt", "publishing", "dbt", "gate", "dbt", "identity", "dbt", "ledger")
TURNS = {
    "load": ("copying", "landing", "staging", "committing", "mapping", "gate"),
    "first build": _BUILD,
    "increment": _BUILD,
}
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
    sizes: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: dict[str, contents.Contents] = field(default_factory=dict)
    loads: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def copy(self, part: str, keep_as: str | None = None) -> Iterator[Stage]:
        """A copy of the stage before `part`; the environment points at it.

        All bear one name, one after the other: what dbt parsed serves it only for the same database.
        """
        stage, here = self.stages[part], Stage("fault", self.root / "fault")
        shutil.copytree(stage.var, here.var, symlinks=True)
        with psycopg.connect(self.template["admin"], autocommit=True) as server:
            roles.clone(server, stage.database, here.database)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CAREGRID_VAR", str(here.var))
            patch.setenv("CAREGRID_AS_OF", AS_OF)
            for role in connect.ROLES:
                dsn = f"{self.template[role].rsplit('/', 1)[0]}/{here.database}"
                patch.setenv(f"CAREGRID_DSN_{role.upper()}", dsn)
            try:
                yield here
            finally:
                if not keep_as:
                    self.drop(here)
        if not keep_as:
            return
        here.var.rename(self.root / keep_as)
        with psycopg.connect(self.template["admin"], autocommit=True) as server:
            server.execute(f'alter database "{here.database}" rename to "{keep_as}"')
        here.database, here.var = keep_as, self.root / keep_as

    def drop(self, stage: Stage) -> None:
        with psycopg.connect(self.template["admin"], autocommit=True) as server:
            server.execute(f'drop database "{stage.database}" with (force)')
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

    def undisturbed(self, part: str) -> None:
        self.before[part] = read()
        code, report = self.run(part, Moment())
        assert code == 0
        self.ends[part] = read()
        self.sizes[part] = report
        if part == "load":
            self.loads = loads()

    def left(self, part: str) -> str:
        """Say what a kill left, which must be nothing half: whole loads, and tables all old or all new."""
        if part == "load":
            there = loads()
            assert there.items() <= self.loads.items(), "a load is there in part"
            return f"{len(there)} of {len(self.loads)} loads, each whole"
        old, new = (
            {name: rows for name, rows in stage.items() if name.startswith(("core.", "marts."))}
            for stage in (self.before[part], self.ends[part])
        )
        assert old != new
        found = read(("core", "marts"))
        assert found in (old, new), "some served tables are old and others new"
        return "the new is served" if found == new else "the old is served" if old else "nothing is served"


def admin() -> psycopg.Connection[Any]:
    """Open the database at hand as the superuser: the owner may not read core and marts."""
    with connect.connect("owner") as connection:
        name = connection.info.dbname
    return psycopg.connect(f"{os.environ['CAREGRID_TEST_ADMIN'].rsplit('/', 1)[0]}/{name}")


def read(schemas: Sequence[str] = contents.SCHEMAS) -> contents.Contents:
    with admin() as connection:
        return contents.read(connection, schemas)


def loads() -> dict[str, int]:
    """Return {file and mapping of a load: its canonical rows}."""
    with admin() as connection:
        return contents.loads(connection)


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
        # Each first build would otherwise parse nearly as long as it builds.
        parsed = Path("dbt", "target", "partial_parse.msgpack")
        (loaded.var / parsed).parent.mkdir(parents=True)
        shutil.copy(built.var / parsed, loaded.var / parsed)
        made.stages["increment"] = built
        with made.copy("increment"):
            made.undisturbed("increment")
        yield made
        for stage in (loaded, built):
            made.drop(stage)


def part_of(seed: int) -> str:
    """Return the part that a seed kills: half of them a load, a quarter each of the builds."""
    return ("load", "first build", "load", "increment")[seed % 4]


def moment_of(seed: int, world: World) -> Moment:
    """Return when a seed kills: the same seed gives the same moment.

    The phases of a part take turns, so that one of many small steps has no more kills than one of few long
    ones; where in its phase, the seed draws.
    """
    drawn, part = random.Random(seed), part_of(seed)
    turn = seed // 2 if part == "load" else seed // 4 + (part == "increment")
    phase = TURNS[part][turn % len(TURNS[part])]
    whom = drawn.choice(["process", "group"])
    if phase == "dbt":
        node, wait = drawn.randint(0, world.sizes[part]["nodes"]), round(drawn.random() / 5, 2)
        return Moment(phase=phase, node=node, wait=wait, whom=whom)
    calls, statements = world.sizes[part]["counts"][phase]
    if statements and (not calls or drawn.random() < 0.7):
        return Moment(phase=phase, statement=drawn.randint(1, statements), whom=whom)
    return Moment(phase=phase, call=drawn.randint(1, calls), whom=whom)


@pytest.fixture
def table() -> list[dict[str, Any]]:
    return TABLE


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what each seeded kill met, and keep it in var/faults.json."""
    if not TABLE:
        return
    rows = sorted(TABLE, key=lambda row: (row["seed"] is None, row["seed"] or 0))
    terminalreporter.section("faults")
    heading = f"{'seed':>4} {'part':<12} {'phase':<12} {'what fails':<20} {'where':<62}"
    terminalreporter.write_line(f"{heading} left behind → after the retry")
    for row in rows:
        seed = "" if row["seed"] is None else row["seed"]
        line = f"{seed:>4} {row['part']:<12} {row['phase']:<12} {row['whom']:<20} {row['place'][:62]:<62}"
        terminalreporter.write_line(f"{line} {row['left']} → {row['ended']}")
    paths.ROOT.joinpath("var", "faults.json").write_text(json.dumps(rows, indent=1) + "\n")
