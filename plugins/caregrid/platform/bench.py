"""`make bench`: what every run pays before its first row."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from caregrid import paths
from caregrid.quiet import quiet

_PARSE = (
    "import time; from airflow.dag_processing.dagbag import DagBag; started = time.monotonic();"
    "bag = DagBag(dag_folder={folder!r}); print(len(bag.dags), time.monotonic() - started)"
)
_IMPORTS = ("airflow.sdk", "polars", "pandas", "great_expectations", "mlflow", "lightgbm", "dbt.cli.main")


def measure() -> Iterator[tuple[str, float]]:
    """Yield (what, seconds), each in a process of its own."""
    output = _run(_PARSE.format(folder=str(paths.ROOT / "dags"))).split()
    yield f"parse of dags/: {output[-2]} DAGs", float(output[-1])
    for module in _IMPORTS:
        started = time.monotonic()
        _run(f"import {module}")
        yield f"import {module}", time.monotonic() - started


def _run(code: str) -> str:
    settings = quiet() | {"AIRFLOW_HOME": str(paths.var("airflow")), "PATH": "/usr/bin:/bin"}
    settings |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=True
    )
    return done.stdout
