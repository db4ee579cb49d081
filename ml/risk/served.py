"""A risk model as MLflow serves it: rows of encounters in, probability and reasons out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.pyfunc import PythonModel

from .model import load
from .report import scored


class ServedRisk(PythonModel):
    """Scores each row by itself; it knows nothing but the row."""

    def load_context(self, context: Any) -> None:
        """Read the model that was logged with it."""
        self.model = load(Path(context.artifacts["model"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return one line per row: probability and flag (or quantiles), and what moved it most.

        Args:
            context: MLflow's.
            model_input: the columns the model learned from.
            params: none are known.

        Raises:
            ValueError: a column is not there.
        """
        import polars as pl

        lines = scored(self.model, pl.from_pandas(model_input))
        return pd.DataFrame(lines).drop(columns="row")
