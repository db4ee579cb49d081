"""One training of a risk in MLflow, by the registry's client: figures, card, and a model that serves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..tracking import registry
from .columns import NUMBER
from .table import EVENT, numbers

if TYPE_CHECKING:
    import pandas as pd

    from .command import Trained

EXPERIMENT = "caregrid risk"
NOTE = "Risks of encounters: docs/risk.md."


def log(trained: Trained, folder: Path) -> str:
    """Log a training whose folder is written, register its model, and return the version's number."""
    registry.client()
    import mlflow

    from .served import ServedRisk

    model, roles = trained.model, trained.table.roles
    name = "caregrid-risk-" + re.sub(r"[^a-z0-9]+", "-", roles.outcome.lower()).strip("-")
    experiment = registry.experiment(registry.client(), EXPERIMENT, "risk", NOTE)
    with mlflow.start_run(experiment_id=experiment, run_name=name) as run:
        mlflow.log_params(
            {
                "outcome": roles.outcome, "event": roles.positive or "1", "split": trained.split.name,
                "rounds": trained.rounds, "columns": len(model.columns), "rows": len(trained.table.frame),
                "seed": trained.options.seed, "alert_budget": trained.options.alert_budget,
                "calibration": model.calibration.rule if model.calibration else "shift of each quantile",
            }
        )  # fmt: skip
        mlflow.log_metrics(
            {
                f"{one.split}/{one.model}/{one.metric}".replace(" ", "_"): one.value
                for one in trained.scores
                if one.value is not None
            }
        )
        mlflow.set_tag("mlflow.note.content", "\n\n".join(trained.told))
        for file in sorted(folder.iterdir()):
            # Reasons are rows of persons: they stay where the table is.
            if file.is_file() and file.name != "reasons.csv":
                mlflow.log_artifact(str(file), "risk")
        example = made_up(trained)
        served = mlflow.pyfunc.log_model(
            name="model",
            python_model=ServedRisk(),
            artifacts={"model": str(folder / "model")},
            code_paths=[str(Path(__file__).resolve().parent.parent)],
            pip_requirements=["lightgbm", "mlflow", "numpy", "pandas", "polars", "scipy"],
            signature=_signature(trained),
            input_example=example,
        )
        version = mlflow.register_model(served.model_uri, name, tags={"run": run.info.run_id}).version
    return str(version)


def made_up(trained: Trained) -> pd.DataFrame:
    """Return one row of middling numbers and first levels: an example that is nobody's record."""
    import pandas as pd

    row: dict[str, Any] = {}
    for column in trained.model.columns:
        if column.kind == NUMBER:
            row[column.name] = float(np.nanmedian(numbers(trained.table.frame[column.name])))
        else:
            row[column.name] = column.levels[0]
    return pd.DataFrame([row])


def _signature(trained: Trained) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    model = trained.model
    given = [ColSpec("double" if one.kind == NUMBER else "string", one.name) for one in model.columns]
    if model.kind == EVENT:
        said = [ColSpec("double", "probability"), ColSpec("boolean", "flagged")]
    else:
        said = [ColSpec("double", f"q{level:g}") for level in model.quantiles]
    return ModelSignature(inputs=Schema([*given]), outputs=Schema([*said, ColSpec("string", "reasons")]))
