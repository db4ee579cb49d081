"""How long patients stay, stays that are not over counted as such: lengths and ages are hours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..panel import Floats

# Departures that the longest lengths must hold between them to say how fast such patients leave.
FEWEST_DEPARTURES = 20.0


def kaplan_meier(
    lengths: Floats, left: np.ndarray, entered: Floats, weights: Floats
) -> tuple[Floats, Floats]:
    """Return the distinct lengths at which patients left, ascending, and the share of those at risk who did.

    Kaplan & Meier (1958), J. Am. Stat. Assoc. 53, 457-481: the share that stays longer than t is the product
    over t_i <= t of 1 - d_i / n_i, and who is still there at t_i, or left then, is at risk. With late entry
    (Tsai, Jewell & Wang 1987, Biometrika 74, 883-886) only if under observation before t_i.

    Args:
        lengths: [stay] so far; left: [stay] whether it is over; weights: [stay] how many it counts for.
        entered: [stay] length at which it came under observation; negative: from the start.
    """
    ages = np.unique(lengths[left])
    departed = np.bincount(np.searchsorted(ages, lengths[left]), weights[left], len(ages))
    at_risk = _reaching(lengths, weights, ages) - _reaching(entered, weights, ages)
    return ages, np.minimum(departed / np.maximum(at_risk, departed), 1.0)


def _reaching(values: Floats, weights: Floats, ages: Floats) -> Floats:
    """Return [age] the weight of the stays whose value is at least it."""
    order = np.argsort(values, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(weights[order])])
    return before[-1] - before[np.searchsorted(values[order], ages)]


@dataclass(frozen=True)
class Hazard:
    """How fast patients leave by how long they have stayed: steps of Kaplan-Meier, then a constant rate.

    The few longest stays tell too little for steps, and nothing of who has stayed longer than all of them.

    Args:
        ages, sums: [step] lengths, and -log of the share that stays longer.
        tail, rate: the length from which on patients leave at a constant rate per hour.
    """

    ages: Floats
    sums: Floats
    tail: float
    rate: float

    def at(self, ages: Floats) -> Floats:
        """Return the hazard summed up to each age; 0 below 0."""
        steps = np.concatenate([[0.0], self.sums])[np.searchsorted(self.ages, ages, "right")]
        return steps + self.rate * np.maximum(ages - self.tail, 0.0)


def hazard_of(lengths: Floats, left: np.ndarray, entered: Floats, weights: Floats) -> Hazard:
    """Return the hazard that stays show (arguments as of `kaplan_meier`)."""
    ages, leaving = kaplan_meier(lengths, left, entered, weights)
    later = np.append(_reaching(lengths[left], weights[left], ages)[1:], 0.0)
    steps = int((later >= FEWEST_DEPARTURES).sum())
    tail = float(ages[steps - 1]) if steps else 0.0
    departed = later[steps - 1] if steps else weights[left].sum()
    exposed = (weights * np.maximum(lengths - np.maximum(entered, tail), 0)).sum()
    # Stays of no length expose nobody: a minute each is less than is ever written down.
    rate = float(departed / max(exposed, departed / 60)) if departed else 0.0
    return Hazard(ages[:steps], -np.log1p(-np.minimum(leaving[:steps], 1 - 1e-12)).cumsum(), tail, rate)
