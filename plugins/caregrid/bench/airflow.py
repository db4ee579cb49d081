"""What Airflow costs beside the work: parsing our DAGs, and the time between the tasks of the whole job."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from caregrid import paths
from caregrid.bench import ground
from caregrid.bench.figures import Figure, Goal, figure
from caregrid.errors import CareGridError
from caregrid.platform import airflow_client, demo, services
from caregrid.platform.follow import CHAIN
from caregrid.quiet import quiet

# All of Airflow that any DAG file imports is there before the clock starts, so that what is left is ours.
_PARSE = """
import time
started = time.monotonic()
import airflow.sdk, airflow.sdk.definitions.deadline
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.standard.operators import python
own = time.monotonic() - started
started = time.monotonic()
bag = DagBag(dag_folder={folder!r})
assert bag.dags and not bag.import_errors, bag.import_errors
print(len(bag.dags), time.monotonic() - started, own)
"""
_IMPORTS = ("polars", "pandas", "great_expectations", "mlflow", "lightgbm", "dbt.cli.main")


def measure(feeds: str) -> Iterator[Figure]:
    """Yield what parsing and each heavy import takes, then the whole job's time without a task at work.

    Args:
        feeds: which feeds the whole job takes, as `make demo` has it; empty leaves the job out.
    """
    count, seconds, own = _parse()
    yield figure(f"airflow.parse_of_{count:.0f}_dags", seconds, "s", goal=Goal("under", 2))
    yield figure("airflow.own_import", own, "s")
    for module in _IMPORTS:
        took, _, _ = ground.in_a_process(
            f"import {module}", "from caregrid.quiet import apply_quiet; apply_quiet()"
        )
        yield figure(f"airflow.import_{module.split('.')[0]}", took, "s")
    if feeds:
        yield from _whole_job(feeds)


def _parse() -> tuple[float, float, float]:
    """Return the number of DAGs, the seconds of parsing them, and those of importing Airflow before."""
    settings = quiet() | {
        "AIRFLOW_HOME": str(paths.var("airflow")),
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    }
    settings |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    code = _PARSE.format(folder=str(paths.ROOT / "dags"))
    done = subprocess.run(
        [sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CareGridError(
            f"the DAGs could not be parsed\n{done.stderr.strip()[-2000:]}",
            where="dags/",
            fix="mend the file that the last lines name, then measure again",
        )
    count, seconds, own = (float(word) for word in done.stdout.split()[-3:])
    return count, seconds, own


def _whole_job(feeds: str) -> Iterator[Figure]:
    """Run the demo on the benchmark's own ground and read from Airflow when which task was at work."""
    since = datetime.now(UTC)
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told):
            if demo.run(feeds):
                raise CareGridError(
                    f"the whole job failed\n{told.getvalue()[-2000:]}",
                    where="the demo on the benchmark's ground",
                    fix="see to the task that the last lines name, then measure again",
                )
        client = airflow_client.sign_in()
        dag_ids = [dag_id for dag_id in client.dag_ids() if dag_id.startswith("ingest_")]
        dag_ids += [link.dag_id for link in CHAIN]
        runs = [(dag_id, run) for dag_id in dag_ids for run in client.runs(dag_id, since.isoformat())]
        tasks = [
            (datetime.fromisoformat(task["start_date"]), datetime.fromisoformat(task["end_date"]))
            for dag_id, run in runs
            for task in client.task_instances(dag_id, run["dag_run_id"])
            if task["start_date"] and task["end_date"]
        ]
        queued = min(datetime.fromisoformat(run["queued_at"]) for _, run in runs)
    finally:
        services.stop_all()
    wall = (max(end for _, end in tasks) - queued).total_seconds()
    work = covered(tasks)
    yield figure("airflow.whole_job", wall, "s", "the time in which some task was at work", work)
    yield figure("airflow.idle_overhead", wall - work, "s", "the whole job", wall)


def covered(spans: list[tuple[datetime, datetime]]) -> float:
    """Return the seconds covered by at least one span."""
    covered, reached = 0.0, min(start for start, _ in spans)
    for start, end in sorted(spans):
        if end > reached:
            covered += (end - max(start, reached)).total_seconds()
            reached = end
    return covered
