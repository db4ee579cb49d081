"""Sets of line numbers, kept as runs: a file of any length is mostly one run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Lines:
    """A set of line numbers, as runs of neighbours.

    runs: int64 of shape (n, 2), first line and the one after the last; sorted, apart from each other.
    """

    runs: np.ndarray

    @classmethod
    def of(cls, lines: pl.Series) -> Lines:
        """Return the set of the given lines, in any order, some perhaps repeated."""
        numbers = lines.to_numpy().astype(np.int64)
        if not len(numbers):
            return NO_LINES
        if len(numbers) > 1 and not (np.diff(numbers) == 1).all():
            numbers = np.unique(numbers)
        breaks = np.flatnonzero(np.diff(numbers) != 1)
        firsts = numbers[np.concatenate(([0], breaks + 1))]
        ends = numbers[np.concatenate((breaks, [len(numbers) - 1]))] + 1
        return cls(np.column_stack((firsts, ends)))

    @classmethod
    def union(cls, parts: Iterable[Lines]) -> Lines:
        """Return the lines that are in any of the parts."""
        runs = np.concatenate([NO_LINES.runs, *(part.runs for part in parts)])
        if not len(runs):
            return NO_LINES
        runs = runs[np.argsort(runs[:, 0], kind="stable")]
        reach = np.maximum.accumulate(runs[:, 1])
        begins = np.concatenate(([True], runs[1:, 0] > reach[:-1]))
        last = np.concatenate((np.flatnonzero(begins)[1:] - 1, [len(runs) - 1]))
        return cls(np.column_stack((runs[begins, 0], reach[last])))

    def without(self, taken: Lines) -> Lines:
        """Return the lines of this set that are not among the taken ones."""
        # At every border the depth changes; between two borders it is 1 where this set lies alone.
        borders = np.concatenate((self.runs.ravel(), taken.runs.ravel()))
        steps = np.concatenate((np.tile([1, -1], len(self.runs)), np.tile([2, -2], len(taken.runs))))
        order = np.argsort(borders, kind="stable")
        borders, depth = borders[order], np.cumsum(steps[order])
        alone = np.flatnonzero((depth[:-1] == 1) & (np.diff(borders) > 0))
        return Lines.union([Lines(np.column_stack((borders[alone], borders[alone + 1])))])

    def __len__(self) -> int:
        return int((self.runs[:, 1] - self.runs[:, 0]).sum())

    def multirange(self) -> str:
        """Return the set as PostgreSQL writes an int4multirange, for example {[2,5),[9,10)}."""
        return "{" + ",".join(f"[{first},{end})" for first, end in self.runs.tolist()) + "}"


NO_LINES = Lines(np.empty((0, 2), dtype=np.int64))
