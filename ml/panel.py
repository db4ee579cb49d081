"""What a model is given: a set of series as known at one cutoff, and the two entry points it answers by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

Floats = np.ndarray
Ints = np.ndarray

# The 23 quantiles of the CDC forecast hubs.
WHOLE_QUANTILES = (0.01, 0.025, *(round(0.05 * step, 2) for step in range(1, 20)), 0.975, 0.99)

# Beyond this two whole numbers are no longer told apart: nobody has counted so many.
LARGEST = 2.0**53

# Periods of the season that a frequency repeats itself by, for naive forecasts and for MASE.
SEASONS = {"H": 24, "D": 7, "W": 52, "M": 12}


@dataclass(frozen=True)
class Versions:
    """Every version of every value that was known by a cutoff, in order of `known`.

    Args:
        row, column: [version] cell of the panel.
        known: [version] when it became known, microseconds since 1970 in UTC.
        value: [version] what was known of the cell from then on.
    """

    row: Ints
    column: Ints
    known: Ints
    value: Floats


@dataclass(frozen=True)
class Panel:
    """Series on one grid of periods without holes: what nobody knew at the cutoff is NaN, never dropped.

    The last `horizon` columns of `times` are the targets: the periods that follow the cutoff, whatever is
    missing before it. Every array but `times`, `ahead` and `clock` ends with the cutoff's period.

    Args:
        frequency: H, D, W or M.
        ids: [series] names, each once.
        times: [period + horizon] `ds` of each column as datetime64[s]; a week carries its last day.
        horizon: number of target periods.
        cutoff: microseconds since 1970 in UTC; nothing in here became known later.
        y: [series, period] newest known values.
        capacity: [series, period] what demand is held against, or None.
        past: {column: [series, period]} further signals, known up to the cutoff only.
        ahead: {column: [series, period + horizon]} signals that are known in advance.
        static: {column: [series]} what does not change with time (text or numbers).
        clock: [series, period + horizon] hours that local time is ahead of `times`, or None for none.
        versions: of `y`, where the table tells when each became known; None where that was assumed.
    """

    frequency: str
    ids: tuple[str, ...]
    times: np.ndarray
    horizon: int
    cutoff: int
    y: Floats
    capacity: Floats | None = None
    past: dict[str, Floats] = field(default_factory=dict)
    ahead: dict[str, Floats] = field(default_factory=dict)
    static: dict[str, np.ndarray] = field(default_factory=dict)
    clock: Ints | None = None
    versions: Versions | None = None

    @property
    def width(self) -> int:
        """Return the number of periods up to the cutoff."""
        return int(self.y.shape[1])

    @property
    def season(self) -> int:
        """Return the periods of a season."""
        return SEASONS[self.frequency]


class Fitted(Protocol):
    """What a model knows after it was fitted."""

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return [series, horizon, quantile] for the target periods; NaN where it has no answer."""
        ...


class Forecaster(Protocol):
    """A model: ours, a classical one, or anybody's. It sees a panel and nothing else."""

    name: str

    def fit(self, panel: Panel) -> Fitted:
        """Learn from what the panel knows."""
        ...


def last_known(values: Floats) -> Floats:
    """Return [series, period] values carried forward: what was last said holds; NaN before the first."""
    columns = np.where(np.isnan(values), -1, np.arange(values.shape[1]))
    newest = np.maximum.accumulate(columns, axis=1)
    rows = np.arange(len(values))[:, None]
    return np.where(newest >= 0, values[rows, np.maximum(newest, 0)], np.nan)
