"""mlforecast with LightGBM as its documentation shows it: the plain global model beside which ours stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..panel import Floats, Panel
from .classical import LONGEST_GAP, from_levels, levels_of

if TYPE_CHECKING:
    import polars as pl

# History that is trained on, in periods; None: all. Half a year of hours keeps a cutoff within a minute.
HISTORY = {"H": 26 * 7 * 24, "D": 3 * 365, "W": None, "M": None}
LAGS = {"H": [1, 2, 3, 24, 48, 168], "D": [1, 2, 7, 14, 28], "W": [1, 2, 3, 4, 52], "M": [1, 2, 3, 12]}
WINDOW = {"H": 24, "D": 7, "W": 4, "M": 3}
CALENDAR = {"H": ["hour", "weekday"], "D": ["weekday", "month"], "W": ["month"], "M": ["month"]}
EVERY = {"H": "1h", "D": "1d", "W": "1w", "M": "1mo"}
# Windows that the conformal intervals are made from, each as long as the horizon.
WINDOWS = 6


@dataclass
class MLForecastPeer:
    """One LightGBM over all series on lags, a rolling mean and the calendar, with conformal intervals.

    Args:
        reasons: {series: why it has no answer} of the last prediction.

    Gaps are filled by the straight line between known neighbours, and up to the cutoff by the last value:
    mlforecast counts rows, not time.
    """

    name: str = "mlforecast"
    seed: int = 1
    reasons: dict[str, str] = field(default_factory=dict)
    _model: Any = None
    _ids: tuple[str, ...] = ()

    def fit(self, panel: Panel) -> MLForecastPeer:
        """Train on every series that is long enough for the lags and the conformal windows."""
        from lightgbm import LGBMRegressor
        from mlforecast import MLForecast
        from mlforecast.lag_transforms import RollingMean
        from mlforecast.utils import PredictionIntervals

        self.reasons, self._model, self._ids = {}, None, ()
        frame, lags, windows = self._frame(panel)
        if frame is None:
            return self
        regressor = LGBMRegressor(
            n_jobs=1, verbosity=-1, random_state=self.seed, deterministic=True, force_row_wise=True
        )
        model = MLForecast(
            models={"peer": regressor},
            freq=EVERY[panel.frequency],
            lags=lags,
            lag_transforms={1: [RollingMean(WINDOW[panel.frequency])]},
            date_features=CALENDAR[panel.frequency],
            num_threads=1,
        )
        intervals = PredictionIntervals(n_windows=windows, h=panel.horizon)
        model.fit(frame, static_features=[], prediction_intervals=intervals)
        self._model = model
        return self

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return [series, horizon, quantile]; NaN for a series that was not trained on (see `reasons`)."""
        out = np.full((len(panel.ids), panel.horizon, len(quantiles)), np.nan)
        if self._model is None:
            return out
        said = self._model.predict(panel.horizon, level=levels_of(quantiles)).sort("unique_id", "ds")
        columns = {
            name.replace("peer-", "", 1): said[name].to_numpy() for name in said.columns if "-" in name
        }
        found = from_levels({"mean": said["peer"].to_numpy(), **columns}, quantiles)
        rows = [panel.ids.index(name) for name in self._ids]
        out[rows] = np.maximum(np.sort(found.reshape(len(rows), panel.horizon, -1), axis=2), 0)
        return out

    def _frame(self, panel: Panel) -> tuple[pl.DataFrame | None, list[int], int]:
        """Return the rows to train on, the lags that they allow and the number of conformal windows."""
        import polars as pl

        recent = HISTORY[panel.frequency] or panel.width
        y, times = panel.y[:, -recent:], panel.times[: panel.width][-recent:]
        firsts, complete = {}, {}
        for row, name in enumerate(panel.ids):
            seen = np.flatnonzero(~np.isnan(y[row]))
            gap = y.shape[1] - 1 - seen[-1] if len(seen) else y.shape[1]
            if gap > LONGEST_GAP * panel.horizon:
                self.reasons[name] = f"ended {gap} periods before the cutoff"
                continue
            firsts[name] = int(seen[0])
            complete[name] = np.interp(np.arange(seen[0], y.shape[1]), seen, y[row, seen])
        lags = [lag for lag in LAGS[panel.frequency] if lag < y.shape[1] // 3]
        # One window less for a table that is short; two are the fewest that the library takes.
        needed = [max(lags, default=1) + windows * panel.horizon + 20 for windows in range(WINDOWS, 1, -1)]
        longest = max((len(values) for values in complete.values()), default=0)
        windows = next((WINDOWS - at for at, need in enumerate(needed) if longest >= need), 0)
        if not windows:
            self.reasons.update(dict.fromkeys(complete, "too short for its lags and conformal windows"))
            return None, lags, 0
        least = needed[WINDOWS - windows]
        self._ids = tuple(name for name, values in complete.items() if len(values) >= least)
        short = f"shorter than the {least} periods that its lags and conformal windows need"
        self.reasons.update({name: short for name in complete if name not in self._ids})
        parts = [
            pl.DataFrame({"ds": times[firsts[name] :].astype("datetime64[us]"), "y": complete[name]})
            .with_columns(pl.lit(name).alias("unique_id"))
            .select("unique_id", "ds", "y")
            for name in self._ids
        ]
        return pl.concat(parts), lags, windows
