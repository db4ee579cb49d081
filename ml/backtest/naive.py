"""Forecasts that any model must beat: last value, seasonal naive and climatology."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..panel import Floats, Ints, Panel

# How far back errors and profiles are taken from, in periods; None: the whole history.
RECENT = {"H": 8 * 7 * 24, "D": 2 * 365, "W": None, "M": None}
YEAR = {"H": 24 * 365, "D": 365, "W": 52, "M": 12}
# Fewer errors than this say nothing of a spread.
FEWEST = 8
CLIMATE_DAYS = 21
DAY = np.timedelta64(1, "D")


def quantiles_of(values: Floats, levels: tuple[float, ...], fewest: int = FEWEST) -> Floats:
    """Return [..., level] quantiles along the last axis without NaN; NaN where fewer than `fewest` are there.

    Linear between order statistics (type 7 of Hyndman & Fan, 1996, Am. Stat. 50, numpy's default).
    """
    ordered = np.sort(values, axis=-1)
    count = (~np.isnan(ordered)).sum(axis=-1)
    if not ordered.shape[-1]:
        return np.full((*values.shape[:-1], len(levels)), np.nan)
    place = np.maximum(count - 1, 0)[..., None] * np.asarray(levels)
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, np.maximum(count - 1, 0)[..., None])
    low = np.take_along_axis(ordered, below, axis=-1)
    high = np.take_along_axis(ordered, above, axis=-1)
    found = low + (high - low) * (place - below)
    return np.where((count >= fewest)[..., None], found, np.nan)


def naive_errors(panel: Panel) -> Floats:
    """Return [series] the in-sample mean absolute error of the seasonal naive forecast, NaN where unknown."""
    season = panel.season
    error = np.abs(panel.y[:, season:] - panel.y[:, : max(panel.width - season, 0)])
    count = (~np.isnan(error)).sum(axis=1)
    return np.where(count > 0, np.nansum(error, axis=1) / np.maximum(count, 1), np.nan)


def filled(y: Floats) -> tuple[Floats, Ints]:
    """Return [series, period] the last known value at each period, and how many periods old it is."""
    return seasonally_filled(y, 1)


def seasonally_filled(y: Floats, season: int) -> tuple[Floats, Ints]:
    """Return [series, period] the newest known value at the same position of the season, and its age.

    A gap is stepped over season by season. NaN (and an age of no meaning) where the position was never seen.
    """
    cycles = -(-y.shape[1] // season)
    padded = np.full((y.shape[0], cycles * season), np.nan)
    padded[:, : y.shape[1]] = y
    cube = padded.reshape(y.shape[0], cycles, season)
    here = np.arange(cycles)[None, :, None]
    newest = np.maximum.accumulate(np.where(np.isnan(cube), 0, here), axis=1)
    out = np.take_along_axis(cube, newest, axis=1).reshape(padded.shape)[:, : y.shape[1]]
    age = ((here - newest) * season).reshape(padded.shape)[:, : y.shape[1]]
    return out, age


def with_own_errors(
    panel: Panel, point: Floats, lag: Ints, known: Floats, levels: tuple[float, ...]
) -> Floats:
    """Return [series, horizon, level]: points plus quantiles of the past errors of the same lag.

    Errors are taken with both signs, so that the median is the point, as the baseline of the CDC's hubs does
    (Cramer et al., 2022, PNAS 119, e2113561119, "COVIDhub-baseline"). Clipped at 0: what is counted is
    never less.

    Args:
        point: [series, horizon].
        lag: [series, horizon] periods between a target and the value that is its point.
        known: [series, period] what the method would have taken as newest value at each period.
    """
    out = np.full((*point.shape, len(levels)), np.nan)
    recent = RECENT[panel.frequency] or panel.width
    for step in np.unique(lag[~np.isnan(point)]):
        rows, steps = np.nonzero((lag == step) & ~np.isnan(point))
        # A value older than half of the history leaves too few errors of its own lag: the longest there is.
        span = min(int(step), panel.width // 2)
        some = np.unique(rows)
        errors = (
            panel.y[some, span:] - known[some, : panel.width - span] if span else np.zeros((len(some), 0))
        )
        errors = errors[:, -recent:]
        spread = np.full((len(panel.ids), len(levels)), np.nan)
        # The quantiles of a symmetric sample are those of its magnitudes, whose sort is half as long.
        spread[some] = _symmetric(np.abs(errors), levels)
        out[rows, steps] = point[rows, steps, None] + spread[rows]
    return np.maximum(out, 0)


def _symmetric(magnitudes: Floats, levels: tuple[float, ...]) -> Floats:
    """Return quantiles of values of which each stands with both signs."""
    tau = np.abs(2 * np.asarray(levels) - 1)
    found = quantiles_of(magnitudes, tuple(tau))
    return np.sign(np.asarray(levels) - 0.5) * found


@dataclass
class LastValue:
    """The last known value, however old; its spread grows as past errors of the same lead did."""

    name: str = "last_value"

    def fit(self, panel: Panel) -> LastValue:
        """Learn nothing: all is in the panel that is predicted from."""
        return self

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return [series, horizon, quantile]; NaN for a series with fewer than eight errors."""
        known, age = filled(panel.y)
        ahead = np.arange(1, panel.horizon + 1)
        point = np.repeat(known[:, -1:], panel.horizon, axis=1)
        return with_own_errors(panel, point, age[:, -1:] + ahead, known, quantiles)


@dataclass
class SeasonalNaive:
    """The newest known value at the target's position of the season.

    The season is a day (H), a week (D), or a year of 52 weeks (W). A series that was never seen at a position
    (of less than a year of weeks) gets the last value there.
    """

    name: str = "seasonal_naive"

    def fit(self, panel: Panel) -> SeasonalNaive:
        """Learn nothing: all is in the panel that is predicted from."""
        return self

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return [series, horizon, quantile]; NaN for a series with fewer than eight errors."""
        season, width = panel.season, panel.width
        last = LastValue().predict(panel, quantiles)
        if width <= season:
            return last
        known, age = seasonally_filled(panel.y, season)
        target = width - 1 + np.arange(1, panel.horizon + 1)
        back = -(-(target - (width - 1)) // season) * season
        point, lag = known[:, target - back], age[:, target - back] + back
        said = with_own_errors(panel, point, lag, known, quantiles)
        return np.where(np.isnan(said), last, said)


@dataclass
class Climatology:
    """What the past was like at this time: no model, the quantiles of past values.

    Days and weeks: values of all past years within three weeks of the target's day of the year. Hours: values
    at the target's hour of the week over the last eight weeks. A series with fewer than eight such values
    gets the quantiles of its whole recent history.
    """

    name: str = "climatology"

    def fit(self, panel: Panel) -> Climatology:
        """Learn nothing: all is in the panel that is predicted from."""
        return self

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return [series, horizon, quantile]; NaN for a series with fewer than eight values."""
        out = np.full((len(panel.ids), panel.horizon, len(quantiles)), np.nan)
        past = panel.times[: panel.width]
        for step, target in enumerate(panel.times[panel.width :]):
            if panel.frequency == "H":
                weeks = (target - past) // np.timedelta64(1, "h")
                near = (weeks % 168 == 0) & (weeks <= RECENT["H"])
            else:
                days = (target - past) / DAY
                years = np.round(days / 365.25)
                near = (years >= 1) & (np.abs(days - years * 365.25) <= CLIMATE_DAYS)
            if near.any():
                out[:, step] = quantiles_of(panel.y[:, near], quantiles)
        recent = RECENT[panel.frequency] or panel.width
        whole = quantiles_of(panel.y[:, -recent:], quantiles)[:, None]
        return np.where(np.isnan(out), whole, out)
