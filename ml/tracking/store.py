"""MLflow's store: its client, the experiments, and a version of the model with its tags."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..warehouse.settings import MODEL_NAME, Settings

EXPERIMENT = "caregrid forecast"
NOTE = "Forecasts of demand and overload risk: docs/models.md."


@dataclass
class Registered:
    """One version in the registry, with its tags."""

    version: str
    run_id: str
    tags: dict[str, str]

    @property
    def settings(self) -> Settings:
        """Return the settings it was fitted with.

        Raises:
            CareGridError: they are of a form that is no longer read.
        """
        from caregrid.errors import CareGridError

        try:
            return Settings.from_json(self.tags["settings"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CareGridError(
                f"version {self.version} was made by another release and cannot be read", where=MODEL_NAME,
                fix="name another one (`caregrid models list` shows them), or train anew "
                "(`caregrid forecast train`)",
            ) from error  # fmt: skip

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
