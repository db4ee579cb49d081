"""What a run shows of a back-test: figures by horizon and by cutoff, and the one table of all scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.cells import LEVELS
from ..evaluation.scores import by_horizon
from ..panel import Floats, Ints
from ..warehouse.scores import Score, naive_scale, of_model
from ..warehouse.tested import BASELINE, Tested

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Stepped:
    """One point of a metric of a model: its step is a horizon or the number of a cutoff, from 1."""

    model: str
    name: str
    step: int
    value: float


def stepped(tests: list[Tested]) -> Iterator[Stepped]:
    """Yield per grain and model `day.wis` and others by horizon, `day.fold_wis` by the number of the cutoff.

    All models are shown over the same cells: those of a feed that every model of it has forecast.
    `scaled_wis` is in units of the series' in-sample seasonal naive error, so that size does not rule.
    """
    for grain in sorted({test.grain for test in tests}):
        some = [test for test in tests if test.grain == grain]
        shared, scale = _shared(some), naive_scale(some)
        truth = np.concatenate([test.cells.truth for test in some])
        horizon = np.concatenate([test.cells.step for test in some])
        fold = np.concatenate([test.cells.cutoff + 1 for test in some])
        for model in sorted({model for test in some for model in test.cells.models}):
            wis = np.where(shared, of_model(some, model, "wis"), np.nan)
            figures = {
                "wis": wis,
                "scaled_wis": wis / scale,
                "mae": np.where(shared, np.abs(of_model(some, model, "point") - truth), np.nan),
                **{
                    f"coverage_{level}": np.where(shared, of_model(some, model, f"covered{level}"), np.nan)
                    for level in LEVELS
                },
            }
            for name, values in figures.items():
                yield from _means(model, f"{grain}.{name}", horizon, values)
            for name in ("wis", "scaled_wis"):
                yield from _means(model, f"{grain}.fold_{name}", fold, figures[name])


def overall(scores: list[Score]) -> Iterator[tuple[str, str, float]]:
    """Yield (model, `day/mase`, value) of what can be computed; what is of one feed says `day.feed/mase`."""
    for score in scores:
        if score.value is not None:
            yield score.model, f"{score.grain.replace(':', '.')}/{score.metric}", score.value


def score_table(tests: list[Tested]) -> pd.DataFrame:
    """Return a row per grain, feed, model and horizon (`all` first), with every score and its cells."""
    import pandas as pd
    import polars as pl

    frames = [
        by_horizon(test.cells, BASELINE).select(
            pl.lit(test.grain).alias("grain"), pl.lit(test.feed).alias("feed"), pl.all()
        )
        for test in tests
    ]
    if not frames:
        return pd.DataFrame(columns=["grain", "feed", "model", "horizon"])
    whole = pl.concat(frames)
    # MLflow writes the table as JSON, where none is null.
    return pd.DataFrame(whole.to_dict(as_series=False))


def _shared(tests: list[Tested]) -> np.ndarray:
    """Return [cell] whether every model of the cell's back-test has forecast it."""
    parts = []
    for test in tests:
        each = [~np.isnan(test.cells.figure(model, "wis")) for model in test.cells.models]
        parts.append(np.logical_and.reduce(each))
    return np.concatenate(parts)


def _means(model: str, name: str, step: Ints, values: Floats) -> Iterator[Stepped]:
    known = np.isfinite(values)
    if not known.any():
        return
    count = np.bincount(step[known])
    total = np.bincount(step[known], values[known])
    for at in np.flatnonzero(count):
        yield Stepped(model, name, int(at), float(total[at] / count[at]))
