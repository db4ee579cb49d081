"""Runs dbt once, as a process of its own, with its environment complete and everything it writes under
var/.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from caregrid.database.connect import parameters
from caregrid.errors import CareGridError
from caregrid.paths import ROOT, var
from caregrid.quiet import quiet

PROJECT = ROOT / "dbt"
# The name that the sessions of a build bear in pg_stat_activity.
BUILDING = "caregrid dbt build"


@dataclass(frozen=True)
class Node:
    """What became of one model, seed, test or hook; when it began and ended, ISO 8601, None if it did not."""

    unique_id: str
    resource_type: str
    status: str
    seconds: float
    failures: int | None
    message: str | None
    started_at: str | None = None
    finished_at: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What one invocation of dbt did. `log` is the end of what it printed."""

    succeeded: bool
    nodes: list[Node]
    manifest: dict[str, Any]
    log: str

    def count(self, resource_type: str, *statuses: str) -> int:
        """Return how many nodes of a type ended in one of the statuses."""
        return sum(node.resource_type == resource_type and node.status in statuses for node in self.nodes)

    def problems(self) -> list[str]:
        """Return what failed, one line each; skipped nodes are consequences and are not told."""
        return [
            f"{node.unique_id}: {(node.message or node.status).strip().splitlines()[0]}"
            for node in self.nodes
            if node.status in ("error", "fail", "runtime error")
        ]


def default_target() -> Path:
    """Return the directory of compiled files and results of builds; it keeps the parsed project."""
    return var("dbt", "target")


def models_sha256() -> str:
    """Return the sha256 over all models and macros: tables built by others are rebuilt whole."""
    digest = hashlib.sha256()
    for file in sorted([*PROJECT.glob("models/**/*.sql"), *PROJECT.glob("macros/**/*.sql")]):
        digest.update(file.relative_to(PROJECT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def environment() -> dict[str, str]:
    """Return the environment of dbt's process; it holds the password: never print it."""
    found = parameters("dbt")
    settings = {
        "CAREGRID_DBT_HOST": found.get("host", "127.0.0.1"),
        "CAREGRID_DBT_PORT": found.get("port", "5432"),
        "CAREGRID_DBT_USER": found.get("username", "caregrid_dbt"),
        "CAREGRID_DBT_DATABASE": found.get("dbname", "warehouse"),
        "CAREGRID_DBT_SSLMODE": found.get("sslmode", "prefer"),
        # dbt hides the values of variables so named from its logs.
        "DBT_ENV_SECRET_CAREGRID_PASSWORD": found.get("password", ""),
    }
    return dict(os.environ) | quiet() | settings


def run(arguments: Sequence[str], *, target: Path | None = None) -> Outcome:
    """Run `dbt ARGUMENTS` and read what it left.

    Args:
        arguments: the command and its options, without project and profile.
        target: directory of compiled files and results; default var/dbt/target, which keeps the parsed
        project.

    Raises:
        CareGridError: dbt ended without results: it could not parse, or not connect.
    """
    directory = (target or default_target()).resolve()
    results, succeeded, log = _invoke(arguments, directory, "run_results.json")
    manifest = json.loads((directory / "manifest.json").read_text())
    return Outcome(succeeded, [_node(result) for result in results], manifest, log)


@dataclass(frozen=True)
class SourceAge:
    """How long ago a table that dbt reads was last written to.

    Attributes:
        table: schema.table.
        status: pass | warn | error, by what is declared of the source; failed: it could not be queried.
        written_at: the newest entry, None of an empty table.
    """

    table: str
    status: str
    written_at: datetime | None = None


def source_freshness() -> list[SourceAge]:
    """Run `dbt source freshness` over every source and return one entry per table, by name.

    It goes by the database's clock and not by as_of: when a row was written is a fact of our own machinery.
    How old the data are, as of a moment, is said by marts.data_health_freshness.

    Raises:
        CareGridError: dbt could not parse, or not connect.
    """
    # Of its own, for a build may be writing to the other one.
    directory = var("dbt", "freshness").resolve()
    results, _, _ = _invoke(["source", "freshness"], directory, "sources.json")
    found = {result["unique_id"]: result for result in results}
    declared = json.loads((directory / "manifest.json").read_text())["sources"]
    return sorted((_source_age(name, found.get(name)) for name in declared), key=lambda age: age.table)


def _source_age(unique_id: str, result: dict[str, Any] | None) -> SourceAge:
    table = ".".join(unique_id.split(".")[-2:])
    if result is None:
        # dbt leaves out what it could not query, and says so in its log alone.
        return SourceAge(table, "failed")
    written_at = datetime.fromisoformat(result["max_loaded_at"])
    # The year 1 stands for a table that is empty.
    return SourceAge(table, result["status"], written_at if written_at.year > 1 else None)


def _invoke(arguments: Sequence[str], directory: Path, file: str) -> tuple[list[dict[str, Any]], bool, str]:
    """Run dbt once; return the results in the file it leaves, whether it succeeded, the end of its log."""
    directory.mkdir(parents=True, exist_ok=True)
    results_file = directory / file
    results_file.unlink(missing_ok=True)
    # No --vars: dbt parses everything anew when they differ from the last run's. What changes from build to
    # build, such as as_of, stands in the ledger.
    command = [
        *(sys.executable, "-m", "caregrid.warehouse.dbt_process"),
        *arguments,
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
    ]
    settings = {
        "DBT_TARGET_PATH": str(directory),
        "CAREGRID_DBT_APPLICATION": BUILDING if arguments[0] == "build" else f"caregrid dbt {arguments[0]}",
    }
    # Held open until dbt has ended, and never written to: see dbt_process.
    read_end, held = os.pipe()
    try:
        done = subprocess.run(
            command,
            env=environment() | settings,
            cwd=var().resolve(),
            stdin=read_end,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(read_end)
        os.close(held)
    log = (done.stdout + done.stderr)[-4000:]
    if done.returncode and not results_file.exists():
        raise CareGridError(
            f"dbt ended with code {done.returncode} before it ran a model:\n{log.strip()}",
            where="dbt",
            fix="the log is var/logs/dbt/dbt.log; the database must be up (`caregrid database start`)",
        )
    results = json.loads(results_file.read_text())["results"] if results_file.exists() else []
    return results, done.returncode == 0, log


def _node(result: dict[str, Any]) -> Node:
    timing = result.get("timing") or [{}]
    return Node(
        unique_id=result["unique_id"],
        resource_type=result["unique_id"].split(".", 1)[0],
        status=result["status"],
        seconds=float(result["execution_time"]),
        failures=result.get("failures"),
        message=result.get("message"),
        started_at=timing[0].get("started_at"),
        finished_at=timing[-1].get("completed_at"),
    )
