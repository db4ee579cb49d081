"""How sure a mean over rolling cutoffs is: a block bootstrap that stays honest with few blocks.

The circular block bootstrap over cutoffs (Künsch 1989, Ann. Stat. 17; Politis & Romano 1992, in LePage &
Billard): all cells of a cutoff stay together, since series rise and fall together, and neighbouring cutoffs
stay together in blocks, since their losses do too.

By itself its interval is too narrow: over 30 to 60 cutoffs whose losses are autocorrelated, 10 to 20 of 100
differences that are none would lie below 0 "beyond chance". Two things mend that, both from inference with
few blocks (Kiefer & Vogelsang 2005, Econometric Theory 21; Ibragimov & Müller 2010, J. Bus. Econ. Stat. 28):

- there are no more than MOST_BLOCKS blocks, so that losses alike for longer than a season stay within one;
- the interval is stretched about the mean by t(q - 1) / z * sqrt(q / (q - 1)), q = cutoffs / block: the
  spread is known from q means only, and the bootstrap's variance is too small by (q - 1) / q.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Floats = np.ndarray
Ints = np.ndarray

TAIL = 0.025  # beyond either end of the two-sided 95 % interval
FEWEST_CUTOFFS = 30
FEWEST_BLOCKS, MOST_BLOCKS = 2, 5
REPLICATES = 2000
SEED = 20250131


@dataclass(frozen=True)
class Estimate:
    """A ratio of sums over cells and its interval; None where it cannot be computed."""

    value: float | None
    low: float | None
    high: float | None
    cells: int
    cutoffs: int

    @property
    def is_below(self) -> float:
        """Return the upper end, infinity where there is none: what the value is below, beyond chance."""
        return np.inf if self.high is None else self.high

    @property
    def is_above(self) -> float:
        """Return the lower end, minus infinity where there is none."""
        return -np.inf if self.low is None else self.low


def is_enough(cutoffs: int, block: int, fewest: int = FEWEST_CUTOFFS) -> bool:
    """Return whether there are cutoffs and blocks enough for an interval."""
    return cutoffs >= max(fewest, FEWEST_BLOCKS * block)


def estimate(
    top: Floats, bottom: Floats, cutoff: Ints, block: int, tail: float = TAIL, fewest: int = FEWEST_CUTOFFS
) -> Estimate:
    """Return sum(top) / sum(bottom) with its interval, where there is enough for one.

    Args:
        top, bottom: [cell]; cells that are not finite are left out; a bottom of ones makes it a mean.
        cutoff: [cell] number of its cutoff, ascending in time.
        block: cutoffs that are taken to be alike at least, such as those of a season.
        tail: chance beyond either end; fewest: cutoffs that an interval needs.
    """
    known = np.isfinite(top) & np.isfinite(bottom)
    numbers, at = np.unique(cutoff[known], return_inverse=True)
    cells, count = int(known.sum()), len(numbers)
    above, below = np.bincount(at, top[known]), np.bincount(at, bottom[known])
    if not below.sum() > 0:
        return Estimate(None, None, None, cells, count)
    value = float(above.sum() / below.sum())
    if not is_enough(count, block, fewest):
        return Estimate(value, None, None, cells, count)
    length = max(block, -(-count // MOST_BLOCKS))
    drawn = _times_drawn(count, length)
    total = drawn @ below
    low, high = np.quantile((drawn @ above)[total > 0] / total[total > 0], (tail, 1 - tail))
    ends = value + _stretch(count / length, 1 - tail) * (np.array([low, high]) - value)
    return Estimate(value, float(ends[0]), float(ends[1]), cells, count)


def _stretch(blocks: float, level: float) -> float:
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(blocks - 1, level) / ndtri(level) * np.sqrt(blocks / (blocks - 1)))


@lru_cache(maxsize=32)
def _times_drawn(count: int, length: int) -> Floats:
    """Return [replicate, cutoff] how often each cutoff is drawn, in blocks that go round the end."""
    draws = np.random.default_rng(SEED)
    begin = draws.integers(0, count, (REPLICATES, -(-count // length)))
    chosen = (begin[:, :, None] + np.arange(length)).reshape(REPLICATES, -1)[:, :count] % count
    flat = (np.arange(REPLICATES)[:, None] * count + chosen).ravel()
    found: Floats = np.bincount(flat, minlength=REPLICATES * count).reshape(REPLICATES, count).astype(float)
    return found
