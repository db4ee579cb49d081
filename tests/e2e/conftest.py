"""One run of the main job through a real scheduler, on a small simulated network, for all tests here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from caregrid import paths
from caregrid.paths import ROOT
from caregrid.simulate import simulate

SIMULATED = ("sim_registry", "sim_quality", "sim_beds", "sim_clinics", "sim_emergency")
# Real files besides, where the mirror is there: months, days with five impossible values, weeks.
REAL = ("uk_nhsr_datasets", "it_dpc_regional", "us_nssp_flu_visits")

NOT_OURS = {"__pycache__"}


@dataclass
class Job:
    """The installation on which the job ran: its checkout and var, what was printed, how to look inside."""

    root: Path
    var: Path
    log: Path
    base: Path
    environment: dict[str, str] = field(repr=False)
    before: set[str] = field(repr=False)
    unroutable: int
    outputs: list[subprocess.CompletedProcess[str]] = field(default_factory=list)

    @property
    def has_mirror(self) -> bool:
        """Return whether the real files are there."""
        return all((self.base / file).is_dir() for file in ("uk_nhsr_datasets", "it_dpc_regional"))

    def caregrid(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of CareGrid in this installation."""
        return subprocess.run(
            [sys.executable, "-m", "caregrid.cli", *arguments],
            env=self.environment, cwd=self.root, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def attempts_outside(self) -> int | None:
        """Return how often a program tried to leave loopback since the start; None where nobody counts."""
        return unroutable() - self.unroutable if is_isolated() else None

    def outside(self) -> set[str]:
        """Return what lies outside var/ now, to compare with `before`."""
        return outside(self.root)

    def demo(self) -> subprocess.CompletedProcess[str]:
        """Run the demo with its small choice of feeds."""
        feeds = SIMULATED + (REAL if self.has_mirror else ())
        done = self.caregrid("demo", "--feeds", ",".join(feeds))
        self.outputs.append(done)
        return done

    def query(self, sql: str, role: str = "admin", database: str = "warehouse") -> list[tuple[Any, ...]]:
        """Return the rows of a query, by default on the warehouse and as one who may read everything."""
        with psycopg.connect(self.dsn(role, database)) as connection:
            return connection.execute(sql.encode()).fetchall()

    def dsn(self, role: str, database: str = "warehouse") -> str:
        """Return how a role connects."""
        dsns = json.loads((self.var / "secrets" / "database.json").read_text())
        return f"{dsns[role].rsplit('/', 1)[0]}/{database}"

    def wait_until(self, sql: str, seconds: float = 300, database: str = "warehouse") -> None:
        """Wait until a query of one boolean answers yes."""
        deadline = time.monotonic() + seconds
        while not self.query(sql, database=database)[0][0]:
            assert time.monotonic() < deadline, f"not within {seconds} s: {sql}"
            time.sleep(1)

    def row_counts(self) -> dict[str, int]:
        """Return {schema.table: rows} of everything that data flow through."""
        tables = self.query(
            "select schemaname, tablename from pg_tables where schemaname in "
            "('raw', 'canonical', 'rejected', 'core', 'marts', 'model_output', 'action') "
            "or schemaname || '.' || tablename in ('landing.file', 'ledger.build', 'ledger.gate_result') "
            "order by 1, 2"
        )
        return {
            f"{schema}.{table}": self.query(f'select count(*) from "{schema}"."{table}"')[0][0]
            for schema, table in tables
        }


def checked_out(root: Path) -> None:
    """Lay out what the product is made of, so that no test beside these sees the feeds they add."""
    for folder in ("dags", "dbt", "docs", "expectations", "ml", "plugins"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns(*NOT_OURS, "target"))
    for file in ("README.md", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / file, root)


def outside(root: Path) -> set[str]:
    """Return what lies in the checkout, and at the top of the user's home."""
    found = {str(path) for path in root.rglob("*") if not NOT_OURS & set(path.parts)}
    home = Path(os.environ.get("HOME", "/nonexistent"))
    return found | {str(path) for path in (*home.glob(".*"), *(home / ".cache").glob("*"))}


def is_isolated() -> bool:
    """Return whether this process sees no network but loopback."""
    devices = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    return {line.split(":")[0].strip() for line in devices} == {"lo"}


def unroutable() -> int:
    """Return how often the kernel was asked to reach an address that loopback does not lead to."""
    names, values = (
        line.split()
        for line in Path("/proc/self/net/snmp").read_text().splitlines()
        if line.startswith("Ip:")
    )
    sixes = [line.split() for line in Path("/proc/self/net/snmp6").read_text().splitlines()]
    return int(values[names.index("OutNoRoutes")]) + sum(
        int(value) for name, value in sixes if name == "Ip6OutNoRoutes"
    )


# Of the package, not the session: a scheduler that runs on slows every test that comes after.
@pytest.fixture(scope="package")
def job(test_var: Path) -> Iterator[Job]:
    """The demo, run once on five simulated facilities and, where there is a mirror, three real feeds."""
    root, var = test_var / "checkout", test_var / "e2e"
    checked_out(root)
    base = paths.feeds_base()
    simulate(var / "simulated", seed=7, facilities=5, days=35)
    log = test_var / "outside.log"
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CAREGRID_", "AIRFLOW"))
    }
    places = (Path(__file__).parent / "loopback", root / "plugins", root, kept.get("PYTHONPATH"))
    environment = kept | {
        "CAREGRID_VAR": str(var),
        "CAREGRID_FEEDS_BASE": str(base),
        "PYTHONPATH": os.pathsep.join(str(place) for place in places if place),
        "LOOPBACK_LOG": str(log),
    }
    running = Job(root, var, log, base, environment, outside(root), unroutable())
    try:
        running.demo()
        yield running
    finally:
        running.caregrid("reset", "--yes")
