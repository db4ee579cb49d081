"""Public holidays around each period, by each series' country, where the table tells it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..panel import Floats, Ints, Panel

BEFORE, AFTER = 3, 8  # days around a holiday within which values still differ
COLUMN = "country_code"


class Holidays:
    """Holidays of the panel's countries as daily marks with room on either side.

    Args:
        first: the column of the panel at which the history begins.
    """

    ROOM = 60  # days

    def __init__(self, panel: Panel, first: int) -> None:
        self._days = panel.times[first:].astype("datetime64[D]").astype(np.int64)
        self.known = False
        countries = panel.static.get(COLUMN)
        if countries is None:
            return
        begin, end = int(self._days[0]) - self.ROOM, int(self._days[-1]) + self.ROOM
        names, self._row = np.unique([str(one) for one in countries], return_inverse=True)
        self._marks = np.stack([_marks(name, begin, end) for name in names])
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


@lru_cache(maxsize=64)
def _marks(country: str, begin: int, end: int) -> Floats:
    """Return 1 for each public holiday that is not a Sunday, 0 for other days, over days begin … end."""
    import holidays

    marks = np.zeros(end - begin + 1)
    years = range(1970 + begin // 366, 1971 + end // 365)
    try:
        found = holidays.country_holidays(country, years=years)
    except NotImplementedError:
        return marks
    for day in found:
        at = int(np.datetime64(day, "D").astype(np.int64)) - begin
        if 0 <= at < len(marks) and day.weekday() < 6:
            marks[at] = 1.0
    return marks
