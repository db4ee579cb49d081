"""The model as MLflow serves it: a frame of observed values in, quantiles out, without the warehouse."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.pyfunc import PythonModel
from mlflow.types import ColSpec, Schema

from ..panel import SEASONS, WHOLE_QUANTILES
from ..periods import FREQUENCIES
from ..recipe.files import load_all, save_all
from .served_frame import OF_A_SERIES, UNIT, Models, panels

QUANTILES = WHOLE_QUANTILES
# What a server of the model needs besides Python, in the versions it was made with.
REQUIREMENTS = ["mlflow", "lightgbm", "numpy", "pandas", "polars", "scipy", "holidays"]
# What MLflow runs to make the model, so that none is unpickled.
ENTRY = Path(__file__).with_name("served_entry.py")
_GIVEN = (("unique_id", "string"), ("ds", "datetime"), ("y", "double"))
_MAY_BE_GIVEN = (*((name, "string") for name in OF_A_SERIES), ("capacity", "double"))
_SAID = (
    ("unique_id", "string"), ("ds", "datetime"), ("horizon", "long"), ("quantile", "double"),
    ("value", "double"),
)  # fmt: skip


class ServedForecast(PythonModel):
    """Forecasts the periods after the newest one of a long frame; series it has never seen are fine."""

    def load_context(self, context: Any) -> None:
        """Read the models that were logged with it."""
        self.models = load_all(Path(context.artifacts["models"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return unique_id, ds, horizon, quantile, value.

        Args:
            context: MLflow's.
            model_input: see `answer`.
            params: none are known.

        Raises:
            MlflowException: the frame cannot be answered; a server says so as a bad request.
        """
        try:
            return answer(self.models, model_input)
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error


def answer(models: Models, frame: pd.DataFrame) -> pd.DataFrame:
    """Return 23 quantiles of each target: unique_id, ds, horizon, quantile, value.

    Args:
        models: by (grain, feed).
        frame: unique_id, ds, y; optionally grain (hour, day, week or month; day where absent), feed, measure,
            timezone (of hours, UTC where absent), country_code, capacity. `ds` is an hour's beginning in UTC,
            a day, a week's last day, a month's first day. What is missing between two rows is a gap.

    Raises:
        ValueError: some series cannot be forecast; the message names it and what to do.
    """
    found = []
    for asked in panels(frame, models):
        panel, fitted = asked.panel, asked.fitted
        values = fitted.predict(panel, QUANTILES)
        silent = [name for name in panel.ids if name in fitted.reasons]
        if silent:
            told = "; ".join(f"{name}: {fitted.reasons[name]}" for name in silent[:5])
            raise ValueError(
                f"no forecast for {len(silent)} series per {asked.grain} ({told}): leave them out, or give "
                "their newer values"
            )
        series, step, level = (part.ravel() for part in np.indices(values.shape))
        found.append(
            pd.DataFrame(
                {
                    "unique_id": np.array(panel.ids, dtype=object)[series],
                    "ds": panel.times[panel.width :][step].astype("datetime64[ns]"),
                    "horizon": step + 1,
                    "quantile": np.array(QUANTILES)[level],
                    "value": values.ravel(),
                }
            )
        )
    return pd.concat(found, ignore_index=True)


def as_logged(models: Models, folder: Path) -> dict[str, Any]:
    """Write models into a folder, and return what MLflow's pyfunc logs or saves of them.

    This package alone goes with them: what is served needs nothing else of ours.
    """
    save_all(models, folder)
    return {
        "python_model": str(ENTRY),
        "artifacts": {"models": str(folder)},
        "code_paths": [str(Path(__file__).resolve().parent.parent)],
        "pip_requirements": [f"{name}=={version(name)}" for name in REQUIREMENTS],
        "signature": signature(),
        "input_example": input_example(models),
    }


def signature() -> ModelSignature:
    """Return what goes in and what comes out."""
    given = [
        *(ColSpec(kind, name) for name, kind in _GIVEN),
        *(ColSpec(kind, name, required=False) for name, kind in _MAY_BE_GIVEN),
    ]
    said = [ColSpec(kind, name) for name, kind in _SAID]
    return ModelSignature(inputs=Schema([*given]), outputs=Schema([*said]))


def input_example(models: Models) -> pd.DataFrame:
    """Return four weeks of nobody's series (two days of hours, two years of weeks or months) to try it by."""
    grain = next(one for one in ("day", "hour", "week", "month") if any(of == one for of, _ in models))
    season = SEASONS[FREQUENCIES[grain]]
    count = 4 * season if grain == "day" else 2 * season
    at = np.arange(count)
    # A Sunday ends the weeks.
    first = np.array(["2024-01-07" if grain == "week" else "2024-01-01"], dtype=f"datetime64[{UNIT[grain]}]")
    step = 7 if grain == "week" else 1
    return pd.DataFrame(
        {
            "unique_id": "beds occupied",
            "ds": (first + at * step).astype("datetime64[ns]"),
            "y": np.round(60 + 8 * np.sin(2 * np.pi * at / season)),
            "grain": grain,
        }
    )
