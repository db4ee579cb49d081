"""Measures of quality as a frame gives them: facility by period, denominators or errors, a benchmark."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl

Floats = np.ndarray

HIGHER, LOWER = "higher", "lower"
MONTH = re.compile(r"(\d{4})-?(0[1-9]|1[0-2])(?:-01)?")
QUARTER = re.compile(r"(\d{4})-?Q([1-4])")


@dataclass(frozen=True)
class Measure:
    """One measure at all its facilities; arrays are [facility, period] and NaN where nothing is known.

    Args:
        size: denominators of a rate, or None.
        error: standard errors, or None (then, without denominators, 0).
        better: HIGHER or LOWER.
    """

    name: str
    facilities: tuple[str, ...]
    periods: tuple[str, ...]
    value: Floats
    size: Floats | None
    error: Floats | None
    benchmark: Floats
    better: str

    @property
    def season(self) -> int | None:
        """Return the periods of a year where they are named like months or quarters, one after the other."""
        for form, many in ((MONTH, 12), (QUARTER, 4)):
            found = [form.fullmatch(period) for period in self.periods]
            numbers = [int(one[1]) * many + int(one[2]) - 1 for one in found if one]
            if len(numbers) == len(self.periods) and all(b - a == 1 for a, b in pairwise(numbers)):
                return many
        return None

    @property
    def missed(self) -> Floats:
        """Return [facility, period] 1 where the value was on the wrong side of its benchmark."""
        worse = self.value < self.benchmark if self.better == HIGHER else self.value > self.benchmark
        return np.where(np.isnan(self.value) | np.isnan(self.benchmark), np.nan, worse.astype(float))


def measures(frame: pl.DataFrame) -> list[Measure]:
    """Return the measures of a long frame.

    Args:
        frame: facility, measure, period (sorting in time), value (a share 0 to 1 where it has a denominator),
            benchmark, direction (higher or lower is better); optional denominator or standard_error.
    """
    import polars as pl
    from caregrid.errors import CareGridError

    needed = ("facility", "measure", "period", "value", "benchmark", "direction")
    absent = [name for name in needed if name not in frame.columns]
    if absent:
        raise CareGridError(f"no column {', '.join(absent)}", fix=f"give {', '.join(needed)}")
    twice = frame.filter(pl.struct("facility", "measure", "period").is_duplicated())
    if len(twice):
        row = twice.row(0, named=True)
        where = f"{row['measure']} of {row['facility']} in {row['period']}"
        raise CareGridError("two values for one period", where=where, fix="keep the newest")
    found = []
    for (name,), part in frame.sort("measure", "period").group_by("measure", maintain_order=True):
        better = part["direction"].unique().to_list()
        if len(better) != 1 or better[0] not in (HIGHER, LOWER):
            raise CareGridError(
                f"direction is {', '.join(sorted(map(str, better)))}", where=f"measure {name}",
                fix=f"say {HIGHER} or {LOWER}, the same in every row",
            )  # fmt: skip
        found.append(_measure(str(name), part, better[0]))
    return found


def _measure(name: str, part: pl.DataFrame, better: str) -> Measure:
    from caregrid.errors import CareGridError

    facilities = sorted(part["facility"].unique().to_list())
    periods = sorted(part["period"].unique().to_list())
    row = np.array([facilities.index(one) for one in part["facility"]])
    column = np.searchsorted(np.array(periods), part["period"].to_numpy())

    def grid(wanted: str) -> Floats | None:
        if wanted not in part.columns or part[wanted].null_count() == len(part):
            return None
        made = np.full((len(facilities), len(periods)), np.nan)
        made[row, column] = part[wanted].cast(float).to_numpy()
        return made

    value, size, error = grid("value"), grid("denominator"), grid("standard_error")
    benchmark = grid("benchmark")
    if value is None or benchmark is None:
        raise CareGridError("no value, or no benchmark", where=f"measure {name}", fix="give both")
    if size is not None:
        # Nobody was counted: nothing is known.
        value, size = np.where(size >= 1, value, np.nan), np.where(size >= 1, size, np.nan)
        wrong = (value < 0) | (value > 1)
        if wrong.any():
            raise CareGridError(
                f"{value[wrong][0]:g} is no share of its denominator", where=f"measure {name}",
                fix="give shares from 0 to 1, not percentages",
            )  # fmt: skip
    elif error is not None:
        value = np.where(error >= 0, value, np.nan)
    return Measure(
        name, tuple(map(str, facilities)), tuple(map(str, periods)), value, size, error, benchmark, better
    )


def until(measure: Measure, periods: int) -> Measure:
    """Return the measure as it was known after the first so many periods."""
    cut: dict[str, Any] = {name: None if (made := getattr(measure, name)) is None else made[:, :periods]
           for name in ("value", "size", "error", "benchmark")}  # fmt: skip
    return replace(measure, periods=measure.periods[:periods], **cut)
