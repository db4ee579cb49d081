"""What the model sees of a series at an origin: all by time, scaled per series, nothing after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .periods import period_date
from .settings import GrainSettings
from .spine import Grid

Floats = np.ndarray
Ints = np.ndarray

NO_HOLIDAY_NEAR = 4  # days; farther holidays look alike


@dataclass
class Rows:
    """Feature rows of (series, origin, horizon) triples.

    Args:
        x: [row, feature]; level, scale: [row], with target = level + scale × what the model says.
    """

    x: Floats
    level: Floats
    scale: Floats


class FeatureMaker:
    """Prepares one grid once, then makes rows for any (series, origin column, horizon).

    Args:
        grid: values as known at a cut.
        settings: of the grid's grain.
        measures: codes in the order in which the model numbers them; others get -1.
        power: of the values, by default the settings'; 1 leaves them as they are.
    """

    def __init__(
        self, grid: Grid, settings: GrainSettings, measures: list[str], power: float | None = None
    ) -> None:
        self.grid, self.spine, self.settings = grid, grid.spine, settings
        self.power = settings.power if power is None else power
        self.y = y = grid.y if self.power == 1 else np.maximum(grid.y, 0.0) ** self.power
        seen = ~np.isnan(y)
        self._sum, self._square, self._count = (
            _cumulative(part) for part in (np.where(seen, y, 0.0), np.where(seen, y, 0.0) ** 2, seen)
        )
        columns = np.arange(y.shape[1])
        # Column of the newest observed value at or before each column.
        self._newest = np.maximum.accumulate(np.where(seen, columns, -1), axis=1)
        self.season_fill = self._fill(self.spine.season)
        self.day_fill = self._fill(24) if self.spine.grain == "hour" else None
        self.departure = y - self.take(self.season_fill, *self._everywhere(self.spine.season))
        departed = ~np.isnan(self.departure)
        self._departure_sum = _cumulative(np.where(departed, self.departure, 0.0))
        self._departure_count = _cumulative(departed)
        known = {measure: number for number, measure in enumerate(measures)}
        self._measure = np.array([known.get(measure, -1) for measure in self.spine.series["measure"]])
        self._phase = self.spine.series["phase"].to_numpy()
        self._countries = [country or "" for country in self.spine.series["country_code"]]

    @property
    def names(self) -> list[str]:
        """Return the names of the features, in order."""
        found = [
            "horizon",
            "measure",
            "hour",
            "weekday",
            "week_of_year",
            "month",
            "is_holiday",
            "holiday_distance",
        ]
        found += ["log_level", "relative_scale", "last", "age_of_last", "lag_1", "lag_2", "lag_3"]
        found += ["season_1", "season_2", "season_3", "season_4", "season_mean", "season_last"]
        found += [f"mean_{window}" for window in self.settings.windows]
        found += [
            "spread_short",
            "spread_season",
            "trend",
            "departure",
            "departure_short",
            "departure_season",
        ]
        return found + (["day_1", "day_2", "day_departure"] if self.spine.grain == "hour" else [])

    def rows(self, series: Ints, origin: Ints, horizon: Ints) -> Rows:
        """Return the rows of equally long arrays of grid row, origin column and horizon (periods, from 1)."""
        season, windows = self.spine.season, self.settings.windows
        target = origin + horizon
        level, scale = self.level_and_scale(series, origin)

        def scaled(values: Floats) -> Floats:
            return (values - level) / scale

        def lag(back: int) -> Floats:
            return scaled(self._at(self.y, series, origin - back))

        fetched = self._newest[series, origin]
        last = scaled(self._at(self.y, series, fetched))
        seasonal = [
            scaled(self.take(self.season_fill, series, self.aligned(series, origin, horizon, season, back)))
            for back in range(4)
        ]
        means = [scaled(self._mean(series, origin, window)) for window in windows]
        columns = [
            horizon, self._measure[series], *self._calendar(series, target),
            np.log1p(np.abs(level)), scale / (np.abs(level) + scale),
            last, origin - fetched, lag(1), lag(2), lag(3),
            *seasonal, _mean_of(seasonal), seasonal[0] - last,
            *means,
            self._spread(series, origin, windows[1]) / scale, self._spread(series, origin, windows[-1]) /
            scale,
            means[0] - means[2],
            self._departures(series, origin, 1) / scale,
            self._departures(series, origin, windows[1]) / scale,
            self._departures(series, origin, min(season, windows[-1])) / scale,
        ]  # fmt: skip
        if self.day_fill is not None:
            days = [
                scaled(self.take(self.day_fill, series, self.aligned(series, origin, horizon, 24, back)))
                for back in range(2)
            ]
            columns += [*days, days[0] - seasonal[0]]
        x = np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)
        return Rows(x, level, scale)

    def newest(self, series: Ints, columns: Ints) -> Ints:
        """Return the column of the newest observed value at or before each column, -1 where there is none."""
        return self._newest[series, columns]

    def level_and_scale(self, series: Ints, origin: Ints) -> tuple[Floats, Floats]:
        """Return where a series runs and how far it swings, from its values up to the origin alone.

        A quiet stretch (a winter virus in July) does not shrink the scale below a quarter of the whole
        past's.
        """
        season = self.spine.season
        level = self._mean(series, origin, self.settings.anchor)
        past = np.full(len(series), self.y.shape[1])
        for further in (season, past):
            level = np.where(np.isnan(level), self._mean(series, origin, further), level)
        recent, whole = self._spread(series, origin, 4 * season), self._spread(series, origin, past)
        scale = np.maximum(np.nan_to_num(recent), 0.25 * np.nan_to_num(whole))
        return level, np.maximum(scale, np.maximum(0.02 * np.abs(level), 1e-6))

    def aligned(self, series: Ints, origin: Ints, horizon: Ints, season: int, back: int) -> Ints:
        """Return the newest column up to the origin at the target's position, `back` seasons earlier."""
        seasons = -(-horizon // season)
        found = self.spine.same_position(series, origin + horizon, (seasons + back) * season)
        # A change of the clocks can push the position one hour past the origin: then the season before.
        late = found > origin
        if late.any():
            further = self.spine.same_position(series, origin + horizon, (seasons + back + 1) * season)
            found = np.where(late, further, found)
        return found

    def take(self, filled: Floats, series: Ints, columns: Ints) -> Floats:
        """Return values of a filled grid, NaN before its beginning."""
        return self._at(filled, series, columns)

    def _fill(self, season: int) -> Floats:
        """Return for every period the last observed value at its position of the season, itself included."""
        filled = self.y.copy()
        width = filled.shape[1]
        # Blocks of half a season: what a block looks back to is filled already, clock changes included.
        block = max(season // 2, 1)
        for begin in range(0, width, block):
            part = filled[:, begin : begin + block]
            rows, offsets = np.nonzero(np.isnan(part))
            if len(rows):
                columns = offsets + begin
                part[rows, offsets] = self._at(filled, rows, self.spine.same_position(rows, columns, season))
        return filled

    def _everywhere(self, periods: int) -> tuple[Ints, Ints]:
        """Return rows and columns `periods` before every cell of the grid."""
        found = np.indices(self.y.shape)
        rows, columns = np.asarray(found[0]), np.asarray(found[1])
        return rows, self.spine.same_position(rows, columns, periods)

    @staticmethod
    def _at(values: Floats, series: Ints, columns: Ints) -> Floats:
        """Return values at columns, NaN where the column lies before the grid."""
        return np.where(columns >= 0, values[series, np.maximum(columns, 0)], np.nan)

    def _window(self, sums: Floats, series: Ints, origin: Ints, window: int | Ints) -> Floats:
        """Return the sum of the `window` periods that end at the origin."""
        return sums[series, origin + 1] - sums[series, np.maximum(origin + 1 - window, 0)]

    def _mean(self, series: Ints, origin: Ints, window: int | Ints) -> Floats:
        count = self._window(self._count, series, origin, window)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._window(self._sum, series, origin, window) / np.where(count > 0, count, np.nan)

    def _spread(self, series: Ints, origin: Ints, window: int | Ints) -> Floats:
        mean = self._mean(series, origin, window)
        count = self._window(self._count, series, origin, window)
        square = self._window(self._square, series, origin, window) / np.where(count > 1, count, np.nan)
        return np.sqrt(np.maximum(square - mean**2, 0.0))

    def _departures(self, series: Ints, origin: Ints, window: int) -> Floats:
        """Return the mean departure from the season before, over the window that ends at the origin."""
        count = self._window(self._departure_count, series, origin, window)
        total = self._window(self._departure_sum, series, origin, window)
        return total / np.where(count > 0, count, np.nan)

    def _calendar(self, series: Ints, target: Ints) -> list[Floats]:
        """Return hour, weekday, week, month, holiday and days to the nearest; NaN: not of this grain."""
        grain = self.spine.grain
        local = self.spine.local_index(series, target)
        dates = period_date(grain, local, self._phase[series])
        nothing = np.full(len(target), np.nan)
        weekday = (dates.astype(np.int64) + 3) % 7 + 1
        year_start = dates.astype("datetime64[Y]").astype("datetime64[D]")
        week = (dates - year_start).astype(np.int64) // 7 + 1
        month = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1
        holiday, distance = nothing, nothing
        if grain in ("hour", "day"):
            holiday, distance = self._holidays(series, dates)
        return [
            local % 24 if grain == "hour" else nothing,
            weekday if grain in ("hour", "day") else nothing,
            week if grain == "week" else nothing,
            month if grain == "month" else nothing,
            holiday,
            distance,
        ]

    def _holidays(self, series: Ints, dates: Ints) -> tuple[Floats, Floats]:
        """Return whether each date is a public holiday there, and days since (+) or until (-) one."""
        is_holiday, distance = np.full(len(dates), np.nan), np.full(len(dates), np.nan)
        if not len(dates):
            return is_holiday, distance
        years = (int(str(dates.min())[:4]), int(str(dates.max())[:4]))
        countries = np.array(self._countries)[series]
        for country in np.unique(countries):
            days = public_holidays(str(country), *years)
            if not len(days):
                continue
            mine = countries == country
            at = np.searchsorted(days, dates[mine])
            since = (dates[mine] - days[np.maximum(at - 1, 0)]).astype(np.int64)
            until = (days[np.minimum(at, len(days) - 1)] - dates[mine]).astype(np.int64)
            since = np.where((at > 0) & (since >= 0), since, NO_HOLIDAY_NEAR)
            until = np.where((at < len(days)) & (until >= 0), until, NO_HOLIDAY_NEAR)
            near = np.where(until <= since, -until, since)
            is_holiday[mine] = near == 0
            distance[mine] = np.clip(near, -NO_HOLIDAY_NEAR, NO_HOLIDAY_NEAR)
        return is_holiday, distance


@lru_cache(maxsize=256)
def public_holidays(country: str, first_year: int, last_year: int) -> np.ndarray:
    """Return the sorted public holidays of a country (ISO 3166 code), a year more on either side."""
    import holidays

    try:
        found = holidays.country_holidays(country, years=range(first_year - 1, last_year + 2))
    except NotImplementedError:
        return np.array([], dtype="datetime64[D]")
    return np.array(sorted(found), dtype="datetime64[D]")


def _cumulative(values: np.ndarray) -> Floats:
    """Return [series, period + 1] running sums that begin with zero."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _mean_of(parts: list[Floats]) -> Floats:
    """Return the mean over parts, leaving out NaN; NaN where all are."""
    stacked = np.stack(parts)
    seen = ~np.isnan(stacked)
    count = seen.sum(axis=0)
    return np.where(seen, stacked, 0.0).sum(axis=0) / np.where(count > 0, count, np.nan)
