"""Figures of scores for events and amounts, each with its formula's source, and intervals over persons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import metrics, reliability

Floats = np.ndarray
Figures = dict[str, float]

FEWEST_OF_EACH = 10  # events, and others, for a figure that orders or calibrates them
LEAST_REPLICATES = 0.9  # of the bootstrap's draws must yield a figure before an interval is told


@dataclass(frozen=True)
class Figure:
    """One figure with its 95 % interval; what cannot be told is None, with the reason."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def auroc(score: Floats, event: Floats) -> float:
    """Return P(score of an event > score of another), ties half: Hanley & McNeil (1982), Radiology 143."""
    from scipy.stats import rankdata

    count = event.sum()
    other = len(event) - count
    if not count or not other:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[event > 0].sum() - count * (count + 1) / 2) / (count * other))


def average_precision(score: Floats, event: Floats) -> float:
    """Return the area under precision over recall as a sum of steps: Σ (R_n - R_(n-1)) P_n, ties as one step.

    Davis & Goadrich (2006), ICML: a straight line between points would be too kind.
    """
    count = event.sum()
    if not count:
        return float("nan")
    order = np.argsort(-score, kind="stable")
    sorted_score, hits = score[order], np.cumsum(event[order])
    last = np.append(np.flatnonzero(np.diff(sorted_score)), len(score) - 1)
    precision, recall = hits[last] / (last + 1), hits[last] / count
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def of_events(probability: Floats, event: Floats, prevalence: float) -> Figures:
    """Return all figures of probabilities.

    Args:
        prevalence: share of events among the training rows: what a Brier skill is held against.
    """
    found = {
        "auroc": auroc(probability, event),
        "auprc": average_precision(probability, event),
        "brier": metrics.brier(probability, event),
        "brier_skill": metrics.brier_skill(probability, np.full(len(event), prevalence), event),
        "calibration_slope": float("nan"),
        "calibration_intercept": float("nan"),
        "calibration_in_the_large": float("nan"),
        "mean_probability": float(probability.mean()),
        "event_rate": float(event.mean()),
    }
    if min(event.sum(), (1 - event).sum()) >= FEWEST_OF_EACH:
        x = reliability.log_odds(probability)
        if float(x.std()) > 1e-9:
            found["calibration_intercept"], found["calibration_slope"] = reliability.line(x, event)
        found["calibration_in_the_large"] = reliability.line(x, event, slope=1.0)[0]
    return found


def of_amounts(forecast: Floats, truth: Floats, quantiles: tuple[float, ...]) -> Figures:
    """Return all figures of quantiles of an amount.

    Args:
        forecast: [row, quantile].
    """
    middle = int(np.argmin(np.abs(np.asarray(quantiles) - 0.5)))
    found = {
        "wis": float(metrics.weighted_interval_score(truth, forecast, quantiles).mean()),
        "mae": float(np.abs(truth - forecast[:, middle]).mean()),
        "bias": float((forecast[:, middle] - truth).mean()),
    }
    for low in [level for level in quantiles if level < 0.5]:
        if any(abs(level - (1 - low)) < 1e-9 for level in quantiles):
            inside = metrics.coverage(truth, forecast, quantiles, 1 - 2 * low)
            found[f"coverage_{100 * (1 - 2 * low):.0f}"] = inside
    return found


def with_intervals(
    figures: Callable[[np.ndarray], Figures], person: np.ndarray, replicates: int, seed: int
) -> dict[str, Figure]:
    """Return each figure with its percentile bootstrap interval, whole persons drawn with replacement.

    Efron & Tibshirani (1993), An Introduction to the Bootstrap, ch. 13; encounters of one person resemble
    each other, so that drawing rows would make the interval too narrow (Field & Welsh 2007, JRSS B 69).

    Args:
        figures: of rows, given by their numbers.
    """
    point = figures(np.arange(len(person)))
    order = np.argsort(person, kind="stable")
    starts = np.flatnonzero(np.diff(person[order], prepend=-1))
    lengths = np.diff(np.append(starts, len(person)))
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in point}
    for _ in range(replicates):
        chosen = rng.integers(0, len(starts), len(starts))
        size = lengths[chosen]
        within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        for name, value in figures(order[np.repeat(starts[chosen], size) + within]).items():
            if np.isfinite(value):
                drawn[name].append(value)
    found = {}
    for name, value in point.items():
        if not np.isfinite(value):
            found[name] = Figure(None, reason="too few events, nobody flagged, or scores that are all alike")
        elif len(drawn[name]) < max(1, LEAST_REPLICATES * replicates):
            found[name] = Figure(value, reason="no interval: too many draws hold too few events")
        else:
            low, high = np.quantile(drawn[name], [0.025, 0.975])
            found[name] = Figure(float(value), float(low), float(high))
    return found


def diagram(
    probability: Floats, event: Floats, person: np.ndarray, replicates: int, seed: int
) -> list[dict[str, float]]:
    """Return the rows of a reliability diagram, whose intervals hold for whole persons drawn as well.

    Of Wilson's interval and the bootstrap's the wider: the first knows nothing of persons, the second nothing
    of what may happen where nothing has.
    """
    rows, bin_of = reliability.curve(probability, event), reliability.bins_of(probability)

    def shares(at: np.ndarray) -> Figures:
        count = np.bincount(bin_of[at], minlength=len(rows))
        hits = np.bincount(bin_of[at], event[at], len(rows))
        return {str(which): float(hits[which] / max(1, count[which])) for which in range(len(rows))}

    for name, one in with_intervals(shares, person, replicates, seed).items():
        row = rows[int(name)]
        row["low"] = min(row["low"], row["low"] if one.low is None else one.low)
        row["high"] = max(row["high"], row["high"] if one.high is None else one.high)
    return rows
