"""A long table as every version of every cell; what was known at a cutoff is a panel of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from ..panel import Floats, Ints, Panel, Versions
from .times import SECOND, STEPS, Cutoff, offsets

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Table:
    """All versions of all cells, in order of when they became known; of a cell the newest known one counts.

    Args:
        frequency: H, D or W.
        ids: [series] names, ascending.
        start: `ds` of column 0, microseconds since 1970; width: number of columns.
        row, column, known: [version] cell and when it became known.
        y: [version] value, NaN where the row tells other columns only.
        numbers: {column: [version]} further numeric columns, known when their row was.
        texts: {column: ([version] code, -1 for none; names by code)}.
        static: names of columns that do not change with time; ahead: of numeric columns known in advance.
        capacity: name of the column that demand is held against, or None.
        zone: whose clock the hours of `ds` follow, or None.
        vintages_assumed: whether `known` is ds plus a publication lag.
        unusable: {series of the file without a value that can be used: why}.
        notes: what was left out or assumed, in words.
    """

    frequency: str
    ids: tuple[str, ...]
    start: int
    width: int
    row: Ints
    column: Ints
    known: Ints
    y: Floats
    numbers: dict[str, Floats]
    texts: dict[str, tuple[Ints, np.ndarray]]
    static: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    capacity: str | None = None
    zone: ZoneInfo | None = None
    vintages_assumed: bool = False
    unusable: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def _cell(self) -> Ints:
        return self.row.astype(np.int64) * self.width + self.column

    def times(self, first: int, count: int) -> np.ndarray:
        """Return `ds` of `count` columns from column `first` on, as datetime64[s]."""
        step = STEPS[self.frequency]
        return ((self.start + np.arange(first, first + count) * step) // SECOND).astype("datetime64[s]")

    def column_at(self, instant: int) -> int:
        """Return the last column whose `ds` is not after an instant; it may lie outside of the table."""
        return (instant - self.start) // STEPS[self.frequency]

    def known_by(self, instant: int) -> int:
        """Return how many versions were known by an instant."""
        return int(np.searchsorted(self.known, instant, side="right"))

    def newest(self, values: Floats, count: int, last: int | None = None) -> Floats:
        """Return [series, column] the newest of the first `count` versions that tell a value.

        Args:
            values: [version].
            last: no column after this one is read.
        """
        out = np.full(len(self.ids) * self.width, np.nan)
        told = ~np.isnan(values[:count])
        if last is not None and last < self.width - 1:
            told &= self.column[:count] <= last
        # Versions lie in order of `known`, and numpy keeps the last of equal indices: the newest wins.
        out[self._cell[:count][told]] = values[:count][told]
        return out.reshape(len(self.ids), self.width)

    def truth(self, as_of: int | None = None) -> Floats:
        """Return [series, column] the newest value known by an instant (None: at all)."""
        return self.newest(self.y, len(self.known) if as_of is None else self.known_by(as_of))

    def panel(self, cutoff: Cutoff, horizon: int) -> Panel:
        """Return what was known at a cutoff; series of which nothing was known are not in it.

        The targets are the `horizon` periods after `cutoff.at`, whatever is missing before them. Columns
        before the first known value are left out: that a table reaches further back may itself be later news.
        """
        count, last = self.known_by(cutoff.known), self.column_at(cutoff.at)
        y = self.newest(self.y, count, last)
        rows = np.flatnonzero(~np.isnan(y).all(axis=1))
        seen = np.flatnonzero(~np.isnan(y).all(axis=0))
        first = int(seen[0]) if len(seen) else max(last, 0)
        width = max(last - first + 1, 0)

        def cut(values: Floats, columns: int = width) -> Floats:
            """Return columns first … first + columns - 1 of the panel's series, NaN outside of the table."""
            out = np.full((len(rows), columns), np.nan)
            inside = values[rows, first : first + columns]
            out[:, : inside.shape[1]] = inside
            return out

        past = {
            name: cut(self.newest(values, count, last))
            for name, values in self.numbers.items()
            if name not in (*self.static, *self.ahead, self.capacity)
        }
        times = self.times(first, width + horizon)
        clock = None
        if self.zone is not None:
            clock = np.broadcast_to(offsets(times, self.zone), (len(rows), len(times)))
        return Panel(
            frequency=self.frequency,
            ids=tuple(self.ids[row] for row in rows),
            times=times,
            horizon=horizon,
            cutoff=cutoff.known,
            y=cut(y),
            capacity=cut(self.newest(self.numbers[self.capacity], count, last)) if self.capacity else None,
            past=past,
            ahead={name: cut(self._in_advance(name, count), width + horizon) for name in self.ahead},
            static={name: self.static_values(name, count, last)[rows] for name in self.static},
            clock=clock,
            versions=None if self.vintages_assumed else self._versions(count, last, rows, first),
        )

    def _in_advance(self, name: str, count: int) -> Floats:
        """Return [series, column] of a signal known in advance: newest known, else first published."""
        values = self.numbers[name]
        told = np.flatnonzero(~np.isnan(values))[::-1]
        out = np.full(len(self.ids) * self.width, np.nan)
        out[self._cell[told]] = values[told]
        first = out.reshape(len(self.ids), self.width)
        newest = self.newest(values, count)
        return np.where(np.isnan(newest), first, newest)

    def static_values(self, name: str, count: int, last: int) -> np.ndarray:
        """Return [series] the newest text ("" for none) or number of the first `count` versions.

        Rows of periods after column `last` say nothing, even if they were known early.
        """
        return self._told_last(name, np.flatnonzero(self.column[:count] <= last))

    def first_told(self, name: str) -> np.ndarray:
        """Return [series] the text or number that was known first: what comes later does not change it."""
        return self._told_last(name, np.arange(len(self.known))[::-1])

    def _told_last(self, name: str, order: Ints) -> np.ndarray:
        """Return [series] what the last of these versions tells that tells anything."""
        if name in self.texts:
            codes, names = self.texts[name]
            told = order[codes[order] >= 0]
            found = np.full(len(self.ids), len(names))
            found[self.row[told]] = codes[told]
            return np.append(names, "")[found]
        values = self.numbers[name]
        told = order[~np.isnan(values[order])]
        numbers = np.full(len(self.ids), np.nan)
        numbers[self.row[told]] = values[told]
        return numbers

    def _versions(self, count: int, last: int, rows: Ints, first: int) -> Versions:
        """Return the known versions of y by row and column of the panel."""
        told = ~np.isnan(self.y[:count]) & (self.column[:count] <= last)
        place = np.full(len(self.ids), -1)
        place[rows] = np.arange(len(rows))
        return Versions(
            row=place[self.row[:count][told]],
            column=self.column[:count][told] - first,
            known=self.known[:count][told],
            value=self.y[:count][told],
        )

    def frame(self, values: Floats, ids: tuple[str, ...] | None = None) -> pl.DataFrame:
        """Return unique_id, ds, y of the cells of a [series, column] array that are not NaN."""
        import polars as pl

        row, column = np.nonzero(~np.isnan(values))
        return pl.DataFrame(
            {
                "unique_id": pl.Series(np.array(ids or self.ids, dtype=object)[row], dtype=pl.String),
                "ds": pl.Series(self.times(0, self.width)[column].astype("datetime64[us]")),
                "y": values[row, column],
            }
        )
