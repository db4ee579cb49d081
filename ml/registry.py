"""Runs, models and their aliases in MLflow; other modules reach it by this one's client."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from . import plots
from .eligibility import LeftOut
from .model import QuantileModel, load, save
from .origins import Backtest
from .promotion import PROMOTED, Verdict
from .scores import Score
from .settings import MODEL_NAME, Settings

EXPERIMENT = "caregrid forecast"
NOTE = "Forecasts of demand and overload risk: docs/models.md."
CHAMPION, CHALLENGER = "champion", "challenger"
# What a server of the model needs besides Python.
OPTIONAL_INPUTS = ("grain", "measure", "timezone", "country_code")
REQUIREMENTS = ["lightgbm", "numpy", "pandas", "polars", "scipy", "holidays"]


@dataclass
class Registered:
    """One version in the registry, with its tags."""

    version: str
    run_id: str
    tags: dict[str, str]

    @property
    def settings(self) -> Settings:
        """Return the settings it was fitted with."""
        return Settings.from_json(self.tags["settings"])

    @property
    def serves(self) -> tuple[str, ...]:
        """Return the grains it may forecast."""
        return tuple(grain for grain in self.tags.get("serves", "").split(",") if grain)

    @property
    def as_of(self) -> datetime:
        """Return the moment it was trained as of."""
        return datetime.fromisoformat(self.tags["as_of"])


def client() -> Any:
    """Return MLflow's client on MLFLOW_TRACKING_URI; without one, on the `mlflow` database, else on a file
    in var/.

    A database is spoken to directly, so that no service need run.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    # Its warnings are about pickles of strangers and missing examples; ours is our own, with a signature.
    logging.getLogger("mlflow.pyfunc").setLevel(logging.ERROR)

    uri = os.environ.get("MLFLOW_TRACKING_URI") or _own_store()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def _own_store() -> str:
    from caregrid import paths
    from caregrid.database.connect import sqlalchemy_url
    from caregrid.errors import CareGridError

    try:
        return sqlalchemy_url("mlflow")
    except CareGridError:
        path = paths.var("mlflow", "mlflow.db")
        path.parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{path}"


def experiment(mlflow_client: Any, name: str = EXPERIMENT, folder: str = "forecast", note: str = NOTE) -> str:
    """Return the id of an experiment, made where it is not there yet.

    Args:
        folder: below the artifact root; note: what its page says it is about.
    """
    found = mlflow_client.get_experiment_by_name(name)
    if found is not None:
        return _described(mlflow_client, str(found.experiment_id), note)
    root = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")
    uri = str(mlflow_client.tracking_uri)
    if root is None and not uri.startswith("http"):
        # Without a server the default would be ./mlruns of whatever directory the run was started in.
        from caregrid import paths

        artifacts = paths.var("mlflow", "artifacts")
        artifacts.mkdir(parents=True, exist_ok=True)
        root = artifacts.resolve().as_uri()
    location = f"{root.rstrip('/')}/{folder}" if root else None
    return _described(
        mlflow_client, str(mlflow_client.create_experiment(name, artifact_location=location)), note
    )


def _described(mlflow_client: Any, experiment_id: str, note: str) -> str:
    """Say on the experiment's page what it is about."""
    mlflow_client.set_experiment_tag(experiment_id, "mlflow.note.content", note)
    return experiment_id


def by_alias(alias: str) -> Registered | None:
    """Return the version an alias names, or None."""
    from mlflow.exceptions import MlflowException

    mlflow_client = client()
    try:
        found = mlflow_client.get_model_version_by_alias(MODEL_NAME, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    return Registered(str(found.version), str(found.run_id), dict(found.tags))


def by_version(version: str) -> Registered:
    """Return a version by its number; MLflow's own error when there is none."""
    found = client().get_model_version(MODEL_NAME, version)
    return Registered(str(found.version), str(found.run_id), dict(found.tags))


def models_of(version: str) -> dict[str, QuantileModel]:
    """Return the boosters of a version, by grain."""
    import mlflow.artifacts

    client()
    with tempfile.TemporaryDirectory() as folder:
        local = mlflow.artifacts.download_artifacts(f"models:/{MODEL_NAME}/{version}", dst_path=folder)
        return load(Path(local) / "artifacts" / "models")


def log_training(
    run_id: str,
    settings: Settings,
    models: dict[str, QuantileModel],
    tests: list[Backtest],
    scores: list[Score],
    verdict: Verdict,
    left_out: list[LeftOut],
    tags: dict[str, str],
) -> Registered:
    """Log one training run with everything that tells what it did, register its model, and move the aliases.

    The challenger alias names the newest version; the champion alias moves only when the verdict promotes.
    """
    mlflow_client = client()
    import mlflow
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    from .served import ServedForecast

    tags = {
        **tags, "settings": settings.as_json(), "serves": ",".join(verdict.serves), "verdict": verdict.answer,
        "reason": verdict.reason, "caregrid_run_id": run_id, "recipe": settings.fingerprint(),
    }  # fmt: skip
    with (
        tempfile.TemporaryDirectory() as folder,
        mlflow.start_run(experiment_id=experiment(mlflow_client), run_name=run_id) as run,
    ):
        mlflow.set_tags({key: value[:5000] for key, value in tags.items()})
        # What the UI shows as the run's description, whole: tags are cut there.
        mlflow.set_tag("mlflow.note.content", f"**{verdict.answer}**: {verdict.reason}")
        mlflow.log_params(parameters(settings, models))
        mlflow.log_metrics(
            {
                _metric_name(score): score.value
                for score in scores
                if score.value is not None
            }
        )  # fmt: skip
        out = Path(folder)
        pd.DataFrame([vars(score) for score in scores]).to_csv(out / "scores.csv", index=False)
        pd.DataFrame([vars(one) for one in left_out], columns=["series_id", "reason", "detail"]).to_csv(
            out / "left_out.csv", index=False
        )
        (out / "settings.json").write_text(settings.as_json())
        (out / "cuts.json").write_text(json.dumps({test.grain: test.cuts for test in tests}))
        plots.draw(tests, settings.quantiles, out)
        mlflow.log_artifacts(str(out))
        kept = out / "models"
        save(models, kept)
        (kept / "settings.json").write_text(settings.as_json())
        given: list[ColSpec | TensorSpec] = [
            *(
                ColSpec(kind, name)
                for name, kind in (("unique_id", "string"), ("ds", "datetime"), ("y", "double"))
            ),
            *(ColSpec("string", name, required=False) for name in OPTIONAL_INPUTS),
        ]
        said: list[ColSpec | TensorSpec] = [
            *(ColSpec(kind, name) for name, kind in (("unique_id", "string"), ("ds", "datetime"))),
            *(ColSpec(kind, name) for name, kind in (("horizon", "long"), ("quantile", "double"))),
            ColSpec("double", "value"),
        ]
        signature = ModelSignature(inputs=Schema(given), outputs=Schema(said))
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=ServedForecast(),
            artifacts={"models": str(kept)},
            code_paths=[str(Path(__file__).resolve().parent)],
            pip_requirements=REQUIREMENTS,
            signature=signature,
        )
        version = mlflow.register_model(logged.model_uri, MODEL_NAME, tags=tags).version
        # The list of versions shows it beside the aliases.
        mlflow_client.update_model_version(MODEL_NAME, version, f"{verdict.answer}: {verdict.reason}")
        mlflow.set_tag("model_version", str(version))
        mlflow_run_id = str(run.info.run_id)
    mlflow_client.set_registered_model_alias(MODEL_NAME, CHALLENGER, str(version))
    if verdict.answer == PROMOTED:
        mlflow_client.set_registered_model_alias(MODEL_NAME, CHAMPION, str(version))
    return Registered(str(version), mlflow_run_id, tags)


def parameters(settings: Settings, models: dict[str, QuantileModel]) -> dict[str, Any]:
    """Return what the comparison page of MLflow shows as parameters."""
    found: dict[str, Any] = {
        "settings": settings.name, "recipe": settings.fingerprint(), "quantiles": len(settings.quantiles),
        "rounds": settings.rounds, "leaves": settings.leaves, "learning_rate": settings.learning_rate,
        "rows": settings.rows, "series_per_feed": settings.series_per_feed or "all", "seed": settings.seed,
    }  # fmt: skip
    for grain, model in models.items():
        found[f"{grain}.training_rows"] = model.rows
        found[f"{grain}.horizon"] = model.horizon
        found[f"{grain}.features"] = len(model.feature_names)
    return found


def _metric_name(score: Score) -> str:
    """Return `hour/caregrid/mase`; what is of one feed says which."""
    return f"{score.grain.replace(':', '.')}/{score.model}/{score.metric}"
