"""The model as MLflow serves it: a frame of observed values in, quantiles out, without the warehouse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.pyfunc import PythonModel

from .data import Frames
from .eligibility import usable_rows
from .forecasting import forecast_grid, forecast_rows
from .model import load
from .settings import Settings
from .spine import build_spines


class ServedForecast(PythonModel):
    """Forecasts each series of a long frame from its last observed value."""

    def load_context(self, context: Any) -> None:
        """Read the boosters and the settings that were logged with them."""
        folder = Path(context.artifacts["models"])
        self.models = load(folder)
        self.settings = Settings.from_json(json.dumps(json.loads((folder / "settings.json").read_text())))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return unique_id, ds, horizon, quantile, value.

        Args:
            context: MLflow's.
            model_input: unique_id, ds (start of the period, UTC), y; optionally grain (hour, day, week,
            month; day
                where absent), measure, timezone, country_code.
            params: none are known.

        Raises:
            ValueError: a series holds fewer than two observed seasons, or the model has no such grain.
        """
        import polars as pl

        frame = pl.from_pandas(model_input)
        text = [name for name in ("grain", "measure", "timezone", "country_code") if name in frame.columns]
        named = frame.group_by("unique_id", maintain_order=True).agg(pl.col(name).first() for name in text)
        named = named.with_row_index("series_id", offset=1)
        values = frame.join(named.select("unique_id", "series_id"), on="unique_id").select(
            "series_id", period_start=pl.col("ds").cast(pl.Datetime("us")), value=pl.col("y")
        )
        data = Frames(named, values)
        grains = self.settings.grains
        spines = build_spines(
            data.series(), data._values,
            {name: one.season for name, one in grains.items()}, {name: one.history for name, one in
            grains.items()},
        )  # fmt: skip
        names = dict(zip(named["series_id"].to_list(), named["unique_id"].to_list(), strict=True))
        found, done = [], set()
        for spine in spines:
            grid = spine.as_known(None)
            if spine.grain not in self.models or not len(usable_rows(grid, self.settings)):
                continue
            made = forecast_grid(self.models[spine.grain], grid, self.settings)
            for series_id, start, _, horizon, quantile, value, _ in forecast_rows(made) if made else ():
                done.add(series_id)
                found.append((names[series_id], start.replace(tzinfo=None), horizon, quantile, value))
        missing = sorted(str(names[series_id]) for series_id in set(names) - done)
        if missing:
            raise ValueError(
                f"no forecast for {', '.join(missing)}: two observed seasons of a known grain are needed"
            )
        return pd.DataFrame(found, columns=["unique_id", "ds", "horizon", "quantile", "value"])
