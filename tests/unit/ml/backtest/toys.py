"""Toy tables made in code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ml.backtest.building import Meaning, build
from ml.backtest.reading import read
from ml.backtest.table import Table
from ml.panel import Panel

STEP = {"H": np.timedelta64(1, "h"), "D": np.timedelta64(1, "D"), "W": np.timedelta64(7, "D")}


def written(folder: Path, text: str, name: str = "series.csv") -> Path:
    """Write lines of CSV, as a person indents them."""
    path = folder / name
    path.write_text("\n".join(line.strip() for line in text.strip().splitlines()) + "\n", encoding="utf-8")
    return path


def table(folder: Path, text: str, meaning: Meaning, known_at: str | None = None) -> Table:
    """Return the table of lines of CSV."""
    notes: list[str] = []
    rows = read(written(folder, text), known_at, meaning.zone, notes)
    return build(rows, meaning, "series.csv", notes)


def frame(
    frequency: str, periods: int, series: int = 4, seed: int = 1, start: str = "2023-01-01", wave: float = 6.0
) -> pl.DataFrame:
    """Return walks with a season as read from a file: unique_id, ds, y, line."""
    rng = np.random.default_rng(seed)
    season = {"H": 24, "D": 7, "W": 52}[frequency]
    at = np.arange(periods)
    times = np.datetime64(start, "s") + at * STEP[frequency]
    walks = rng.normal(0, 0.6, (series, periods)).cumsum(axis=1)
    waves = wave * np.sin(2 * np.pi * at / season)
    y = np.maximum(np.round(20 + waves + walks + rng.normal(0, 1, walks.shape)), 0)
    return pl.DataFrame(
        {
            "unique_id": np.repeat([f"s{number:02}" for number in range(series)], periods),
            "ds": np.tile(times.astype("datetime64[us]").astype(np.int64), series),
            "y": y.ravel(),
            "line": np.arange(2, 2 + y.size),
        }
    )


def made(rows: pl.DataFrame, frequency: str, **more: object) -> Table:
    """Return the table of such rows, published at the end of their period unless they say otherwise."""
    return build(rows, Meaning(frequency, **({"lag": 0} | more)), "series.csv")  # type: ignore[arg-type]


class Stopped:
    """A model in whose third forecast a person ends the run."""

    calls = 0

    def fit(self, panel: Panel) -> Stopped:
        return self

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> np.ndarray:
        Stopped.calls += 1
        if Stopped.calls == 3:
            raise KeyboardInterrupt
        return np.tile(np.asarray(quantiles), (len(panel.ids), panel.horizon, 1))
