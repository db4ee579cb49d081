"""AutoETS and AutoTheta of statsforecast with their native intervals, one series at a time."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..panel import Floats, Panel
from .naive import RECENT

# A series that ended longer ago than this many horizons is not continued by a model of its last values.
LONGEST_GAP = 4
# Fewer values than this make no model.
FEWEST = 5


def last_complete(y: Floats, frequency: str) -> tuple[Floats, int]:
    """Return a series' recent values without gaps, and how many periods before the cutoff they end.

    A gap is filled by the straight line between its known neighbours: the libraries know complete series
    only, and a row that is dropped would shift every season.

    Args:
        y: [period].
    """
    recent = RECENT[frequency]
    y = y if recent is None else y[-recent:]
    seen = np.flatnonzero(~np.isnan(y))
    if not len(seen):
        return np.array([]), len(y)
    inside = np.arange(seen[0], seen[-1] + 1)
    return np.interp(inside, seen, y[seen]), len(y) - 1 - int(seen[-1])


def levels_of(quantiles: tuple[float, ...]) -> list[float]:
    """Return the central intervals, in percent, whose bounds are these quantiles."""
    found = {round(abs(1 - 2 * level) * 100, 6) for level in quantiles} - {0.0}
    return [int(level) if level == int(level) else level for level in sorted(found)]


def from_levels(said: dict[str, Any], quantiles: tuple[float, ...]) -> Floats:
    """Return [step, quantile] from the `mean`, `lo-…` and `hi-…` that the libraries answer with."""
    columns = []
    for level in quantiles:
        width = round(abs(1 - 2 * level) * 100, 6)
        name = f"{'lo' if level < 0.5 else 'hi'}-{int(width) if width == int(width) else width}"
        columns.append(np.asarray(said["mean"] if not width else said[name], dtype=float))
    return np.stack(columns, axis=1)


@dataclass
class StatsForecast:
    """One of statsforecast's automatic models per series, on its recent history (naive.RECENT).

    Args:
        name: what the model is called in the tables.
        kind: name of the class in statsforecast.models.
        reasons: {series: why it has no answer} of the last prediction.

    Quantiles are the native intervals' bounds, clipped at 0. The answers to the last panel are kept, for its
    recalibrated twin.
    """

    name: str
    kind: str
    reasons: dict[str, str] = field(default_factory=dict)
    _last: tuple[Panel, tuple[float, ...], Floats] | None = None

    def fit(self, panel: Panel) -> StatsForecast:
        """Learn nothing yet: a model per series is fitted where it is asked for its forecast."""
        return self

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return [series, horizon, quantile]; NaN where the library has no answer (see `reasons`)."""
        if self._last and self._last[0] is panel and self._last[1] == quantiles:
            return self._last[2]
        self.reasons = {}
        out = np.full((len(panel.ids), panel.horizon, len(quantiles)), np.nan)
        for row, name in enumerate(panel.ids):
            values, gap = last_complete(panel.y[row], panel.frequency)
            if len(values) < FEWEST:
                self.reasons[name] = f"fewer than {FEWEST} values in its recent history"
            elif gap > LONGEST_GAP * panel.horizon:
                self.reasons[name] = f"ended {gap} periods before the cutoff"
            else:
                self._one(out[row], name, values, gap, panel, quantiles)
        self._last = (panel, quantiles, out)
        return out

    def _one(
        self, out: Floats, name: str, values: Floats, gap: int, panel: Panel, quantiles: tuple[float, ...]
    ) -> None:
        """Write one series' forecast into `out`; a library that breaks off on it leaves the others alone."""
        from statsforecast import models

        model = getattr(models, self.kind)(season_length=panel.season)
        try:
            with warnings.catch_warnings():
                # The library divides by the variance of a constant series, and answers all the same.
                warnings.simplefilter("ignore", RuntimeWarning)
                said = model.forecast(y=values, h=gap + panel.horizon, level=levels_of(quantiles))
            found = np.maximum(from_levels(said, quantiles)[gap:], 0)
        except Exception as error:  # whatever a library raises for one series is that series' reason
            self.reasons[name] = f"{type(error).__name__}: {error}"
            return
        if np.isfinite(found).all():
            out[:] = np.sort(found, axis=1)
        else:
            self.reasons[name] = "the library answered with NaN"


def auto_ets() -> StatsForecast:
    """Return AutoETS (Hyndman & Khandakar, 2008, J. Stat. Softw. 27(3))."""
    return StatsForecast("auto_ets", "AutoETS")


def auto_theta() -> StatsForecast:
    """Return AutoTheta (Fiorucci et al., 2016, Int. J. Forecasting 32)."""
    return StatsForecast("auto_theta", "AutoTheta")
