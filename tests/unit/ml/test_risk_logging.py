"""A training in a real tracking store: what is logged, and that what is logged scores without our source."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ml.risk import command as risk
from ml.risk import log as risk_log
from ml.risk import report as risk_report
from ml.risk.table import prepare
from tests.unit.ml.encounters import ROLES, encounters

pytestmark = pytest.mark.unit

SERVE = """
import json, sys
import mlflow, pandas
from mlflow.pyfunc import load_model
frame = pandas.read_csv("rows.csv", dtype={"sex": str, "ward": str})
frame = frame.astype({"age": float, "earlier_stays": float})
made = load_model(sys.argv[1]).predict(frame[["age", "sex", "ward", "creatinine", "earlier_stays"]])
json.dump(made.to_dict("list"), open("said.json", "w"))
"""


def test_a_training_is_logged_whole_and_scores_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", (tmp_path / "artifacts").as_uri())
    frame = encounters(700)
    frame.write_csv(tmp_path / "t.csv")
    trained = risk.train(prepare(frame, ROLES), risk.Options(replicates=10))
    risk_report.write(trained, tmp_path / "t.csv", {}, tmp_path / "out")
    version = risk_log.log(trained, tmp_path / "out")

    import mlflow

    client = mlflow.MlflowClient(uri, uri)
    found = client.get_model_version("caregrid-risk-readmitted", version)
    run = client.get_run(str(found.run_id))
    auroc = next(one for one in trained.scores if one.metric == "auroc" and one.model == "caregrid")
    assert run.data.metrics["by_time/caregrid/auroc"] == auroc.value
    assert run.data.params["calibration"] == "platt"
    kept = {file.path for file in client.list_artifacts(run.info.run_id, "risk")}
    assert {"risk/card.md", "risk/card.json", "risk/importance.png"} <= kept
    # Rows of persons stay where the table is.
    assert (tmp_path / "out" / "reasons.csv").is_file()
    assert "risk/reasons.csv" not in kept
    info = mlflow.models.get_model_info(f"models:/caregrid-risk-readmitted/{version}")
    assert info.signature is not None
    assert [column.name for column in info.signature.inputs] == [one.name for one in trained.model.columns]
    # The example is nobody's record.
    example = risk_log.made_up(trained)
    assert not (trained.table.frame["creatinine"] == str(example["creatinine"][0])).all()

    away = tmp_path / "away"
    away.mkdir()
    (away / "rows.csv").write_text(frame.head(20).write_csv().replace("?", ""))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [sys.executable, "-c", SERVE, f"models:/caregrid-risk-readmitted/{version}"],
        cwd=away, env=environment, check=True, timeout=300,
    )  # fmt: skip
    said = json.loads((away / "said.json").read_text())
    assert np.array(said["probability"]) == pytest.approx(trained.model.score(frame.head(20)), abs=1e-12)
    assert set(said) == {"probability", "flagged", "reasons"}
