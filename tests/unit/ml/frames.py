"""Small frames the tests of the models share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from ml.warehouse.data import Frames
from ml.warehouse.settings import DEMO, Settings
from ml.warehouse.spine import Spine, build_spines

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
LENGTH = {
    "instant": timedelta(hours=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(7),
}


def spines(data: Frames, settings: Settings = DEMO) -> list[Spine]:
    """Return the spines of a frame under some settings."""
    history = {grain: one.configuration.history for grain, one in settings.grains.items()}
    return build_spines(data.series(), data._values, history)


def frame(
    columns: dict[int, np.ndarray], grain: str = "day", first: datetime = FIRST, **series: Any
) -> Frames:
    """Return series of consecutive periods, NaN being absent rows; each value is known when its period ends.

    Args:
        columns: {series_id: values}.
        series: further columns of the series, a list of one per series or one for all.
    """
    parts = []
    for series_id, values in columns.items():
        starts = [first + LENGTH[grain] * number for number in range(len(values))]
        ends = [start + (timedelta(0) if grain == "instant" else LENGTH[grain]) for start in starts]
        part = pl.DataFrame({"period_start": starts, "period_end": ends, "value": values})
        parts.append(
            part.with_columns(series_id=pl.lit(series_id, pl.Int64)).filter(pl.col("value").is_not_nan())
        )
    named = pl.DataFrame({"series_id": list(columns), "grain": [grain] * len(columns)})
    for name, value in series.items():
        given = value if isinstance(value, list) else [value] * len(columns)
        named = named.with_columns(pl.Series(name, given))
    return Frames(named, pl.concat(parts))


def wave(
    periods: int, level: float = 100.0, season: int = 7, seed: int = 1, noise: float = 3.0
) -> np.ndarray:
    """Return a seasonal series with noise, rounded."""
    draws = np.random.default_rng(seed)
    time = np.arange(periods)
    return np.round(level * (1 + 0.2 * np.sin(time * 2 * np.pi / season)) + draws.normal(0, noise, periods))
