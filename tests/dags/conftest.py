"""The DAG folder as Airflow parses it, once for all tests of this folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from caregrid.paths import ROOT

# In a process of its own: what a parse imports is one of the questions, and Airflow wants its settings first.
_PARSE = """
import json, sys, time
from pathlib import Path
started = time.monotonic()
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
from airflow.serialization.serialized_objects import DagSerialization
found = {}
for dag_id, dag in bag.dags.items():
    DagSerialization.to_dict(dag)
    found[dag_id] = {
        "file": dag.fileloc, "tags": sorted(dag.tags), "doc_md": dag.doc_md or "", "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs, "deadline": bool(dag.deadline),
        "tasks": {task.task_id: {"owner": task.owner, "retries": task.retries, "pool": task.pool,
                                 "has_policy": task.retry_policy is not None,
                                 "outlets": [outlet.name for outlet in task.outlets],
                                 "downstream": sorted(task.downstream_task_ids)} for task in dag.tasks},
    }
heavy = ["pandas", "dbt", "mlflow", "great_expectations", "polars", "lightgbm", "ml"]
print("PARSED" + json.dumps({"dags": found, "errors": bag.import_errors,
                             "heavy": [name for name in heavy if name in sys.modules]}))
"""


def parse(folder: Path, home: Path, prelude: str = "") -> dict[str, Any]:
    """Parse a folder of DAGs in a fresh process; return its dags, errors and the heavy modules imported.

    prelude: Python that runs before the parse, in the same process.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")} | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", prelude + _PARSE, str(folder)],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("PARSED")]
    assert lines, f"the parse ended with {done.returncode}:\n{done.stderr[-4000:]}"
    return dict(json.loads(lines[0].removeprefix("PARSED")))


@pytest.fixture(scope="session")
def parse_folder() -> Callable[..., dict[str, Any]]:
    """The parser itself, for tests that arrange the folder's surroundings."""
    return parse


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The repository's own DAG folder."""
    return parse(ROOT / "dags", tmp_path_factory.mktemp("airflow"))
