"""The forecasts a model must beat: the last value, and the last value at the same position of the season."""

from __future__ import annotations

import numpy as np

from .features import FeatureMaker

Floats = np.ndarray
Ints = np.ndarray

# Residuals are taken from this many seasons before the origin, at least this many periods.
RESIDUAL_SEASONS = 8
RESIDUAL_PERIODS = 60


def seasonal_naive(maker: FeatureMaker, series: Ints, origin: Ints, horizon: Ints) -> Floats:
    """Return the last observed value at the target's position of the season (Hyndman & Athanasopoulos, 5.2).

    A gap is stepped over season by season, never by counting rows. NaN where that position was never seen.
    """
    _must_be_plain(maker)
    season = maker.spine.season
    return maker.take(maker.season_fill, series, maker.aligned(series, origin, horizon, season, 0))


def persistence(maker: FeatureMaker, series: Ints, origin: Ints) -> Floats:
    """Return the last observed value."""
    _must_be_plain(maker)
    columns = maker.newest(series, origin)
    return maker.take(maker.y, series, columns)


def _must_be_plain(maker: FeatureMaker) -> None:
    """Refuse a maker of transformed values: a baseline in square roots would be no baseline."""
    if maker.power != 1:
        raise ValueError(f"baselines need a FeatureMaker of power 1, not {maker.power}")


def quantile_forecasts(
    maker: FeatureMaker,
    model: str,
    series: Ints,
    origin: int | Ints,
    horizons: int,
    quantiles: tuple[float, ...],
) -> tuple[Floats, Floats]:
    """Return point and quantiles of a baseline: the point plus its own past errors' empirical quantiles.

    Args:
        model: `seasonal_naive` or `persistence`.
        series: [n] grid rows; origin: [n] columns; horizons: 1..horizons are forecast.

    Returns:
        points [n, horizons] and quantiles [n, horizons, quantile], clipped at 0, sorted. Errors of a
        horizon are
        pooled over the periods of the residual window that ends at the origin; none after it is read.
    """
    origin = np.broadcast_to(np.asarray(origin), series.shape)
    count = len(series)
    points = np.full((count, horizons), np.nan)
    found = np.full((count, horizons, len(quantiles)), np.nan)
    season = maker.spine.season
    window = max(RESIDUAL_SEASONS * season if season < 100 else 4 * season, RESIDUAL_PERIODS)
    back = np.arange(window)
    ends = origin[:, None] - back[None, :]
    rows = np.broadcast_to(series[:, None], ends.shape)
    truth = maker.take(maker.y, rows, ends)
    cached: dict[int, Floats] = {}
    for step in range(1, horizons + 1):
        at = np.full(count, step)
        if model == "seasonal_naive":
            points[:, step - 1] = seasonal_naive(maker, series, origin, at)
            lag = season * -(-step // season)
            if lag not in cached:
                before = maker.take(maker.season_fill, rows, maker.spine.same_position(rows, ends, lag))
                cached[lag] = np.sort(truth - before, axis=1)
            errors = cached[lag]
        else:
            points[:, step - 1] = persistence(maker, series, origin)
            before = np.where(ends - step >= 0, ends - step, -1)
            newest = np.where(before >= 0, maker.newest(rows, np.maximum(before, 0)), -1)
            errors = np.sort(truth - maker.take(maker.y, rows, newest), axis=1)
        found[:, step - 1] = points[:, step - 1, None] + sorted_quantiles(errors, quantiles)
    return points, np.maximum(np.sort(found, axis=2), 0.0)


def sorted_quantiles(ordered: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Return [n, quantile] empirical quantiles of rows sorted with NaN last; 0 where a row holds nothing."""
    count = (~np.isnan(ordered)).sum(axis=1)
    where = np.asarray(quantiles)[None, :] * np.maximum(count - 1, 0)[:, None]
    low = np.floor(where).astype(int)
    high = np.minimum(low + 1, np.maximum(count - 1, 0)[:, None])
    rows = np.arange(len(ordered))[:, None]
    values = ordered[rows, low] + (where - low) * (ordered[rows, high] - ordered[rows, low])
    return np.where(count[:, None] > 0, values, 0.0)
