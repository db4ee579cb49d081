"""What a panel's past looks like at every period, from values up to that period alone.

Levels, profiles, scales and the common movement of all series are computed once for all periods, so that the
rows of training and of a forecast are looked up in the same arrays.
"""

from __future__ import annotations

import numpy as np

from ..panel import Floats, Ints, Panel
from .configuration import Configuration
from .holidays import Holidays
from .revisions import nowcast
from .slips import slips

# Rates are modelled after this much is added, so that a power of none is not the steepest place.
RATE_OFFSET = 0.01
PER = 100_000
LONGEST_SILENCE = 2  # horizons after which a series counts as ended
SMALLEST_SCALE = 0.3  # of the square root of the level: what counting alone lets a value vary by, nearly


class History:
    """A panel's past, period by period.

    Args:
        panel: what is known; configuration: of its frequency.
        country: whose holidays count where the panel names none; None: looked for in the past.

    Attributes:
        slips: [series, period] values that are taken for slips, and for unknown.
        x: [series, period] values as modelled (transformed, without holes inside); seen: where one was known.
        last: [series, period] column of the newest known value at or before each period, -1 for none.
        levels, means, medians: {span or window: [series, period]}; rest: x without its profile.
        profiles: [(periods, [series, period] mean departure at the period's position)].
        anchor, scale: [series, period] what changes are counted from, and in.
        common: {name: [period]} mean over all series, in scales.
    """

    def __init__(self, panel: Panel, configuration: Configuration, country: str | None = None) -> None:
        self.panel, self.configuration = panel, configuration
        self.first = max(0, panel.width - configuration.history)
        corrected = nowcast(panel, configuration.revisions) if panel.versions is not None else panel.y
        y = np.asarray(corrected, dtype=float)[:, self.first :]
        self.slips = slips(y)
        y = np.where(self.slips, np.nan, y)
        self.width = y.shape[1]
        self.seen = ~np.isnan(y)
        columns = np.arange(self.width)
        self.last = np.maximum.accumulate(np.where(self.seen, columns, -1), axis=1)
        self._divisors(y)
        raw = self.transform(y)
        self.x = _filled(raw, configuration.season)
        self.profiles = [(n, _profile(self.x, self.seen, n, weight)) for n, weight in configuration.profiles]
        before = [_delayed(profile, periods) for periods, profile in self.profiles]
        self.rest = self.x - (sum(before) / len(before) if before else 0.0)
        known_rest = np.where(self.seen, self.rest, np.nan)
        self.levels = {span: weighted_mean(known_rest, span) for span in configuration.spans}
        self.means = {window: trailing_mean(self.x, window) for window in configuration.means}
        self.medians = {window: _trailing_median(self.rest, window) for window in configuration.medians}
        self._scales(raw)
        spans = configuration.spans
        self.anchor = self.x if configuration.anchor < 0 else self.levels[spans[configuration.anchor]]
        self.common = self._common()
        self.holidays = None
        if panel.frequency in ("H", "D"):
            self.holidays = Holidays(
                panel, self.first, self.common["common_surprise"], country, self.seen.any(axis=0)
            )

    def silence(self) -> Ints:
        """Return [series] how many periods old the last value is, -1 where there is none."""
        last = self.last[:, -1]
        return np.where(last >= 0, self.width - 1 - last, -1)

    def silences(self) -> Ints:
        """Return the silences of the series that have not ended, in their order."""
        silence = self.silence()
        found: Ints = silence[(silence >= 0) & (silence <= LONGEST_SILENCE * self.panel.horizon)]
        return found

    def transform(self, y: Floats) -> Floats:
        """Return values as they are modelled."""
        if self.configuration.power == 1:
            return y
        rate = np.maximum(y, 0.0) / self._divisor[:, None] + RATE_OFFSET
        moved: Floats = rate**self.configuration.power / self._unit[:, None]
        return moved

    def back(self, series: Ints, x: Floats) -> Floats:
        """Return values in the table's unit, never below 0, of modelled ones ([row, …])."""
        if self.configuration.power == 1:
            return np.maximum(x, 0.0)
        shape = (-1,) + (1,) * (x.ndim - 1)
        rate = np.maximum(x * self._unit[series].reshape(shape), 0.0) ** (1 / self.configuration.power)
        found: Floats = np.maximum((rate - RATE_OFFSET) * self._divisor[series].reshape(shape), 0.0)
        return found

    def seasonal(self, series: Ints, origin: Ints, target: Ints) -> list[Floats]:
        """Return per profile its newest value at the target's position that was known at the origin."""
        found = []
        for periods, profile in self.profiles:
            column = target - -(-(target - origin) // periods) * periods
            at = np.where(column >= 0, profile[series, np.maximum(column, 0)], 0.0)
            found.append(np.nan_to_num(at))
        return found

    def base(self, series: Ints, origin: Ints, lead: Ints) -> Floats:
        """Return what a target would be if the level stayed and the season went on."""
        parts = self.seasonal(series, origin, origin + lead)
        level = self.anchor[series, origin]
        found: Floats = level + sum(parts) / len(parts) if parts else level
        return found

    def _divisors(self, y: Floats) -> None:
        """Set what values are divided by before their power (people, or the series' own size) and after."""
        self._divisor = self._unit = np.ones(len(y))
        if self.configuration.power == 1:
            return
        people = self.panel.static.get("population")
        size = row_quantile(y, 0.95)
        own = np.maximum(size, 1.0) / 10
        if people is not None:
            counted = np.asarray(people, dtype=float) / PER
            own = np.where(np.isfinite(counted) & (counted > 0), counted, own)
        self._divisor = own
        moved = (np.maximum(y, 0.0) / own[:, None] + RATE_OFFSET) ** self.configuration.power
        self._unit = np.maximum(row_quantile(moved, 0.95), RATE_OFFSET**self.configuration.power)

    def _scales(self, raw: Floats) -> None:
        """Set the scale of changes: how far values of neighbouring seasons differ, recently and ever."""
        season = self.configuration.season
        apart = np.full_like(raw, np.nan)
        step = season if self.profiles else 1
        apart[:, step:] = raw[:, step:] - raw[:, :-step]
        steps = np.full_like(raw, np.nan)
        steps[:, 1:] = np.where(self.seen[:, 1:], self.rest[:, 1:] - self.rest[:, :-1], np.nan)
        short = season if self.profiles else 4
        self.swing = np.sqrt(weighted_mean(apart**2, 2 * short))
        self.jitter = np.sqrt(weighted_mean(steps**2, 4 * short))
        self.long_level = trailing_mean(self.x, self.configuration.means[-1])
        if self.configuration.power != 1:
            self.scale = np.ones_like(raw)
            return
        recent = np.sqrt(weighted_mean(apart**2, 8 * season))
        ever = np.sqrt(weighted_mean(apart**2, 64 * season))
        counting = np.sqrt(np.abs(np.nan_to_num(self.long_level)) + 0.25)
        found = np.maximum(recent, 0.5 * ever)
        # A series that has not yet shown two values a season apart varies as others of its size do.
        found = np.where(np.isnan(found), counting * _column_median(found / counting), found)
        self.scale = np.maximum(found, SMALLEST_SCALE * counting)

    def _common(self) -> dict[str, Floats]:
        """Return the mean over series of each level's distance from the longest, and of the surprise."""
        spans = self.configuration.spans
        longest = self.levels[spans[-1]]
        found = {
            f"common_{span:g}": column_mean((self.levels[span] - longest) / self.scale) for span in spans[:-1]
        }
        surprise = np.clip((self.rest - self.levels[spans[2]]) / self.scale, -4, 4)
        found["common_surprise"] = column_mean(surprise)
        if self.configuration.curve:
            found["common_value"] = column_mean(self.x)
        return found


def weighted_mean(values: Floats, span: float) -> Floats:
    """Return [series, period] exponentially weighted means up to each period; gaps weigh nothing.

    The weight of a value falls by 1 - 2 / (span + 1) with each period, seen or not.
    """
    from scipy.signal import lfilter

    share = 2 / (span + 1)
    seen = ~np.isnan(values)
    total = lfilter([share], [1, share - 1], np.where(seen, values, 0.0), axis=1)
    weight = lfilter([share], [1, share - 1], seen.astype(float), axis=1)
    found: Floats = np.where(weight > 1e-12, total / np.maximum(weight, 1e-12), np.nan)
    return found


def trailing_mean(values: Floats, window: int) -> Floats:
    """Return [series, period] means of the window that ends at each period, over what is seen in it."""
    seen = ~np.isnan(values)
    nothing = np.zeros((len(values), 1))
    total = np.concatenate([nothing, np.cumsum(np.where(seen, values, 0.0), axis=1)], axis=1)
    count = np.concatenate([nothing, np.cumsum(seen, axis=1)], axis=1)
    ends = np.arange(1, values.shape[1] + 1)
    begins = np.maximum(ends - window, 0)
    number = count[:, ends] - count[:, begins]
    found: Floats = np.where(number > 0, (total[:, ends] - total[:, begins]) / np.maximum(number, 1), np.nan)
    return found


def _trailing_median(values: Floats, window: int) -> Floats:
    import pandas as pd

    found: Floats = pd.DataFrame(values.T).rolling(window, min_periods=1).median().to_numpy().T
    return found


def _filled(x: Floats, season: int) -> Floats:
    """Return x with each gap filled by the value a season before, else by the one just before.

    Only what lies before a gap fills it; what lies before a series' first value stays empty.
    """
    filled = x.copy()
    for column in np.flatnonzero(np.isnan(filled).any(axis=0)):
        rows = np.flatnonzero(np.isnan(filled[:, column]))
        earlier = filled[rows, column - season] if column >= season else np.full(len(rows), np.nan)
        before = filled[rows, column - 1] if column else np.full(len(rows), np.nan)
        filled[rows, column] = np.where(np.isnan(earlier), before, earlier)
    return filled


def _profile(x: Floats, seen: np.ndarray, periods: int, newest_weight: float) -> Floats:
    """Return [series, period] the weighted mean departure from the trailing mean at each position.

    The newest departure weighs `newest_weight`, the k-th at least 1/k, so that a short past counts evenly.
    """
    departure = np.where(seen, x - trailing_mean(x, periods), np.nan)
    departure[:, : periods - 1] = np.nan
    found = np.full_like(x, np.nan)
    for begin in range(0, x.shape[1], periods):
        end = min(begin + periods, x.shape[1])
        now = departure[:, begin:end]
        if begin == 0:
            found[:, :end] = now
            continue
        before = found[:, begin - periods : end - periods]
        weight = max(newest_weight, 1 / (begin // periods + 1))
        mixed = (1 - weight) * before + weight * now
        found[:, begin:end] = np.where(np.isnan(before), now, np.where(np.isnan(now), before, mixed))
    return found


def _delayed(profile: Floats, periods: int) -> Floats:
    """Return at each period the profile of its position as it was one season before, 0 where unknown."""
    late = np.zeros_like(profile)
    late[:, periods:] = np.nan_to_num(profile[:, :-periods])
    return late


def column_mean(values: Floats) -> Floats:
    """Return [period] the mean over the series that are seen, 0 where none is."""
    seen = np.isfinite(values)
    found: Floats = np.where(seen, values, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return found


def _column_median(values: Floats) -> Floats:
    """Return [period] the median over the series that are seen, 0 where none is."""
    unseen = np.isnan(values).all(axis=0)
    found: Floats = np.nanmedian(np.where(unseen, 0.0, values), axis=0)
    return found


def row_quantile(values: Floats, level: float) -> Floats:
    """Return a quantile per row over what is seen, 0 where nothing is."""
    found = np.zeros(len(values))
    for row, part in enumerate(values):
        known = part[~np.isnan(part)]
        if len(known):
            found[row] = np.quantile(known, level)
    return found
