"""Importing the gates and the alerts costs nothing heavy: DAG files and commands do it at every start."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

HEAVY = {"great_expectations", "pandas", "polars", "apprise", "dbt", "mlflow", "lightgbm"}


@pytest.mark.parametrize(
    "module", ["caregrid.gates", "caregrid.alerts", "caregrid.commands.gates", "caregrid.cli"]
)
def test_import_is_light(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert "caregrid" in loaded
    assert not HEAVY & loaded
