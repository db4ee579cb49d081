"""What Airflow costs beside the work: parsing our DAGs, and what its tasks import."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from caregrid import paths
from caregrid.bench import ground
from caregrid.bench.figures import Figure, Goal, figure
from caregrid.errors import CareGridError
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


def measure() -> Iterator[Figure]:
    """Yield what parsing takes, Airflow's own import, and each heavy import of a task."""
    count, seconds, own = _parse()
    yield figure(f"airflow.parse_of_{count:.0f}_dags", seconds, "s", goal=Goal("under", 2))
    yield figure("airflow.own_import", own, "s")
    for module in _IMPORTS:
        took, _, _ = ground.in_a_process(
            f"import {module}", "from caregrid.quiet import apply_quiet; apply_quiet()"
        )
        yield figure(f"airflow.import_{module.split('.')[0]}", took, "s")


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
        raise CareGridError("the DAGs could not be parsed", where="dags/", fix=done.stderr.strip()[-2000:])
    count, seconds, own = (float(word) for word in done.stdout.split()[-3:])
    return count, seconds, own
