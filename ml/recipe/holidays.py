"""Public holidays around each period, of the country that the table names or that its past shows."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..panel import Floats, Ints, Panel

BEFORE, AFTER = 3, 8  # days around a holiday within which values still differ
COLUMN = "country_code"
# A country is taken for the table's when days from its holidays on differ by so many standard errors. Of 200
# calendars laid over noise the best comes to between 3 and 4.
CLEAR = 5.0
FEWEST_DAYS = 400  # of history, and of holidays within it:
FEWEST_HOLIDAYS = 8
LARGEST = 2.5  # usual deviations
_DAY_AFTER = 1


class Holidays:
    """Holidays of the panel's countries as daily marks with room on either side.

    Args:
        first: the column of the panel at which the history begins.
        surprise: [period] how far all series together lay from what was expected, to tell the country from.
        country: the one that a model has found before, "" for none; None: it is looked for here.
        seen: [period] whether any series has a value; None: all have. Days that nobody told of show nothing.

    Attributes:
        found: the country that was told from the past, "" where the table names one or none is clear.
    """

    ROOM = 60  # days

    def __init__(
        self, panel: Panel, first: int, surprise: Floats, country: str | None = None,
        seen: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        self._days = panel.times[first:].astype("datetime64[D]").astype(np.int64)
        begin, end = int(self._days[0]) - self.ROOM, int(self._days[-1]) + self.ROOM
        countries, self.found = panel.static.get(COLUMN), ""
        if countries is not None:
            names, self._row = np.unique([str(one) for one in countries], return_inverse=True)
        else:
            if country is not None:
                self.found = country
            elif panel.frequency == "D":
                told = np.ones(len(surprise), dtype=bool) if seen is None else seen
                self.found = country_of(self._days[: len(surprise)][told], surprise[told]) or ""
            names, self._row = np.array([self.found]), np.zeros(len(panel.ids), dtype=np.int64)
        self.countries = tuple(str(name) for name in names)
        self._marks = np.stack([_marks(name, begin, end) for name in self.countries])
        self._sums = np.concatenate([np.zeros((len(names), 1)), np.cumsum(self._marks, axis=1)], axis=1)
        self._begin, self.known = begin, bool(self._marks.any())

    def features(self, series: Ints, origin: Ints, target: Ints) -> dict[str, Floats]:
        """Return marks at each distance from the target, and how many lie around origin and target."""
        if not self.known:
            return {}
        row = self._row[series]
        here, there = self._days[origin] - self._begin, self._days[target] - self._begin
        found = {
            f"holiday_{-distance}": self._marks[row, there - distance]
            for distance in range(-BEFORE, AFTER + 1)
        }
        for name, at, first, last in (
            ("origin_3", here, -3, 0), ("origin_7", here, -7, 0), ("origin_14", here, -14, 0),
            ("origin_28", here, -28, 0), ("target_14", there, -14, 0), ("target_21", there, -21, -7),
        ):  # fmt: skip
            found[f"holidays_{name}"] = self._sums[row, at + last + 1] - self._sums[row, at + first]
        return found


def country_of(days: Ints, surprise: Floats) -> str | None:
    """Return the country whose holidays the past shows most clearly, None where none is clear.

    Args:
        days: [period] days since 1970, ascending; surprise: [period] of all series together.
    """
    import holidays

    if len(days) < FEWEST_DAYS:
        return None
    best, clearest = None, CLEAR
    weekday = (days + 3) % 7
    plain = surprise - np.array([_mean(surprise[weekday == one]) for one in range(7)])[weekday]
    # A wave that begins on somebody's holiday is no holiday: what is rare and large counts as large, no more.
    plain = plain - np.median(plain)
    usual = 1.4826 * float(np.median(np.abs(plain)))
    plain = np.clip(plain, -LARGEST * usual, LARGEST * usual)
    deviation = float(plain.std())
    for country in sorted(holidays.list_supported_countries(include_aliases=False)):
        marks = _marks(country, int(days[0]) - _DAY_AFTER, int(days[-1]))
        # The day itself and the day after: discharges stop, and the beds of the morning after show it.
        at = days - days[0]
        on = (marks[_DAY_AFTER:] + marks[:-_DAY_AFTER])[at] > 0
        count = int(on.sum())
        if marks[_DAY_AFTER:][at].sum() < FEWEST_HOLIDAYS or deviation <= 0:
            continue
        clear = abs(float(plain[on].mean())) * np.sqrt(count) / deviation
        if clear > clearest:
            best, clearest = country, clear
    return best


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


def _marks(country: str, begin: int, end: int) -> Floats:
    """Return 1 for each public holiday that is not a Sunday, 0 for other days, over days begin … end."""
    marks = np.zeros(end - begin + 1)
    first, last = (int(str(np.datetime64(day, "D"))[:4]) for day in (begin, end))
    for year in range(first, last + 1):
        days = np.array(_of_year(country, year), dtype=np.int64)
        days = days[(days >= begin) & (days <= end)]
        marks[days - begin] = 1.0
    return marks


@lru_cache(maxsize=8192)
def _of_year(country: str, year: int) -> tuple[int, ...]:
    """Return the public holidays of a year that are not Sundays, as days since 1970."""
    import holidays

    try:
        found = holidays.country_holidays(country, years=year)
    except (NotImplementedError, KeyError):
        return ()
    return tuple(int(np.datetime64(day, "D").astype(np.int64)) for day in found if day.weekday() < 6)
