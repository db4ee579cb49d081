"""Stays in beds, as a file tells them, as they were known at an instant, and the beds they make.

Times are instants in microseconds. A stay counts from its begin up to, and not including, its end, so that
census(t) = census(t - 1) + begun in (t - 1, t] - ended in (t - 1, t].
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from caregrid.errors import CareGridError

from .. import tables
from ..panel import Ints

if TYPE_CHECKING:
    import polars as pl

WRITTEN = "write ISO 8601, such as 2024-03-01T06:30"
OPEN = np.iinfo(np.int64).max  # the end of a stay that has none yet


@dataclass(frozen=True)
class Stays:
    """Stays in beds: [stay] place, begin and end, the latter OPEN where the patient is still there."""

    place: np.ndarray
    begin: Ints
    end: Ints

    def of(self, chosen: np.ndarray) -> Stays:
        """Return the chosen ones."""
        return Stays(self.place[chosen], self.begin[chosen], self.end[chosen])

    def known_at(self, cutoff: int) -> Stays:
        """Return what was known at an instant: no later begin, and no end that came later."""
        known = self.of(self.begin <= cutoff)
        return Stays(known.place, known.begin, np.where(known.end <= cutoff, known.end, OPEN))

    def begun(self) -> int:
        """Return the first end: who left before is in no file, so from then on all stays are told."""
        ends = self.end[self.end < OPEN]
        return int(ends.min() if len(ends) else self.begin.min(initial=OPEN))

    def census(self, moments: Ints) -> Ints:
        """Return the occupied beds at instants."""
        begun, ended = (np.searchsorted(np.sort(each), moments, "right") for each in (self.begin, self.end))
        return begun - ended


def read_stays(path: Path | str) -> Stays:
    """Read stays from CSV or Parquet: place (a series' unique_id), begin, and end, empty while still there.

    A time without an offset is taken for UTC.

    Raises:
        CareGridError: there is no such file, or no such table; naming the row, when a time is none, a begin
            is missing, or an end lies before it.
    """
    import polars as pl

    path = Path(path)
    rows = tables.read(path, "Census")
    absent = [name for name in ("place", "begin", "end") if name not in rows.columns]
    if absent:
        _refuse(f"has no column {', '.join(absent)}", path.name, "name the columns place, begin and end")
    place = rows["place"].cast(pl.String).fill_null("").to_numpy().astype(str)
    begin, end = (_instants(rows[name], path) for name in ("begin", "end"))
    for wrong, what in ((rows["place"].is_null().to_numpy(), "place"), (begin == OPEN, "begin")):
        if wrong.any():
            _refuse(f"has no {what}", tables.row(path, int(np.argmax(wrong))), "fill it, or leave it out")
    if (end < begin).any():
        at = int(np.argmax(end < begin))
        said = " before ".join(f"{rows[name][at]}" for name in ("end", "begin"))
        _refuse(f"ends before it begins: {said}", tables.row(path, at), "mend the times, or leave it out")
    return Stays(place, begin, end)


def _instants(column: pl.Series, path: Path) -> Ints:
    """Return dates, times or their texts as microseconds since 1970 in UTC; OPEN where there is none."""
    import polars as pl

    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype not in (pl.String, pl.Date, pl.Datetime, pl.Null):
        _refuse(f"holds {column.dtype}, no times", f"{path.name}, {column.name}", WRITTEN)
    if column.dtype != pl.String:
        return column.cast(pl.Datetime("us")).to_physical().fill_null(OPEN).to_numpy()
    made = np.full(len(column), OPEN)
    for at, text in enumerate(column.to_list()):
        if text is None or not text.strip():
            continue
        try:
            found = datetime.fromisoformat(text.strip())
        except ValueError:
            _refuse(
                f"{column.name} {text!r} is no date or time",
                tables.row(path, at),
                WRITTEN,
            )
        since = (found if found.tzinfo else found.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
        made[at] = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return made


def _refuse(message: str, where: str, fix: str) -> NoReturn:
    raise CareGridError(message, where=where, fix=fix)
