"""Panels made in code, and the model with fewer rows, so that a test of it is short."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ml.panel import WHOLE_QUANTILES, Floats, Panel
from ml.recipe import CareGridModel
from ml.recipe.configuration import CONFIGURATIONS

STEP = {"H": np.timedelta64(1, "h"), "D": np.timedelta64(1, "D"), "W": np.timedelta64(7, "D")}
LEVELS = WHOLE_QUANTILES


def panel(y: Floats, horizon: int, frequency: str = "D", **more: Any) -> Panel:
    """Return a panel of values [series, period] that begins on Monday, 3 January 2022."""
    times = np.datetime64("2022-01-03", "s") + np.arange(y.shape[1] + horizon) * STEP[frequency]
    cutoff = int(times[y.shape[1] - 1].astype("datetime64[us]").astype(np.int64))
    ids = tuple(f"s{number:02}" for number in range(len(y)))
    return Panel(frequency, ids, times, horizon, cutoff, y, **more)


def small(rows: int = 6_000, rounds: int = 40) -> CareGridModel:
    """Return the model as it is but for the number of rows and rounds."""
    return CareGridModel(
        {name: replace(one, rows=rows, rounds=rounds, bags=1) for name, one in CONFIGURATIONS.items()}
    )


def census(
    series: int, periods: int, seed: int = 3, level: float = 100.0, season: int = 7, pull: float = 0.9
) -> tuple[Floats, Floats, Floats]:
    """Return counts around levels that wander and come back, with a season: (y, mean of y, departure).

    The departure is an autoregression of first order with factor `pull` and steps of three; what is counted
    is its sum with level and season, rounded.
    """
    rng = np.random.default_rng(seed)
    wave = 6 * np.sin(2 * np.pi * np.arange(periods) / season)
    departure = np.zeros((series, periods))
    for at in range(1, periods):
        departure[:, at] = pull * departure[:, at - 1] + rng.normal(0, 3, series)
    mean = level * (1 + 0.1 * np.arange(series))[:, None] + wave
    return np.round(np.maximum(mean + departure, 0)), mean, departure
