"""How likely demand is to exceed capacity at any period within a horizon, read off marginal quantiles."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .features import FeatureMaker

Floats = np.ndarray

DRAWS = 1_000
FEWEST_PAIRS = 30


def exceedance_score(
    forecast: Floats, capacity: Floats, quantiles: tuple[float, ...], is_count: bool = True
) -> Floats:
    """Return the normal score of P(demand <= capacity) per cell.

    The forecast distribution is read off its quantiles by linear interpolation of normal scores, continued
    with the
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

    Errors of one forecast run together from period to period: the marginals are joined by a Gaussian
    copula of
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


def error_correlation(maker: FeatureMaker, rows: np.ndarray) -> float:
    """Return how far departures from the season follow those of the period before (0..0.98), pooled."""
    departures = maker.departure[rows]
    ahead, behind = departures[:, 1:], departures[:, :-1]
    both = ~np.isnan(ahead) & ~np.isnan(behind)
    if both.sum() < FEWEST_PAIRS:
        return 0.0
    # Each series counts alike, whatever its size.
    power = np.where(both, ahead**2, 0.0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
    weight = np.broadcast_to(1 / np.maximum(power, 1e-9)[:, None], both.shape)[both]
    x, y = ahead[both], behind[both]
    bottom = np.sqrt((weight * x * x).sum() * (weight * y * y).sum())
    return float(np.clip((weight * x * y).sum() / bottom, 0.0, 0.98)) if bottom > 0 else 0.0


def last_known(values: Floats) -> Floats:
    """Return [series, period] values carried forward: capacity stays what it was last said to be."""
    columns = np.where(np.isnan(values), -1, np.arange(values.shape[1]))
    newest = np.maximum.accumulate(columns, axis=1)
    rows = np.arange(len(values))[:, None]
    return np.where(newest >= 0, values[rows, np.maximum(newest, 0)], np.nan)
