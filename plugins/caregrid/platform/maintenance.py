"""What `maintain` does once a day. Each function returns a sentence on what it did."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from caregrid import paths
from caregrid.clock import now
from caregrid.database import connect
from caregrid.errors import CareGridError
from caregrid.lineage import journal
from caregrid.platform import environment

_DAY_SECONDS = 86_400
# Services keep these open and append; they are cut back, not removed.
_SERVICE_LOG_BYTES = 20 * 2**20
# Runs and jobs that a retention has marked deleted are removed with their artifacts; the URI holds a password
# and therefore stays off the command line.
_MLFLOW_GC = (
    "import os, sys; from mlflow.cli import cli; "
    "cli(['gc', '--older-than', sys.argv[1], '--backend-store-uri', os.environ['MLFLOW_BACKEND_STORE_URI']])"
)


def clean_airflow(keep_days: int) -> str:
    """Delete runs, tasks, events and the like older than `keep_days` from Airflow's own tables."""
    before = (now() - timedelta(days=keep_days)).isoformat(timespec="seconds")
    arguments = ["--clean-before-timestamp", before, "--skip-archive", "--yes"]
    _run("airflow db clean", [sys.executable, "-m", "airflow", "db", "clean", *arguments])
    return f"Airflow's tables hold nothing from before {before}"


def clean_logs(keep_days: int) -> str:
    """Remove task logs and lineage older than `keep_days`, cut back services' logs, sweep after crashes."""
    removed = 0
    for folder, days in (("logs", keep_days), ("tmp", 2)):
        limit = time.time() - days * _DAY_SECONDS
        root = paths.var(folder)
        for path in sorted(root.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if path.stat().st_mtime < limit and not any(path.iterdir()):
                    path.rmdir()
            elif path.lstat().st_mtime < limit and path.parent != paths.var("logs"):
                path.unlink(missing_ok=True)
                removed += 1
    cut = [path.name for path in paths.var("logs").glob("*.log") if _cut_back(path)]
    days_of_lineage = journal.sweep(keep_days)
    return (
        f"removed {removed} old files and {days_of_lineage} days of lineage; "
        f"cut back {', '.join(cut) or 'no log'}"
    )


def _cut_back(path: Path) -> bool:
    """Keep the newest half of a log that has grown too long, in place: its writer goes on appending."""
    if path.stat().st_size <= _SERVICE_LOG_BYTES:
        return False
    with path.open("r+b") as stream:
        stream.seek(-_SERVICE_LOG_BYTES // 2, 2)
        newest = stream.read()
        stream.seek(0)
        stream.write(newest)
        stream.truncate()
    return True


def vacuum_warehouse() -> str:
    """Vacuum and analyze every table of the warehouse, each as the role that owns it."""
    done = []
    for role in ("owner", "dbt"):
        with connect.connect(role, autocommit=True) as connection:
            tables = connection.execute(
                "select schemaname, tablename from pg_tables where tableowner = current_user order by 1, 2"
            ).fetchall()
            for schema, table in tables:
                try:
                    connection.execute(
                        sql.SQL("vacuum (analyze, skip_locked) {}").format(sql.Identifier(schema, table))
                    )
                except psycopg.errors.UndefinedTable:
                    # A build has swapped it away in the meantime.
                    continue
                done.append(table)
    return f"vacuumed and analyzed {len(done)} tables"


def clean_paths(keep_days: int) -> str:
    """Delete joint paths of runs made more than `keep_days` ago; those of the newest scoring run always stay.

    They outweigh all else that models write; quantiles and risks stay. The models' own role may only append:
    the owner deletes.
    """
    before = now() - timedelta(days=keep_days)
    with connect.connect("owner") as connection:
        deleted = connection.execute(
            """
            delete from model_output.path using model_output.run
            where path.run_id = run.run_id and run.made_at < %s and run.run_id is distinct from (
                select newest.run_id from model_output.run as newest where newest.kind = 'score'
                order by newest.made_at desc, newest.run_id desc limit 1
            )
            """,
            [before],
        ).rowcount
    return (
        f"deleted the paths of {deleted} periods of series, of runs before "
        f"{before.isoformat(timespec='seconds')}; those of the newest scoring run stay"
    )


def check_sources() -> str:
    """Look how long ago each table that dbt reads was written to: a part of the machinery may have stopped.

    Raises:
        CareGridError: a table could not be looked at, or is older than its source may be at worst.
    """
    from caregrid.warehouse.dbt import source_freshness

    ages = source_freshness()
    broken = [f"{age.table} {age.status}" for age in ages if age.status in ("error", "failed")]
    if broken:
        fix = "see var/logs/dbt/dbt.log and `caregrid warehouse sources`"
        raise CareGridError(", ".join(broken), where="dbt source freshness", fix=fix)
    old = [
        f"{age.table} since {age.written_at:%Y-%m-%d}"
        for age in ages
        if age.status == "warn" and age.written_at
    ]
    empty = [age.table for age in ages if age.written_at is None]
    return (
        f"{len(ages) - len(old) - len(empty)} of {len(ages)} tables were written to lately; "
        f"not lately: {', '.join(old) or 'none'}; never: {', '.join(empty) or 'none'}"
    )


def clean_mlflow(keep_days: int) -> str:
    """Remove for good the runs and models that were deleted more than `keep_days` ago, artifacts included."""
    _run("MLflow's cleaning", [sys.executable, "-c", _MLFLOW_GC, f"{keep_days}d"])
    return f"MLflow holds no run deleted more than {keep_days} days ago"


def clean_landing() -> str:
    """Remove landed bytes without a line in the manifest, and what crashes of loads left behind.

    A file in the manifest stays for ever: canonical and rejected rows refer to it.
    """
    from caregrid.landing.retention import sweep

    removed = sweep()
    return ", ".join(f"{count} {what}" for what, count in removed.items()) + " removed"


def remove_everything() -> None:
    """Remove var/ altogether; the caller has asked, and has stopped the services."""
    shutil.rmtree(paths.var(), ignore_errors=True)


def _run(what: str, command: list[str]) -> None:
    settings = environment.environment()
    settings["MLFLOW_TRACKING_URI"] = settings["MLFLOW_BACKEND_STORE_URI"]
    done = subprocess.run(command, cwd=paths.ROOT, env=settings, capture_output=True, text=True, check=False)
    print(done.stdout[-4000:])
    if done.returncode:
        raise CareGridError(
            f"{what} failed with exit code {done.returncode}\n{done.stderr[-2000:]}",
            where="maintain",
            fix="see to the cause in its last lines, then clear the task in Airflow: what was removed stays "
            "removed, the rest is done then",
        )
