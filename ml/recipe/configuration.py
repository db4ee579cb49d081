"""One frozen configuration per frequency: what accuracy was measured with is what speed is measured with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

# From one that a long past bears to one that leaves little more than the mean. Of weeks, few seasons tell too
# little of which is best: the choice gained 7 % in one season of influenza and lost 7 % in the next.
RIDGE = (30.0, 300.0, 3_000.0, 30_000.0)


@dataclass(frozen=True)
class Configuration:
    """How series of one frequency are forecast; every number counts periods of that frequency.

    Args:
        season: the shortest season.
        profiles: (periods, weight of the newest) of each seasonal profile, the longest last.
        spans: of the exponentially weighted levels (a span of k weighs like a mean of k), ascending; the one
            at `anchor` is what changes are counted from, -1 for the last value itself.
        means, medians: trailing windows.
        lags: last values that are features each.
        year: periods of a year that positions repeat after, 0 where a year is not looked at.
        power: values are modelled as this power of themselves; 1 leaves them as they are.
        curve: whether trailing polynomial fits describe the shape of a wave.
        history: how far back values are read.
        rows: training rows at most; short_share: share of them drawn among the first eighth of leads.
        rounds, leaves, learning_rate, smallest_leaf, columns_share: of the trees.
        bags: tree models whose mean is taken.
        folds: blocks of time for errors that no model was trained on.
        ridge: penalties of the linear model, of which the one with the least error on unseen rows is taken.
        bands: last lead of each band whose errors are pooled.
        revisions: ages (periods) up to which reported values are corrected by how earlier ones were revised.
    """

    season: int
    profiles: tuple[tuple[int, float], ...]
    spans: tuple[float, ...]
    anchor: int
    means: tuple[int, ...]
    medians: tuple[int, ...]
    lags: int
    year: int
    power: float
    curve: bool
    history: int
    rows: int
    short_share: float
    rounds: int
    leaves: int
    learning_rate: float
    smallest_leaf: int
    columns_share: float
    bags: int
    folds: int
    ridge: tuple[float, ...]
    bands: tuple[int, ...]
    revisions: int
    seed: int = 20250131

    def __post_init__(self) -> None:
        """Take the one penalty of settings that were registered before there was a choice."""
        if isinstance(self.ridge, float):
            object.__setattr__(self, "ridge", (self.ridge,))


CONFIGURATIONS = {
    "H": Configuration(
        season=24, profiles=((24, 0.12), (168, 0.25)), spans=(2, 4, 8, 24, 72, 336), anchor=1,
        means=(24, 168, 672), medians=(), lags=6, year=0, power=1.0, curve=False, history=24 * 7 * 52,
        rows=100_000, short_share=0.3, rounds=250, leaves=31, learning_rate=0.04, smallest_leaf=100,
        columns_share=0.6, bags=1, folds=4, ridge=RIDGE, bands=(1, 2, 3, 6, 12, 24), revisions=6,
    ),
    "D": Configuration(
        season=7, profiles=((7, 0.12),), spans=(1.5, 3, 7, 14, 28, 90), anchor=1, means=(7, 28, 91),
        medians=(7, 21), lags=7, year=364, power=1.0, curve=False, history=365 * 6, rows=100_000,
        short_share=0.3, rounds=150, leaves=31, learning_rate=0.05, smallest_leaf=100, columns_share=0.6,
        bags=1, folds=4, ridge=RIDGE, bands=(1, 3, 7, 14, 21), revisions=7,
    ),
    "W": Configuration(
        season=52, profiles=(), spans=(1.5, 3, 6, 13, 26), anchor=-1, means=(2, 4), medians=(), lags=4,
        year=52, power=0.25, curve=True, history=52 * 12, rows=100_000, short_share=0.0, rounds=200,
        leaves=31, learning_rate=0.06, smallest_leaf=30, columns_share=0.5, bags=2, folds=6, ridge=(30.0,),
        bands=(1, 2, 3), revisions=3,
    ),
    "M": Configuration(
        season=12, profiles=((12, 0.3),), spans=(1.5, 3, 6, 12), anchor=1, means=(3, 12), medians=(), lags=3,
        year=12, power=1.0, curve=False, history=12 * 20, rows=100_000, short_share=0.0, rounds=120,
        leaves=15, learning_rate=0.06, smallest_leaf=60, columns_share=0.6, bags=1, folds=5, ridge=RIDGE,
        bands=(1, 2), revisions=2,
    ),
}  # fmt: skip


def fingerprint() -> str:
    """Return 12 hex digits that name all configurations together."""
    told = {frequency: asdict(one) for frequency, one in CONFIGURATIONS.items()}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
