"""One build of the warehouse: dbt once, the marts gate, and one transaction that publishes or nothing
at all.
"""

from __future__ import annotations

import importlib
import threading
import time
from dataclasses import dataclass, field

from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.quiet import apply_quiet
from caregrid.warehouse import dbt, ledger, publish, seeds
from caregrid.warehouse.matching import match_facilities
from caregrid.warehouse.registry import register_feeds
from caregrid.warehouse.told import Told

# Two builds at once would write the same tables, and a backup would find tables dropped under it.
LOCK = 7_305_501
_BACKUP_HOLDS = """
select exists (
    select from pg_locks join pg_stat_activity using (pid)
    where locktype = 'advisory' and granted and (classid::bigint << 32 | objid::bigint) = %s and objsubid = 1
      and pg_locks.database = (select oid from pg_database where datname = current_database())
      and application_name = 'caregrid backup'
)
"""


@dataclass
class BuildResult:
    """How a build ended.

    Attributes:
        status: published | failed | nothing_to_do.
        build_id: row of ledger.build; None when there was nothing to do.
        reason: why it was not published.
        loads: loads new to what is served.
        models, tests_passed, tests_warned, tests_failed: counts of dbt's nodes.
        published: what was done to each served table.
        seconds: by step.
    """

    status: str
    build_id: int | None = None
    reason: str | None = None
    loads: int = 0
    models: int = 0
    tests_passed: int = 0
    tests_warned: int = 0
    tests_failed: int = 0
    published: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def build(full_refresh: bool = False, force: bool = False) -> BuildResult:
    """Build everything that loads not yet built touch, check it, and publish it.

    Facts that other models made than the present ones are rebuilt whole.

    Args:
        full_refresh: rebuild the facts whole instead of the touched keys.
        force: build also when no load is due (after a change of the seeds, which every build takes in).

    Raises:
        CareGridError: another build runs, or dbt could not run at all.
    """
    apply_quiet()
    full_refresh = full_refresh or ledger.built_models() != dbt.models_sha256()
    if not (full_refresh or force or ledger.pending_loads() or not _served()):
        return BuildResult("nothing_to_do")
    arguments = [
        "build",
        *(["--full-refresh"] if full_refresh else []),
        "--exclude-resource-type",
        "unit_test",
    ]
    return _build("warehouse", arguments, full_refresh)


def build_forecast() -> BuildResult:
    """Build and publish the tables that depend on model_output, when it holds runs that are not served.

    Raises:
        CareGridError: the warehouse has never been built, another build runs, or dbt could not run at all.
    """
    apply_quiet()
    if not _served():
        raise CareGridError("the warehouse has never been built", fix="run `caregrid warehouse build` first")
    with connect("dbt") as connection:
        row = connection.execute(
            "select exists (select from model_output.run as run "
            "where not exists (select from core.dim_forecast_run as served where served.run_id = run.run_id))"
        ).fetchone()
    if not (row and row[0]):
        return BuildResult("nothing_to_do")
    return _build(
        "forecast",
        ["build", "--select", "tag:forecast", "--exclude-resource-type", "unit_test"],
        full_refresh=False,
    )


def _served() -> bool:
    with connect("dbt") as connection:
        row = connection.execute("select to_regclass('core.dim_forecast_run') is not null").fetchone()
    return bool(row and row[0])


def _build(kind: str, arguments: list[str], full_refresh: bool) -> BuildResult:
    # The import of the gate's library takes seconds: it happens while dbt waits for the database.
    importing = threading.Thread(target=importlib.import_module, args=["great_expectations"], daemon=True)
    importing.start()
    with connect("dbt", autocommit=True) as connection:
        if not _locked(connection):
            raise CareGridError("another build is running", fix="wait until it has ended; see ledger.build")
        ledger.end_leftovers(connection, dbt.BUILDING)
        result = BuildResult("failed", ledger.open_build(connection, kind, full_refresh, dbt.models_sha256()))
        assert result.build_id is not None
        told = Told(kind)
        try:
            _run(connection, kind, arguments, result, importing, told)
        except Exception as error:
            result.reason = str(error)
            ledger.close_build(connection, result.build_id, "failed", result.reason[:2000])
            told.ended(result.reason)
            raise
        told.ended(result.reason)
        if result.status == "failed":
            ledger.close_build(connection, result.build_id, "failed", result.reason)
    return result


def _locked(connection: publish.Connection) -> bool:
    """Take the lock of builds; wait for a backup that holds it, and for nobody else."""
    while True:
        row = connection.execute("select pg_try_advisory_lock(%s)", [LOCK]).fetchone()
        if row and row[0]:
            return True
        held = connection.execute(_BACKUP_HOLDS, [LOCK]).fetchone()
        if not (held and held[0]):
            return False
        time.sleep(0.5)


def _run(
    connection: publish.Connection,
    kind: str,
    arguments: list[str],
    result: BuildResult,
    importing: threading.Thread,
    told: Told,
) -> None:
    assert result.build_id is not None
    clock = _Stopwatch(result.seconds)
    if kind == "warehouse":
        register_feeds()
        match_facilities()
        clock.lap("identity")
    else:
        with connection.transaction():
            publish.align(connection)
        clock.lap("align")
    outcome = _with_seeds(connection, arguments) if kind == "warehouse" else dbt.run(arguments)
    clock.lap("dbt")
    told.ran(outcome, dbt.default_target(), whole="--full-refresh" in arguments)
    ledger.write_nodes(connection, result.build_id, outcome)
    result.models = outcome.count("model", "success")
    result.tests_passed = outcome.count("test", "pass")
    result.tests_warned = outcome.count("test", "warn")
    result.tests_failed = outcome.count("test", "fail", "error")
    if not outcome.succeeded:
        result.reason = "; ".join(outcome.problems()) or outcome.log
        return
    importing.join()
    from caregrid.gates import gate_marts

    verdict = gate_marts(result.build_id)
    clock.lap("gate")
    if not verdict.passed:
        result.reason = "the marts gate refused it: " + ("; ".join(verdict.failures) or "nothing was checked")
        return
    built = [
        node.unique_id for node in outcome.nodes if node.resource_type == "model" and node.status == "success"
    ]
    with connection.transaction():
        result.published = publish.publish(connection, publish.tables(outcome.manifest, built))
        if kind == "warehouse":
            publish.withdraw(connection, publish.tables(outcome.manifest))
            result.loads = ledger.list_loads(connection, result.build_id)
        ledger.close_build(connection, result.build_id, "published", None)
    result.status = "published"
    clock.lap("publish")


def _with_seeds(connection: publish.Connection, arguments: list[str]) -> dbt.Outcome:
    """Run dbt; the seeds are written again where they are not in place, and in every full refresh."""
    if "--full-refresh" not in arguments and seeds.are_in_place(connection):
        return dbt.run([*arguments, "seed"])
    seeds.note(connection, in_place=False)
    outcome = dbt.run(arguments)
    written = [node for node in outcome.nodes if node.resource_type == "seed"]
    if written and all(node.status == "success" for node in written):
        seeds.note(connection, in_place=True)
    return outcome


class _Stopwatch:
    """Writes the seconds between laps into a dictionary."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._since = time.monotonic()

    def lap(self, name: str) -> None:
        """Write the time since the last lap under a name."""
        moment = time.monotonic()
        self._seconds[name] = round(moment - self._since, 2)
        self._since = moment
