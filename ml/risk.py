"""Overload risk: the probability that demand exceeds capacity at any period within a horizon."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .features import FeatureMaker

Floats = np.ndarray

DRAWS = 1_000


def exceedance_score(
    forecast: Floats, capacity: Floats, quantiles: tuple[float, ...], is_count: bool = True
) -> Floats:
    """Return the normal score of P(demand <= capacity) per cell.

    The forecast distribution is read off its quantiles by linear interpolation of normal scores, continued with the
    outer slopes beyond the first and the last. Beds are whole: "more than c" begins half a bed above c.

    Args:
        forecast: [..., quantile], ascending; capacity: [...].
    """
    from scipy.special import ndtri

    scores = ndtri(np.asarray(quantiles))
    limit = capacity + (0.5 if is_count else 0.0)
    shape = limit.shape
    values = forecast.reshape(-1, len(quantiles))
    # Equal quantiles would make steps of no width; a millionth of a bed apart they interpolate.
    values = values + np.arange(len(quantiles)) * 1e-6
    limit = limit.reshape(-1)
    at = np.clip((values < limit[:, None]).sum(axis=1), 1, len(quantiles) - 1)
    rows = np.arange(len(values))
    low, high = values[rows, at - 1], values[rows, at]
    slope = (scores[at] - scores[at - 1]) / (high - low)
    return np.clip(scores[at - 1] + slope * (limit - low), -8.0, 8.0).reshape(shape)


def within_horizon(score: Floats, correlation: float, seed: int) -> Floats:
    """Return [pair, horizon] P(demand > capacity at any period up to the horizon).

    Errors of one forecast run together from period to period: the marginals are joined by a Gaussian copula of
    first-order autocorrelation, evaluated on fixed draws, so that equal inputs give equal numbers.

    Args:
        score: [pair, horizon] as from `exceedance_score`.
        correlation: of the errors of two neighbouring horizons, 0..1.
    """
    paths = _paths(score.shape[1], round(float(np.clip(correlation, 0.0, 0.999)), 6), seed)
    found = np.empty(score.shape)
    for pair in range(len(score)):
        over = np.logical_or.accumulate(paths > score[pair][None, :], axis=1)
        found[pair] = over.mean(axis=0)
    return found


@lru_cache(maxsize=16)
def _paths(horizons: int, correlation: float, seed: int) -> Floats:
    """Return [draw, horizon] standard normal paths, antithetic."""
    half = np.random.default_rng(seed).standard_normal((DRAWS // 2, horizons))
    noise = np.concatenate([half, -half])
    paths = noise.copy()
    for step in range(1, horizons):
        paths[:, step] = correlation * paths[:, step - 1] + np.sqrt(1 - correlation**2) * noise[:, step]
    return paths


def error_correlation(maker: FeatureMaker, rows: np.ndarray, before: int | None = None) -> float:
    """Return how departures from the season hang on those of the period before, pooled over rows, up to a column."""
    departures = maker._departure[rows, : before + 1 if before is not None else None]
    centred = (
        departures - np.nanmean(np.where(np.isnan(departures), np.nan, departures))
        if departures.size
        else departures
    )
    a, b = centred[:, :-1], centred[:, 1:]
    both = ~np.isnan(a) & ~np.isnan(b)
    if both.sum() < 30:
        return 0.0
    # Each series counts alike, whatever its size.
    weight = 1.0 / np.maximum(np.nanvar(np.where(both, a, np.nan), axis=1), 1e-9)[:, None] * np.ones_like(a)
    x, y, w = a[both], b[both], weight[both]
    bottom = np.sqrt((w * x * x).sum() * (w * y * y).sum())
    return float(np.clip((w * x * y).sum() / bottom, 0.0, 0.98)) if bottom > 0 else 0.0


def last_known(values: Floats) -> Floats:
    """Return [series, period] values carried forward: capacity stays what it was last said to be."""
    columns = np.where(np.isnan(values), -1, np.arange(values.shape[1]))
    newest = np.maximum.accumulate(columns, axis=1)
    rows = np.arange(len(values))[:, None]
    return np.where(newest >= 0, values[rows, np.maximum(newest, 0)], np.nan)
