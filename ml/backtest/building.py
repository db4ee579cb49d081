"""From rows to a table: on the grid of periods, each version once; what cannot be used is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from caregrid.errors import CareGridError

from ..panel import LARGEST, Floats, Ints
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


def build(
    frame: pl.DataFrame, meaning: Meaning, where: str, read_notes: Sequence[str] = ()
) -> Table:
    """Return the table of typed rows (see `reading.read`), with the notes of their reading.

    Raises:
        CareGridError: a named column is missing or not of its kind, rows lie off the grid of the frequency,
            or neither known_at nor a publication lag tells when rows became known.
    """
    import polars as pl

    notes = list(read_notes)
    _check_columns(frame, meaning, where)
    frame, assumed = _known(frame, meaning, where, notes)
    frame = _usable(frame, where, notes)
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
    kept = _each_version_once(row * width + column, known, y, where, notes)
    frame = frame[kept]
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


def _known(frame: pl.DataFrame, meaning: Meaning, where: str, notes: list[str]) -> tuple[pl.DataFrame, bool]:
    """Return the rows with known_at, by vintages or by the publication lag, and whether that was assumed."""
    import polars as pl

    if "known_at" not in frame.columns:
        if meaning.lag is None:
            raise CareGridError(
                "no column tells when a row became known",
                where=where,
                fix="name it with --known-at COLUMN, or say after what time rows are published, such as "
                "--publication-lag 1D (0: at the end of their period)",
            )
        notes.append(
            "Vintages are assumed: every value counts as known "
            f"{_words(meaning.lag, meaning.frequency)} its ds, and never to be revised."
        )
        return frame.with_columns((pl.col("ds") + meaning.lag).alias("known_at")), True
    unknown = int(frame["known_at"].null_count())
    if unknown and meaning.lag is not None:
        notes.append(
            f"{unknown} rows without known_at count as known {_words(meaning.lag, meaning.frequency)} ds"
        )
        frame = frame.with_columns(pl.col("known_at").fill_null(pl.col("ds") + meaning.lag))
    elif unknown:
        notes.append(f"{_many(unknown, 'row')} left out: nothing tells when it became known")
        frame = frame.filter(pl.col("known_at").is_not_null())
    return frame, False


def _words(lag: int, frequency: str) -> str:
    """Return a lag in words, in front of what it counts from."""
    if not lag:
        return "at" if frequency == "H" else "on the day of"
    if lag % STEPS["D"]:
        return f"{lag / STEPS['H']:g} hours after"
    return f"{_many(lag // STEPS['D'], 'day')} after"


def _many(count: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _usable(frame: pl.DataFrame, where: str, notes: list[str]) -> pl.DataFrame:
    """Return the rows in order of known_at, without a y that is negative or more than can be counted."""
    import polars as pl

    broken = (pl.col("y") < 0) | (pl.col("y") > LARGEST)
    count = int(frame.select(broken.sum()).item() or 0)
    if count:
        line = frame.filter(broken)["line"][0]
        why = f"y is negative, or more than can be counted (the first in line {line})"
        notes.append(f"{_many(count, 'row')} left out: {why}")
        frame = frame.filter(~broken.fill_null(value=False))
    if frame["y"].null_count() == len(frame):
        raise CareGridError("no row has a value of y that can be used", where=where, fix="check column y")
    return frame.sort("known_at", maintain_order=True)


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


def _each_version_once(cell: Ints, known: Ints, y: Floats, where: str, notes: list[str]) -> Ints:
    """Return the rows to keep, in order of known_at: of exact repeats the first, of contradictions none.

    Args:
        cell, known, y: [row] in order of `known`.
    """
    order = np.lexsort((cell, known))
    same = np.zeros(len(order), dtype=bool)
    same[1:] = (np.diff(cell[order]) == 0) & (np.diff(known[order]) == 0)
    if not same.any():
        return np.arange(len(order))
    group = np.cumsum(~same) - 1
    values = y[order]
    first = values[np.flatnonzero(~same)][group]
    differs = (values != first) & ~(np.isnan(values) & np.isnan(first))
    contradicted = np.bincount(group, weights=differs, minlength=group[-1] + 1) > 0
    bad = contradicted[group]
    cells = int(contradicted.sum())
    if bad.mean() > 0.5:
        raise CareGridError(
            f"most cells have several rows that contradict each other ({cells} cells)",
            where=where,
            fix="make unique_id tell the series apart, or give one row per period (--freq)",
        )
    if cells:
        notes.append(
            f"{_many(cells, 'cell')} left out: several rows of one unique_id, ds and known_at differ in y"
        )
    repeats = int((same & ~bad).sum())
    if repeats:
        notes.append(f"{_many(repeats, 'row')} left out: exact repeats")
    return np.sort(order[~same & ~bad])


def _codes(column: pl.Series) -> tuple[Ints, np.ndarray]:
    """Return texts as codes (-1: none) and the names by code."""
    import polars as pl

    names = column.drop_nulls().unique().sort()
    if not len(names):
        return np.full(len(column), -1), np.array([], dtype=str)
    codes = column.cast(pl.Enum(names)).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    return codes, np.array(names.to_list())
