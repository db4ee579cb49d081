"""Feature rows of (series, origin, lead): all from what was known at the origin, in scales of the series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..panel import Floats, Ints, last_known
from .history import LONGEST_SILENCE, History, column_mean, row_quantile, trailing_mean, weighted_mean

HOURS_A_DAY, DAYS_A_WEEK = 24, 7
# Trailing polynomial fits (points, degree) that tell level, slope and bend of a wave.
FITS = ((4, 2), (6, 2), (3, 1), (5, 1))
RECENT_GAPS, NEARLY_ALL = 20, 0.9  # how often a signal is told is seen by so many, and by nearly all of them
LONG_AGO = 26  # periods within which a wave's own height is looked for


@dataclass
class Rows:
    """Features of rows.

    Args:
        x: [row, feature] float32; linear: the first so many features go to the linear model.
        names: [feature].
    """

    x: Floats
    linear: int
    names: list[str]

    def under(self, names: list[str]) -> Floats:
        """Return [row, feature] of these names in their order, NaN where the panel has no such column."""
        if names == self.names:
            return self.x
        at = {name: column for column, name in enumerate(self.names)}
        found = np.full((len(self.x), len(names)), np.nan, dtype=np.float32)
        for column, name in enumerate(names):
            if name in at:
                found[:, column] = self.x[:, at[name]]
        return found


class Features:
    """Makes rows from a history.

    Args:
        known_ids: {series name: number} as the model numbers them; others get -1.
        levels: {static text: its values as the model numbers them}; others get -1. None: those of the panel.
    """

    def __init__(
        self, history: History, known_ids: dict[str, int], levels: dict[str, list[str]] | None = None
    ) -> None:
        self.history, panel = history, history.panel
        self._number = np.array([known_ids.get(name, -1) for name in panel.ids], dtype=float)
        self._times = panel.times[history.first :]
        self._signals = {name: _signal(history, values) for name, values in sorted(panel.past.items())}
        self._ahead = {name: _ahead(history, values) for name, values in sorted(panel.ahead.items())}
        self._capacity = None
        if panel.capacity is not None:
            self._capacity = last_known(np.asarray(panel.capacity, dtype=float)[:, history.first :])
        self.levels = _levels(panel.static) if levels is None else levels
        self._statics = _statics(panel.static, self.levels)

    def rows(self, series: Ints, origin: Ints, lead: Ints) -> Rows:
        """Return rows of equally long arrays of series, origin column of the history, and lead."""
        history, configuration = self.history, self.history.configuration
        scale, anchor = history.scale[series, origin], history.anchor[series, origin]
        target = origin + lead

        def changed(values: Floats) -> Floats:
            made: Floats = (values - anchor) / scale
            return made

        def ago(values: Floats, periods: int) -> Floats:
            found: Floats = values[series, np.maximum(origin - periods, 0)]
            return found

        found: dict[str, Floats] = {}
        for span in configuration.spans:
            found[f"level_{span:g}"] = changed(history.levels[span][series, origin])
        for window in configuration.means:
            found[f"mean_{window}"] = changed(history.means[window][series, origin])
        for window in configuration.medians:
            found[f"median_{window}"] = changed(history.medians[window][series, origin])
        for back in range(configuration.lags):
            found[f"rest_{back}"] = changed(ago(history.rest, back))
        if history.profiles:
            for back in range(3):
                found[f"value_{back}"] = changed(ago(history.x, back))
        smooth = history.levels[configuration.spans[1]]
        for span in configuration.spans[1:5]:
            found[f"trend_{span:g}"] = (smooth[series, origin] - ago(smooth, int(span))) / scale
        for name, values in history.common.items():
            found[name] = values[origin]
        second = history.common[f"common_{configuration.spans[1]:g}"]
        for span in configuration.spans[1:5]:
            found[f"common_trend_{span:g}"] = second[origin] - second[np.maximum(origin - int(span), 0)]
        found |= self._positions(series, origin, lead, scale)
        found |= self._year(series, origin, target, scale)
        if configuration.curve:
            found |= _curve(history.x, series, origin, "wave")
        for name, values in self._signals.items():
            found |= _signal_features(values, series, origin, name, configuration.curve)
        for name, values in self._ahead.items():
            found[f"{name}_then"] = values[series, target]
            found[f"{name}_change"] = values[series, target] - values[series, origin]
        found |= self._sizes(series, origin, anchor, scale)
        if history.holidays is not None:
            found |= history.holidays.features(series, origin, target)
        linear = len(found)
        found["lead"] = lead.astype(float)
        found |= self._calendar(series, origin, target)
        found["series"] = self._number[series]
        for name, values in self._statics.items():
            found[f"static_{name}"] = values[series]
        x = np.stack([np.asarray(values, dtype=np.float32) for values in found.values()], axis=1)
        return Rows(x, linear, list(found))

    def _positions(self, series: Ints, origin: Ints, lead: Ints, scale: Floats) -> dict[str, Floats]:
        """Return profiles at target and origin, and values at the target's position in earlier seasons."""
        history, found = self.history, {}
        target = origin + lead
        seasonal = history.seasonal(series, origin, target)
        for (periods, profile), then in zip(history.profiles, seasonal, strict=True):
            found[f"profile_{periods}_then"] = then / scale
            found[f"profile_{periods}_now"] = np.nan_to_num(profile[series, origin]) / scale
        anchor = history.anchor[series, origin]
        for periods, _ in history.profiles:
            for back in range(2):
                column = target - (-(-lead // periods) + back) * periods
                value = history.x[series, np.maximum(column, 0)]
                departure = (value - anchor - seasonal[-1]) / scale
                found[f"same_{periods}_{back}"] = np.where(column >= 0, departure, np.nan)
        return found

    def _year(self, series: Ints, origin: Ints, target: Ints, scale: Floats) -> dict[str, Floats]:
        """Return how the level moved from here to the target a year ago, this series' and all series'."""
        configuration, history = self.history.configuration, self.history
        if not configuration.year:
            return {}
        spans = configuration.spans
        smooth, common = history.levels[spans[2]], history.common[f"common_{spans[2]:g}"]
        # A smoothed level runs behind by about half its span.
        behind = int(spans[2]) // 2
        begin = origin - configuration.year
        end = np.minimum(target - configuration.year + behind, origin)
        told = begin >= configuration.season if history.profiles else begin >= 0
        begin, end = np.maximum(begin + behind, 0), np.maximum(end, 0)
        own = (smooth[series, end] - smooth[series, begin]) / scale
        return {
            "year_ago": np.where(told, own, np.nan),
            "year_ago_common": np.where(told, common[end] - common[begin], np.nan),
        }

    def _sizes(self, series: Ints, origin: Ints, anchor: Floats, scale: Floats) -> dict[str, Floats]:
        """Return how large, how noisy and how full a series is."""
        history = self.history
        level = np.abs(history.long_level[series, origin])
        found = {
            "size": np.log1p(level),
            "relative_scale": np.log(scale / (level + scale)),
            # Unknown before two values tell of it: that is not the same as calm.
            "swing": np.log((history.swing[series, origin] + 1e-3 * scale) / scale),
            "jitter": np.log((history.jitter[series, origin] + 1e-3 * scale) / scale),
        }
        if self._capacity is not None and history.configuration.power == 1:
            held = self._capacity[series, origin]
            held = np.where(held > 0, held, np.nan)
            found["free"] = np.clip((held - anchor) / scale, -20, 20)
            found["fill"] = np.clip(anchor / held, 0, 3)
        return found

    def _calendar(self, series: Ints, origin: Ints, target: Ints) -> dict[str, Floats]:
        """Return hour, weekday, day or week of the year of the target."""
        panel = self.history.panel
        days = self._times[target].astype("datetime64[D]")
        year_start = days.astype("datetime64[Y]").astype("datetime64[D]")
        day_of_year = (days - year_start).astype(float)
        if panel.frequency == "W":
            return {"week_of_year": np.floor(day_of_year / 7)}
        if panel.frequency == "M":
            return {"month": days.astype("datetime64[M]").astype(np.int64) % 12.0}
        if panel.frequency == "D":
            return {"weekday": (days.astype(np.int64) + 3) % 7.0, "day_of_year": day_of_year}
        hours = self._hours(series, target)
        here = self._hours(series, origin)
        return {
            "hour": hours % HOURS_A_DAY * 1.0,
            "weekday": (hours // HOURS_A_DAY + 3) % DAYS_A_WEEK * 1.0,
            "hour_of_origin": here % HOURS_A_DAY * 1.0,
        }

    def _hours(self, series: Ints, columns: Ints) -> Ints:
        """Return hours since 1970 on the local clock."""
        hours: Ints = self._times[columns].astype("datetime64[h]").astype(np.int64)
        clock = self.history.panel.clock
        return hours if clock is None else hours + clock[series, columns + self.history.first]


def _curve(x: Floats, series: Ints, origin: Ints, name: str) -> dict[str, Floats]:
    """Return differences, trailing polynomial fits, and how far below its own height a wave is."""
    longest = max(points for points, _ in FITS)
    window = np.stack([x[series, np.maximum(origin - back, 0)] for back in range(longest)], axis=1)
    now = window[:, 0]
    found = {f"{name}_value": now}
    for back in (1, 2, 3):
        found[f"{name}_since_{back}"] = now - window[:, back]
    for points, degree in FITS:
        at = -np.arange(points, dtype=float)
        weights = np.linalg.pinv(np.vander(at, degree + 1, increasing=True))
        fitted = window[:, :points] @ weights.T
        for power in range(degree + 1):
            found[f"{name}_fit_{points}_{power}"] = fitted[:, power] - (now if power == 0 else 0.0)
    padded = np.concatenate([np.full((len(x), LONG_AGO - 1), -np.inf), np.nan_to_num(x, nan=-np.inf)], axis=1)
    highest = np.lib.stride_tricks.sliding_window_view(padded, LONG_AGO, axis=1).max(axis=2)
    height = highest[series, origin]
    found[f"{name}_below_height"] = np.where(np.isfinite(height), height - now, np.nan)
    common = column_mean(x)
    found[f"{name}_apart"] = now - common[origin]
    for back in (1, 2):
        found[f"{name}_common_since_{back}"] = common[origin] - common[np.maximum(origin - back, 0)]
    return found


def _signal(history: History, values: Floats) -> Floats:
    """Return a further signal on the scale of its own, carried forward over gaps, NaN before its beginning.

    Signals that are never negative are calmed by the same power as the values. A signal that comes later than
    the values, or earlier, stands so many periods later, or earlier, in all of the past: what is learned from
    it is then what will be known of it.
    """
    told = np.asarray(values, dtype=float)[:, history.first :]
    carried = last_known(told)
    late = int(np.clip(_late(told, history), -history.width, history.width))
    if late > 0:
        carried = np.concatenate([np.full((len(carried), late), np.nan), carried[:, :-late]], axis=1)
    elif late < 0:
        carried = np.concatenate([carried[:, -late:], np.repeat(carried[:, -1:], -late, axis=1)], axis=1)
    power = history.configuration.power
    seen = np.isfinite(carried)
    if power != 1 and not (carried[seen] < 0).any():
        size = row_quantile(carried, 0.95)
        carried = (carried / np.maximum(size, 1e-9)[:, None] * 10 + 0.01) ** power
    middle = trailing_mean(carried, carried.shape[1])
    spread = np.sqrt(weighted_mean((carried - middle) ** 2, carried.shape[1]))
    return np.asarray((carried - middle) / np.maximum(np.nan_to_num(spread[:, -1:]), 1e-6), dtype=np.float32)


def _late(values: Floats, history: History) -> int:
    """Return how many periods a signal comes after the values, below 0 where it comes before them.

    All series share a model, and so one answer: nine in ten of those that have not ended, in values or
    signal, are no later. For them nothing is learned from what they will not know; the tenth goes on with its
    last value, as one that ended does.

    Args:
        values: [series, period] of the history, NaN where unknown.
    """
    farthest = LONGEST_SILENCE * history.panel.horizon
    silence, found = history.silence(), []
    for row in np.flatnonzero((silence >= 0) & (silence <= farthest)):
        told = np.flatnonzero(~np.isnan(values[row]))
        if not len(told):
            continue
        late = int(history.last[row, -1] - told[-1])
        if late > 0 and len(told) > 1:
            # One that is told every seventh period is up to six periods old whenever it is looked at.
            gaps = np.diff(told[-RECENT_GAPS - 1 :])
            late = max(0, late - int(np.quantile(gaps, NEARLY_ALL, method="lower")) + 1)
        if abs(late) <= farthest:
            found.append(late)
    return int(np.quantile(found, NEARLY_ALL, method="higher")) if found else 0


def _signal_features(signal: Floats, series: Ints, origin: Ints, name: str, curve: bool) -> dict[str, Floats]:
    if curve:
        return _curve(signal, series, origin, name)
    smooth = weighted_mean(signal.astype(float), 5)
    now = signal[series, origin]
    return {
        f"{name}_now": now,
        f"{name}_level": smooth[series, origin],
        f"{name}_trend": smooth[series, origin] - smooth[series, np.maximum(origin - 7, 0)],
        f"{name}_trend_long": smooth[series, origin] - smooth[series, np.maximum(origin - 28, 0)],
    }


def _ahead(history: History, values: Floats) -> Floats:
    """Return a signal that is known in advance, in units of its own spread."""
    known = np.asarray(values, dtype=float)[:, history.first :]
    seen = np.isfinite(known)
    spread = float(np.std(known[seen])) if seen.any() else 0.0
    return np.asarray(known / max(spread, 1e-9), dtype=np.float32)


def _levels(static: dict[str, np.ndarray]) -> dict[str, list[str]]:
    """Return the values of each text that does not change with time, in the order of the alphabet."""
    return {
        name: sorted({str(one) for one in values})
        for name, values in static.items()
        if values.dtype.kind not in "fiub"
    }


def _statics(static: dict[str, np.ndarray], levels: dict[str, list[str]]) -> dict[str, Floats]:
    """Return what does not change with time as numbers: text by its place among the levels."""
    found = {}
    for name, values in sorted(static.items()):
        if values.dtype.kind in "fiub":
            found[name] = np.log1p(np.maximum(values.astype(float), 0))
        else:
            place = {level: float(at) for at, level in enumerate(levels.get(name, ()))}
            found[name] = np.array([place.get(str(one), -1.0) for one in values])
    return found
