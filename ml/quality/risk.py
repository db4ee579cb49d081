"""Quality risk: P(a facility's measure misses its benchmark next period), small denominators shrunk."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ..panel import last_known
from .control_charts import xmr
from .measures import HIGHER, Measure, measures, until

if TYPE_CHECKING:
    import polars as pl

Floats = np.ndarray

# What is tried for the three numbers that all facilities of a measure share; see `Weights`.
KEEPS = (0.0, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0)
STEADINESS = tuple(float(2.0**power) for power in range(3, 15, 1))
PEERS = (0.0, 2.0, 8.0, 32.0, 128.0)
YEARS_DRAWN = 2
FEWEST_FORECASTS = 20  # of one period from those before it, to learn the three numbers from


@dataclass(frozen=True)
class Weights:
    """What all facilities of a measure share, learned from how well each period followed from those before.

    Args:
        keep: how much of what a period tells is still believed a period later (1: levels never move).
        steady: how alike two periods of one facility are, in the numbers of cases (of a rate) or in inverse
            variances (of a value with an error): the rest is change that no denominator explains.
        peers: how much the mean of all facilities weighs, in the same unit: 0 trusts each facility alone.
    """

    keep: float
    steady: float
    peers: float


def learn(measure: Measure) -> Weights | None:
    """Return the weights under which each period was likeliest given those before it; None: too few periods.

    Empirical Bayes: the prior is learned from all facilities (Morris 1983, J. Am. Stat. Assoc. 78, 47-55;
    for rates the beta-binomial of Skellam 1948, JRSS B 10, 257-261).
    """
    known = ~np.isnan(measure.value)
    if int((known[:, 1:] & (np.cumsum(known, axis=1)[:, :-1] > 0)).sum()) < FEWEST_FORECASTS:
        return None
    scale = 1.0 if measure.size is not None else 1.0 / max(_change(measure.value), 1e-12)
    best, chosen = -np.inf, None
    for keep, steady, peers in product(KEEPS, STEADINESS, PEERS):
        # Of values the unit is the inverse mean square of a change: from a 64th of it to 32 times.
        factor = 1.0 if measure.size is not None else scale / 512
        weights = Weights(keep, steady * factor, peers * factor)
        likelihood = _likelihood(measure, weights)
        if likelihood > best:
            best, chosen = likelihood, weights
    return chosen


def _change(value: Floats) -> float:
    steps = np.diff(value, axis=1)
    steps = steps[~np.isnan(steps)]
    return float(np.mean(steps**2)) if len(steps) else 0.0


def _levels(measure: Measure, weights: Weights) -> tuple[Floats, Floats]:
    """Return [facility, period] level and how much is known of it, each after that period.

    A period's own information is that of its denominator (or error) and of its unsteadiness together:
    n s / (n + s). Older information fades by `keep`; the mean of all facilities is added with `peers`.
    """
    value, known = np.nan_to_num(measure.value), ~np.isnan(measure.value)
    if measure.size is not None:
        size = np.where(known, np.nan_to_num(measure.size), 0.0)
        information = size * weights.steady / (size + weights.steady)
    else:
        error = np.zeros_like(value) if measure.error is None else np.nan_to_num(measure.error)
        information = np.where(known, 1 / (error**2 + 1 / weights.steady), 0.0)
    told, sum_of = np.zeros_like(value), np.zeros_like(value)
    before_told, before_sum = np.zeros(len(value)), np.zeros(len(value))
    for at in range(value.shape[1]):
        # A period without a value fades as well: what was known is older by then.
        before_told = weights.keep * before_told + information[:, at]
        before_sum = weights.keep * before_sum + information[:, at] * value[:, at]
        told[:, at], sum_of[:, at] = before_told, before_sum
    total = told.sum(axis=0)
    mean = sum_of.sum(axis=0) / np.where(total > 0, total, 1.0)
    # Where nothing at all is remembered, the peers must speak.
    peers = np.where(told > 0, weights.peers, np.maximum(weights.peers, 1e-6))
    level = (sum_of + peers * mean[None, :]) / (told + peers)
    return np.where(total[None, :] > 0, level, np.nan), told + peers


def _spread(weights: Weights, told: Floats) -> Floats:
    """Return the information about next period's own level: what is known, less its unsteadiness."""
    return told * weights.steady / (told + weights.steady)


def _likelihood(measure: Measure, weights: Weights) -> float:
    """Return the log likelihood of every period given those before it, constants left out."""
    from scipy.special import betaln

    level, told = (made[:, :-1] for made in _levels(measure, weights))
    value = measure.value[:, 1:]
    seen = ~np.isnan(value) & ~np.isnan(level)
    spread = _spread(weights, told)
    if measure.size is not None:
        size = np.round(measure.size[:, 1:][seen])
        hits = np.round(value[seen] * size)
        kept = np.clip(level[seen], 1e-4, 1 - 1e-4)
        a, b = kept * spread[seen], (1 - kept) * spread[seen]
        return float((betaln(hits + a, size - hits + b) - betaln(a, b)).sum())
    error = 0.0 if measure.error is None else measure.error[:, 1:][seen]
    variance = error**2 + 1 / spread[seen]
    return float(-0.5 * (np.log(variance) + (value[seen] - level[seen]) ** 2 / variance).sum())


def probability(measure: Measure, weights: Weights) -> Floats:
    """Return [facility] P(the period after the newest misses the benchmark).

    The benchmark, the denominator and the error of the next period are taken to be the newest known.
    """
    from scipy.stats import norm

    levels, known = _levels(measure, weights)
    level = levels[:, -1] + season_step(measure, levels)
    spread = _spread(weights, known[:, -1])
    benchmark = last_known(measure.benchmark)[:, -1]
    if measure.size is None:
        error = 0.0 if measure.error is None else last_known(measure.error)[:, -1]
        below = norm.cdf((benchmark - level) / np.sqrt(error**2 + 1 / spread))
        return below if measure.better == HIGHER else 1 - below
    size, found = last_known(measure.size)[:, -1], np.full(len(level), np.nan)
    kept = np.clip(level, 1e-4, 1 - 1e-4)
    for at in np.flatnonzero(~np.isnan(level + benchmark + size)):
        n = max(1, round(float(size[at])))
        limit, a, b = (
            float(benchmark[at]) * n,
            float(kept[at] * spread[at]),
            float((1 - kept[at]) * spread[at]),
        )
        # Exactly at the benchmark is no miss.
        if measure.better == HIGHER:
            found[at] = _share_up_to(int(np.ceil(limit - 1e-9)) - 1, n, a, b)
        else:
            found[at] = 1 - _share_up_to(int(np.floor(limit + 1e-9)), n, a, b)
    return found


def season_step(measure: Measure, levels: Floats) -> float:
    """Return what the coming month or quarter did to all facilities in years past; 0 where none is known.

    The median over facilities of value less level before it, meaned over years, and drawn to none by two
    years: what one hard winter did is not yet a season.
    """
    season, coming = measure.season, measure.value.shape[1]
    if season is None:
        return 0.0
    steps = []
    for at in range(coming - season, 0, -season):
        miss = measure.value[:, at] - levels[:, at - 1]
        if not np.isnan(miss).all():
            steps.append(float(np.nanmedian(miss)))
    return sum(steps) / (len(steps) + YEARS_DRAWN)


def _share_up_to(count: int, n: int, a: float, b: float) -> float:
    """Return P(X <= count) of the beta-binomial: Σ C(n, x) B(x + a, n - x + b) / B(a, b)."""
    from scipy.special import betaln, gammaln

    if count < 0:
        return 0.0
    x = np.arange(min(count, n) + 1)
    ways = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    return float(min(1.0, np.exp(ways + betaln(x + a, n - x + b) - betaln(a, b)).sum()))


@dataclass(frozen=True)
class Rolled:
    """Forecasts of one period from those before it, and what came: arrays are [case].

    Args:
        said, as_last, own_share, all_share: ours; 1 if the newest period missed; share of the facility's own
            past that missed (drawn to everybody's by one period); everybody's share.
    """

    event: Floats
    said: Floats
    as_last: Floats
    own_share: Floats
    all_share: Floats


def roll(measure: Measure, first: int, refit_every: int = 12) -> Rolled:
    """Forecast every period after the first ones from what was known before it.

    The weights are learned anew every so many periods, each time from the past alone.
    """
    parts: list[Floats] = []
    weights, missed = None, measure.missed
    for now in range(first, len(measure.periods)):
        past = until(measure, now)
        if weights is None or (now - first) % refit_every == 0:
            weights = learn(past) or weights
        if weights is None:
            continue
        said, before = probability(past, weights), missed[:, :now]
        seen = (~np.isnan(before)).sum(axis=1)
        everybody = float(np.nanmean(before)) if seen.any() else 0.5
        own = (np.nansum(before, axis=1) + everybody) / (seen + 1)
        cases = np.column_stack(
            [missed[:, now], said, last_known(before)[:, -1], own, np.full(len(own), everybody)]
        )
        parts.append(cases[~np.isnan(cases).any(axis=1)])
    found = np.concatenate(parts) if parts else np.empty((0, 5))
    return Rolled(*found.T)


def assess(frame: pl.DataFrame) -> pl.DataFrame:
    """Return one row per facility and measure: the risk of the period that comes, and what its chart says.

    Columns: facility, measure, after_period, probability, level (shrunk), newest_value, benchmark,
    missed_now, signal (of the newest period), reason (why there is no probability).
    """
    import polars as pl

    rows: list[dict[str, object]] = []
    for measure in measures(frame):
        weights = learn(measure)
        level = said = np.full(len(measure.facilities), np.nan)
        if weights is not None:
            level, said = _levels(measure, weights)[0][:, -1], probability(measure, weights)
        for at, facility in enumerate(measure.facilities):
            chart = xmr(measure.value[at])
            newest = [one.rule for one in chart.signals if one.at == measure.value.shape[1] - 1]
            few = f"fewer than {FEWEST_FORECASTS} periods that follow another, over all facilities"
            rows.append(
                {
                    "facility": facility, "measure": measure.name, "after_period": measure.periods[-1],
                    "probability": _told(said[at]), "level": _told(level[at]),
                    "newest_value": _told(measure.value[at, -1]),
                    "benchmark": _told(last_known(measure.benchmark)[at, -1]),
                    "missed_now": _told(measure.missed[at, -1]), "signal": "; ".join(newest) or None,
                    "reason": few if weights is None else None if np.isfinite(said[at]) else "never counted",
                }
            )  # fmt: skip
    names = ("probability", "level", "newest_value", "benchmark", "missed_now")
    return pl.DataFrame(
        rows,
        schema_overrides=dict.fromkeys(names, pl.Float64) | {"signal": pl.String, "reason": pl.String},
    )


def _told(value: float) -> float | None:
    """Return None for what cannot be told: NaN reads like a number."""
    return float(value) if np.isfinite(value) else None
