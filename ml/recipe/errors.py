"""The spread of a forecast: how large errors are, and how they are distributed, from errors never trained on.

Conformal prediction with errors scaled by what is expected of them (Lei et al. 2018, section 5.2), not
symmetric, per band of leads; the expectation is a model of the log error on the same features, and each
series' own errors are drawn towards all series'.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..panel import Floats, Ints
from .configuration import Configuration
from .points import grow

if TYPE_CHECKING:
    from lightgbm import Booster

SMALLEST = 0.03  # scales; smaller errors are all alike
DRAWN_TOWARDS_ALL = 60  # rows
FEWEST = 200  # errors of a band; fewer are pooled over all bands
LEVELS = np.concatenate(
    [[0.001, 0.0025, 0.005, 0.0075], np.arange(1, 100) / 100, [0.9925, 0.995, 0.9975, 0.999]]
)
ROUNDS, LEAVES, LEARNING_RATE = 60, 15, 0.08
NONE = 1e-9  # scales; errors up to here are those of rounding
PLAIN_SPREAD = 1.2  # scales at the longest lead, where no error has been seen at all


@dataclass
class Spread:
    """How errors are spread.

    Args:
        sizes: trees that answer the log of an error's size, or None where rows were too few.
        factors: {series: how large its errors are beside what is expected}.
        shapes: [band, level] quantiles of errors in expected sizes at LEVELS.
        bands: last lead of each band but the last.
        longest: the longest lead.
    """

    sizes: Booster | None
    factors: dict[str, float]
    shapes: Floats
    bands: tuple[int, ...]
    longest: int

    def offsets(self, x: Floats, lead: Ints, names: np.ndarray, quantiles: tuple[float, ...]) -> Floats:
        """Return [row, quantile] to add to the middle, in scales."""
        size = self._size(x, lead) * np.array([self.factors.get(str(name), 1.0) for name in names])
        shape = np.stack([np.interp(quantiles, LEVELS, row) for row in self.shapes])
        found: Floats = size[:, None] * shape[band(lead, self.bands)]
        return found

    def _size(self, x: Floats, lead: Ints) -> Floats:
        if self.sizes is None:
            return np.sqrt(np.minimum(lead / self.longest, 1.0))
        return np.exp(np.asarray(self.sizes.predict(x, num_threads=1)))


def fit(
    x: Floats, error: Floats, lead: Ints, names: np.ndarray, longest: int, configuration: Configuration
) -> Spread:
    """Learn from the errors of rows that their model never saw; NaN where there was none."""
    seen = np.isfinite(error)
    x, error, lead, names = x[seen], error[seen], lead[seen], names[seen]
    spread = Spread(None, {}, np.zeros((1, len(LEVELS))), configuration.bands, longest)
    bands = len(configuration.bands) + 1
    if len(error) < 20 or not np.abs(error).max() > NONE:
        from scipy.special import ndtri

        # Where nothing was ever missed nothing is known of errors: series that were always right stay
        # narrow, any other gets the plain spread.
        spread.factors = _factors_of_none(names) if len(error) >= 20 else {}
        spread.shapes = np.tile(PLAIN_SPREAD * ndtri(LEVELS), (bands, 1))
        return spread
    if len(error) >= 2 * FEWEST:
        smaller = replace(
            configuration, leaves=LEAVES, learning_rate=LEARNING_RATE,
            smallest_leaf=max(20, min(400, len(error) // 60)),
        )  # fmt: skip
        spread.sizes = grow(x, np.log(np.abs(error) + SMALLEST), smaller, 0, objective="l2", rounds=ROUNDS)
    relative = error / spread._size(x, lead)
    spread.factors = _factors(np.abs(relative), names)
    relative = relative / np.array([spread.factors[str(name)] for name in names])
    which = band(lead, configuration.bands)
    pooled = np.quantile(relative, LEVELS)
    spread.shapes = np.stack(
        [
            np.quantile(relative[which == one], LEVELS) if (which == one).sum() >= FEWEST else pooled
            for one in range(bands)
        ]
    )
    return spread


def band(lead: Ints, bands: tuple[int, ...]) -> Ints:
    """Return the number of the band of each lead."""
    found: Ints = np.searchsorted(np.array(bands), lead, side="left")
    return found


def _factors(size: Floats, names: np.ndarray) -> dict[str, float]:
    """Return each series' mean size of relative errors beside all series', drawn towards one."""
    overall = max(float(size.mean()), 1e-9)
    ids, at = np.unique(names.astype(str), return_inverse=True)
    count, total = np.bincount(at), np.bincount(at, size)
    factor = (total + DRAWN_TOWARDS_ALL * overall) / (count + DRAWN_TOWARDS_ALL) / overall
    return dict(zip(ids.tolist(), factor.tolist(), strict=True))


def _factors_of_none(names: np.ndarray) -> dict[str, float]:
    """Return the factors of series without any error: none, drawn towards one."""
    ids, count = np.unique(names.astype(str), return_counts=True)
    return dict(zip(ids.tolist(), (DRAWN_TOWARDS_ALL / (count + DRAWN_TOWARDS_ALL)).tolist(), strict=True))
