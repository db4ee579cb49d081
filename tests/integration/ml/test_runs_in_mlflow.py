"""A training in a real MLflow store: the runs, their steps and tables, and the version that is registered."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from caregrid.errors import CareGridError
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from ml.tracking import registry
from ml.tracking.card import Training
from ml.tracking.registry import Registered
from ml.tracking.served import QUANTILES, answer
from ml.warehouse.settings import DEMO, MODEL_NAME
from tests.unit.ml.trainings import training

pytestmark = pytest.mark.integration
MODELS = {"caregrid", "champion", "climatology", "last_value", "seasonal_naive"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An MLflow store of its own."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", (folder / "artifacts").as_uri())
        yield folder


@pytest.fixture(scope="module")
def told() -> Training:
    """What is logged, with a champion's recipe beside."""
    return training(champion=True)


@pytest.fixture(scope="module")
def registered(store: Path, told: Training) -> Registered:
    """The version that was made of it."""
    return registry.log_training(
        told.run_id, DEMO, told.models, told.tests, told.scores, told.verdict, told.left_out, told.tags
    )


@pytest.fixture(scope="module")
def runs(registered: Registered) -> dict[str, Any]:
    """Every run by its name."""
    client = registry.client()
    experiment = client.get_experiment_by_name(registry.EXPERIMENT)
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_each_model_has_one_child_of_the_parent(
    runs: dict[str, Any], registered: Registered, told: Training
) -> None:
    parent = runs.pop(told.run_id)
    assert parent.info.run_id == registered.run_id
    assert set(runs) == MODELS
    for name, run in runs.items():
        assert run.data.tags["mlflow.parentRunId"] == registered.run_id
        assert run.data.params["model"] == name
        assert run.data.params["data_sha256"] == told.tags["data_sha256"]
        assert run.info.status == "FINISHED"
    assert "day.rounds" in runs["caregrid"].data.params
    assert "day.rounds" not in runs["seasonal_naive"].data.params
    runs[told.run_id] = parent


def test_horizons_and_cutoffs_are_steps_over_the_cells_that_all_have(
    runs: dict[str, Any], told: Training
) -> None:
    client = registry.client()
    for model in MODELS:
        run_id = runs[model].info.run_id
        by_horizon = {one.step: one.value for one in client.get_metric_history(run_id, "day.wis")}
        folds = client.get_metric_history(run_id, "day.fold_wis")
        assert sorted(by_horizon) == [1, 2, 3]
        assert sorted(one.step for one in folds) == [1, 2, 3, 4, 5, 6]
        parts = []
        for test in told.tests:
            both = ~np.isnan(test.cells.figure("caregrid", "wis")) & (test.cells.step == 3)
            parts.append(test.cells.figure(model, "wis")[both])
        # Ours lacks one cell of each feed: nobody is scored on it.
        assert len(np.concatenate(parts)) == (4 + 2) * 6 - 2
        assert by_horizon[3] == pytest.approx(np.concatenate(parts).mean())
        assert {one.step for one in client.get_metric_history(run_id, "day.coverage_95")} == {1, 2, 3}
    assert runs["caregrid"].data.metrics["day/mase"] == runs[told.run_id].data.metrics["day/caregrid/mase"]
    assert "day.beds/seasonal_naive/mase" in runs[told.run_id].data.metrics


def test_all_scores_stand_in_one_table_and_the_gate_in_another(
    registered: Registered, told: Training
) -> None:
    client = registry.client()
    experiment = client.get_run(registered.run_id).info.experiment_id
    scores = client.load_table(experiment, "scores.json", run_ids=[registered.run_id])
    assert len(scores) == 2 * 5 * 4
    assert set(scores["model"]) == MODELS
    assert set(scores["horizon"].astype(str)) == {"all", "1", "2", "3"}
    assert scores.loc[scores["model"] == "caregrid", "n"].tolist() == [71, 24, 24, 23, 35, 12, 12, 11]
    gate = client.load_table(experiment, "gate.json", run_ids=[registered.run_id])
    assert gate.to_dict("records")[0] | told.verdict.table[0] == gate.to_dict("records")[0]
    tagged = json.loads(client.get_run(registered.run_id).data.tags["mlflow.loggedArtifacts"])
    assert [one["path"] for one in tagged] == ["scores.json", "gate.json"]


def test_the_files_of_a_run_tell_all_of_it(registered: Registered, told: Training, tmp_path: Path) -> None:
    import mlflow.artifacts

    registry.client()
    folder = Path(mlflow.artifacts.download_artifacts(run_id=registered.run_id, dst_path=str(tmp_path)))
    assert {
        "scores.csv", "left_out.csv", "settings.json", "cuts.json", "features.json", "card.md",
        "accuracy_day.png", "risk_day_beds.png", "risk_day_wards.png", "shap",
    } <= {file.name for file in folder.iterdir()}  # fmt: skip
    assert (folder / "settings.json").read_text() == DEMO.as_json()
    features = json.loads((folder / "features.json").read_text())
    assert features["day beds"] == told.models["day", "beds"].feature_names
    shap = pd.read_csv(folder / "shap" / "day_beds.csv")
    assert set(shap["feature"]) == set(features["day beds"])
    assert shap["mean_absolute_shap"].is_monotonic_decreasing
    assert shap["mean_absolute_shap"].iloc[0] > 0
    assert (folder / "shap" / "day_beds.png").stat().st_size > 5000
    assert pd.read_csv(folder / "left_out.csv").to_dict("records") == [vars(told.left_out[0])]


def test_the_data_are_named_by_the_digest_of_what_was_read(registered: Registered, told: Training) -> None:
    (shown,) = registry.client().get_run(registered.run_id).inputs.dataset_inputs
    assert shown.dataset.name == "warehouse"
    assert told.tags["data_sha256"].startswith(shown.dataset.digest)
    assert json.loads(shown.dataset.source)["tags"]["load_ids"] == "1-2"


def test_the_card_is_the_runs_description(registered: Registered, told: Training) -> None:
    run = registry.client().get_run(registered.run_id)
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith(f"# {MODEL_NAME}, version {registered.version}")
    for part in (
        "What it is for", "| day | beds | 4 | 7 |", "| day | seasonal_naive | 108 | 6 |", "region=NW",
        "caregrid models rollback", f"caregrid forecast reproduce {told.run_id}", "no_value 1",
    ):  # fmt: skip
        assert part in note, part


def test_the_version_has_a_signature_and_an_example_that_predicts(
    registered: Registered, told: Training
) -> None:
    import mlflow

    registry.client()
    uri = f"models:/{MODEL_NAME}/{registered.version}"
    info = mlflow.models.get_model_info(uri)
    optional = {one.name for one in info.signature.inputs if not one.required}
    assert [one.name for one in info.signature.inputs if one.required] == ["unique_id", "ds", "y"]
    assert optional == {"grain", "feed", "measure", "timezone", "country_code", "capacity"}
    assert [one.name for one in info.signature.outputs] == ["unique_id", "ds", "horizon", "quantile", "value"]
    model = mlflow.pyfunc.load_model(uri)
    example = pd.DataFrame(model.input_example)
    said = model.predict(model.input_example)
    assert len(example) == 28
    assert len(said) == 7 * len(QUANTILES)
    assert said["value"].tolist() == answer(told.models, example)["value"].tolist()


def test_a_version_gives_back_its_models_and_its_tags(registered: Registered, told: Training) -> None:
    again = registry.models_of(registered.version)
    assert set(again) == set(told.models)
    found = registry.by_version(registered.version)
    assert found.serves == ("day",)
    assert found.settings == DEMO
    assert found.tags["data_sha256"] == told.tags["data_sha256"]
    assert [one.version for one in registry.versions()] == [registered.version]
    # No alias has moved: that is told in the warehouse first.
    assert registry.by_alias(registry.CHAMPION) is None


@pytest.fixture
def files(registered: Registered, tmp_path: Path) -> Iterator[Path]:
    """The folder of the version's models in the store, put back as it was."""
    registry.client()
    kept = Path(download_artifacts(registry.client().get_model_version_download_uri(MODEL_NAME, "1")))
    shutil.copytree(kept, tmp_path / "whole")
    yield kept / "artifacts" / "models"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(tmp_path / "whole", kept)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def test_files_that_are_gone_or_cut_short_are_damage(registered: Registered, files: Path) -> None:
    _cut(next(files.rglob("arrays.npz")))
    with pytest.raises(CareGridError, match=r"arrays.npz is not what was written"):
        registry.models_of(registered.version)
    # As of a release that did not keep the hashes: reading itself tells.
    (files / "sha256.json").unlink()
    with pytest.raises(CareGridError, match="the model cannot be read"):
        registry.models_of(registered.version)
    for file in files.rglob("arrays.npz"):
        file.unlink()
    with pytest.raises(CareGridError, match="the model cannot be read"):
        registry.models_of(registered.version)
    shutil.rmtree(files.parent.parent)
    with pytest.raises(CareGridError, match="no model is left") as told:
        registry.models_of(registered.version)
    assert "caregrid models rollback --to VERSION" in str(told.value.fix)


def test_a_store_that_cannot_be_reached_says_nothing_of_the_files(
    registered: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for damage, a hiccup would start a training and might replace a sound champion."""
    # Nobody listens there: bound and closed at once.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    source = f"http://127.0.0.1:{port}/api/2.0/mlflow-artifacts/artifacts/model"
    away = registry.client().create_model_version(MODEL_NAME, source).version
    try:
        with pytest.raises((MlflowException, OSError), match="Max retries exceeded"):
            registry.models_of(str(away))
    finally:
        registry.client().delete_model_version(MODEL_NAME, away)
