"""From rows to a table: on the grid of periods, each version once; what cannot be used is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from caregrid.errors import CareGridError

from ..panel import Ints
from . import usable
from .table import Table
from .times import NAMES, SECOND, STEPS, as_text

if TYPE_CHECKING:
    import polars as pl

# Numeric columns with these names do not change with time; all others do unless `--static` names them.
STATIC_NAMES = ("population", "country_code")
# A grid with more cells than this comes from a date that is wrong, not from a history.
MOST_CELLS = 400_000_000
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Meaning:
    """What the columns of a table mean, as the command line tells it.

    Args:
        frequency: H, D or W.
        lag: microseconds from `ds` to publication where no row tells when it became known; None: not said.
        ahead, static, hierarchy: names of columns; static None: those that are text, and STATIC_NAMES.
        capacity: name of a column, or None.
        zone: whose clock `ds` follows.
    """

    frequency: str
    lag: int | None = None
    ahead: tuple[str, ...] = ()
    static: tuple[str, ...] | None = None
    hierarchy: tuple[str, ...] = ()
    capacity: str | None = None
    zone: ZoneInfo | None = None


def build(frame: pl.DataFrame, meaning: Meaning, where: str, read_notes: Sequence[str] = ()) -> Table:
    """Return the table of typed rows (see `reading.read`), with the notes of their reading.

    Raises:
        CareGridError: a named column is missing or not of its kind, rows lie off the grid of the frequency,
            or neither known_at nor a publication lag tells when rows became known.
    """
    import polars as pl

    notes = list(read_notes)
    _check_columns(frame, meaning, where)
    stages = [(set(frame["unique_id"].unique()), ""), (usable.with_values(frame), "every y is empty")]
    frame, assumed = usable.known(frame, meaning.frequency, meaning.lag, where, notes)
    stages.append((usable.with_values(frame), "nothing tells when any of its rows became known"))
    frame = usable.usable(frame, where, notes)
    stages.append((usable.with_values(frame), "every y is negative, or more than can be counted"))
    if not assumed:
        usable.tell_early(frame, meaning.frequency, notes)
    if meaning.capacity:
        frame = usable.capacity(frame, meaning.capacity, notes)
    ids = frame["unique_id"].unique().sort()
    row = frame["unique_id"].cast(pl.Enum(ids)).to_physical().to_numpy().astype(np.int64)
    start, column = _grid(frame, meaning.frequency, where)
    width = int(column.max()) + 1
    if len(ids) * width > MOST_CELLS:
        raise CareGridError(
            f"reaches from {as_text(start)} to {as_text(start + (width - 1) * STEPS[meaning.frequency])}: "
            f"{len(ids)} series of {width} {NAMES[meaning.frequency]}s",
            where=where,
            fix="check the first and the last ds, and --freq",
        )
    known = frame["known_at"].to_numpy()
    y = frame["y"].fill_null(float("nan")).to_numpy()
    kept = usable.each_version_once(frame, where, notes)
    frame = frame[kept]
    stages.append((usable.with_values(frame), "all of its rows contradict each other"))
    others = [name for name in frame.columns if name not in ("unique_id", "ds", "y", "known_at", "line")]
    texts = {name: _codes(frame[name]) for name in others if frame[name].dtype == pl.String}
    numbers = {
        name: frame[name].fill_null(float("nan")).to_numpy().astype(float)
        for name in others
        if name not in texts
    }
    static = meaning.static
    if static is None:
        static = tuple(name for name in others if name in texts or name in STATIC_NAMES)
    static = tuple(dict.fromkeys((*static, *meaning.hierarchy)))
    unused = [name for name in texts if name not in static]
    if unused:
        notes.append(f"text that changes with time is no signal: {', '.join(unused)} not used")
    return Table(
        frequency=meaning.frequency,
        ids=tuple(ids),
        start=start,
        width=width,
        row=row[kept],
        column=column[kept],
        known=known[kept],
        y=y[kept],
        numbers=numbers,
        texts={name: texts[name] for name in texts if name in static},
        static=static,
        ahead=meaning.ahead,
        capacity=meaning.capacity,
        zone=meaning.zone,
        vintages_assumed=assumed,
        unusable=usable.lost(stages, notes),
        notes=tuple(notes),
    )


def _check_columns(frame: pl.DataFrame, meaning: Meaning, where: str) -> None:
    """Refuse names of columns that are not there, and text where numbers are needed."""
    import polars as pl

    capacity = (meaning.capacity,) if meaning.capacity else ()
    named = {
        "--known-in-advance": meaning.ahead,
        "--static": meaning.static or (),
        "--hierarchy": meaning.hierarchy,
        "--capacity": capacity,
    }
    for option, names in named.items():
        for name in names:
            if name not in frame.columns or name in ("unique_id", "ds", "y", "known_at", "line"):
                raise CareGridError(
                    f"{option}: there is no further column {name!r}",
                    where=where,
                    fix=f"name one of the table's columns: {', '.join(frame.columns[1:])}",
                )
            if option in ("--known-in-advance", "--capacity") and frame[name].dtype == pl.String:
                raise CareGridError(
                    f"{option}: column {name!r} holds text",
                    where=where,
                    fix="give numbers, empty where unknown",
                )


def _grid(frame: pl.DataFrame, frequency: str, where: str) -> tuple[int, Ints]:
    """Return `ds` of the first column, and the column of each row."""
    step = STEPS[frequency]
    ds = frame["ds"].to_numpy()
    phases, counts = np.unique(ds % step, return_counts=True)
    phase = int(phases[np.argmax(counts)])
    off = np.flatnonzero(ds % step != phase)
    if len(off):
        worst = off[np.argmin(frame["line"].to_numpy()[off])]
        raise CareGridError(
            f"{as_text(int(ds[worst]))} is not on the grid of the others, which "
            f"{_grid_words(frequency, phase)} ({len(off)} of {len(ds)} rows are off it)",
            where=f"{where}, line {frame['line'][int(worst)]}, ds",
            fix="give one row per series and period, all at the same minute of the hour (H), time of the day "
            "(D) or day of the week (W, the week's last day), or another --freq",
        )
    times = np.unique(ds)
    gap = int(np.median(np.diff(times))) // step if len(times) > 3 else 1
    if gap > 1:
        raise CareGridError(
            f"most periods are {gap} {NAMES[frequency]}s apart",
            where=f"{where}, ds",
            fix="give the frequency of the table: H, D or W with --freq",
        )
    start = int(times[0])
    return start, (ds - start) // step


def _grid_words(frequency: str, phase: int) -> str:
    """Return in words where the periods of a grid lie."""
    if frequency == "H":
        return f"stands at minute {phase // (60 * SECOND)}"
    if frequency == "D":
        return f"stands at {as_text(phase)[11:] or '00:00'}"
    # 1 January 1970 was a Thursday.
    return f"ends its weeks on {WEEKDAYS[(phase // STEPS['D'] + 3) % 7]}"


def _codes(column: pl.Series) -> tuple[Ints, np.ndarray]:
    """Return texts as codes (-1: none) and the names by code."""
    import polars as pl

    names = column.drop_nulls().unique().sort()
    if not len(names):
        return np.full(len(column), -1), np.array([], dtype=str)
    codes = column.cast(pl.Enum(names)).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    return codes, np.array(names.to_list())
