"""Precision and recall over all comparable pairs, estimated from the labelled sample, with 95 % intervals.

Every pair of the universe has a verdict; only the sample has labels. So the share of `same` is estimated
in each stratum, apart for pairs with and without the verdict (Jeffreys' prior), and weighted by their number.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Pair = tuple[str, str]
LABELS = Path(__file__).with_name("labels.csv")
DRAWS = 20_000


@dataclass(frozen=True)
class Share:
    """A share and its 95 % interval, 0 to 1."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%})"


@dataclass(frozen=True)
class Estimate:
    """`found`: labelled pairs by (label, verdict); precision and recall over the universe."""

    found: Counter[tuple[str, bool]]
    precision: Share
    recall: Share


def labels() -> dict[Pair, str]:
    """Return the label of each pair of the sample."""
    with LABELS.open(encoding="utf-8", newline="") as stream:
        return {(row["cms"], row["hifld"]): row["label"] for row in csv.DictReader(stream)}


def estimate(universe: Mapping[str, list[Pair]], verdicts: set[Pair]) -> Estimate:
    """Estimate how good a set of verdicts is; pairs labelled `unsure` count neither way."""
    given = labels()
    chance = np.random.default_rng(1)
    held = {True: np.zeros(DRAWS), False: np.zeros(DRAWS)}
    exact = {True: 0.0, False: 0.0}
    for pairs in universe.values():
        for verdict in (True, False):
            cell = [pair for pair in pairs if (pair in verdicts) == verdict]
            told = [given[pair] for pair in cell if given.get(pair, "unsure") != "unsure"]
            same = told.count("same")
            held[verdict] += len(cell) * chance.beta(same + 0.5, len(told) - same + 0.5, DRAWS)
            exact[verdict] += len(cell) * ((same + 0.5) / (len(told) + 1))
    marked = sum(pair in verdicts for pairs in universe.values() for pair in pairs)
    return Estimate(
        Counter((label, pair in verdicts) for pair, label in given.items()),
        _share(exact[True] / marked, held[True] / marked),
        _share(exact[True] / sum(exact.values()), held[True] / (held[True] + held[False])),
    )


def _share(value: float, draws: np.ndarray) -> Share:
    low, high = np.quantile(draws, (0.025, 0.975))
    return Share(value, float(low), float(high))
