"""A long table from a CSV or Parquet file, typed, with refusals that name the line and what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from caregrid.errors import CareGridError

from .. import tables
from . import clock
from .times import WRITTEN, instant

if TYPE_CHECKING:
    import polars as pl

NEEDED = ("unique_id", "ds", "y")
# Words that say that a number or a time is missing. As names they stay what they are: NA is Namibia's code.
EMPTY = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
# A code such as 01 is text, whatever it looks like: as a number it would be another code.
_CODE = re.compile(r"0\d+")


def read(
    path: Path, known_at: str | None = None, zone: ZoneInfo | None = None, notes: list[str] | None = None
) -> pl.DataFrame:
    """Return the table with unique_id as text, ds (and known_at) in microseconds, y as a number.

    Every other column is a number where all of its cells are, else text. `known_at` names the column that
    tells when a row became known; it is called known_at in what is returned. `line` counts the file's lines.

    Args:
        zone: whose clock times without an offset follow, those of a clock change too (see `clock`).
        notes: gets what was left out or taken for something, in words.

    Raises:
        CareGridError: no such file, not a table, a needed column is missing, no rows, a time that cannot be
            read, or text in y.
    """
    import polars as pl

    frame = tables.read(path, "--series")
    if "line" in frame.columns:
        raise CareGridError(
            "a column is called line, as the lines of the file are here", where=path.name, fix="rename it"
        )
    frame = frame.with_row_index("line", offset=1 if tables.is_parquet(path) else 2)
    missing = [name for name in (*NEEDED, *([known_at] if known_at else [])) if name not in frame.columns]
    if missing:
        raise CareGridError(
            f"no column {', '.join(missing)}; there are {', '.join(frame.columns[1:])}",
            where=path.name,
            fix="name the columns unique_id, ds and y (one row per series and period), and when a row "
            "became known with --known-at COLUMN",
        )
    if known_at in NEEDED:
        raise CareGridError(
            f"{known_at} cannot also tell when a row became known",
            where=f"{path.name}, --known-at",
            fix="name another column, or say --publication-lag 0 where a row is known at its ds",
        )
    if known_at and known_at != "known_at":
        frame = frame.drop("known_at", strict=False).rename({known_at: "known_at"})
    if not len(frame):
        raise CareGridError("has no rows", where=path.name, fix="give a table with at least one row")
    where = (path.name, "row" if tables.is_parquet(path) else "line")
    frame = frame.with_columns(pl.col("unique_id").cast(pl.String).replace("", None))
    # A row that names no series and tells no value (the total of nobody) takes nothing away.
    frame = frame.filter(pl.col("unique_id").is_not_null() | _told(frame["y"]).is_not_null())
    nameless = frame.filter(pl.col("unique_id").is_null())
    if len(nameless):
        raise CareGridError(
            "is empty", where=_at(where, nameless["line"][0], "unique_id"), fix="name every row's series"
        )
    written = _written(frame["ds"], zone)
    for name in ("ds", "known_at"):
        if name in frame.columns:
            frame = frame.with_columns(_times(frame, name, where, zone))
    if zone is not None and written.dtype == pl.String:
        frame = clock.settled(frame, written, zone, [] if notes is None else notes)
    undated = frame.filter(pl.col("ds").is_null())
    if len(undated):
        raise CareGridError(
            "is empty",
            where=_at(where, undated["line"][0], "ds"),
            fix="give every row the time of its period",
        )
    frame = frame.with_columns(_numbers(frame, where))
    others = [name for name in frame.columns if name not in (*NEEDED, "known_at", "line")]
    return frame.with_columns([_typed(frame[name]) for name in others])


def _at(where: tuple[str, str], line: int, field: str) -> str:
    return f"{where[0]}, {where[1]} {line}, {field}"


def _told(column: pl.Series) -> pl.Series:
    """Return a column without the words that say that nothing is told."""
    import polars as pl

    if column.dtype != pl.String:
        return column
    return column.set(column.is_in(EMPTY), None)


def _written(column: pl.Series, zone: ZoneInfo | None) -> pl.Series:
    """Return a column of times; as text where they follow the clock of a zone."""
    import polars as pl

    column = _told(column)
    if zone is None or (column.dtype == pl.Datetime and getattr(column.dtype, "time_zone", None)):
        return column
    if column.dtype in (pl.Date, pl.Datetime):
        return column.cast(pl.Datetime("us")).dt.to_string("iso")
    return column


def _times(frame: pl.DataFrame, name: str, where: tuple[str, str], zone: ZoneInfo | None) -> pl.Series:
    """Return a column of times in microseconds since 1970: offsets brought to UTC, else as `instant` says."""
    import polars as pl

    column = _written(frame[name], zone)
    if column.dtype == pl.Datetime and getattr(column.dtype, "time_zone", None):
        return column.dt.convert_time_zone("UTC").dt.timestamp("us").alias(name)
    if column.dtype in (pl.Date, pl.Datetime):
        return column.cast(pl.Datetime("us")).dt.timestamp("us").alias(name)
    if column.dtype != pl.String:
        raise CareGridError(f"holds {column.dtype}, no times", where=f"{where[0]}, {name}", fix=WRITTEN)
    # A table repeats its times many times over: each is read once.
    texts = column.drop_nulls().unique()
    read_, broken = [], []
    for text in texts:
        try:
            read_.append(instant(text, zone))
            if zone is not None and name == "known_at":
                # Of the two times that it may be, the later one: nothing is known too early.
                read_[-1] += max(clock.moved(text, zone), 0)
        except (ValueError, OverflowError):
            broken.append(text)
    if broken:
        first = frame.filter(column.is_in(broken)).row(0, named=True)
        raise CareGridError(
            f"{first[name]!r} is no date or time that is read here",
            where=_at(where, first["line"], name),
            fix=WRITTEN,
        )
    if not len(texts):
        return pl.Series(name, [None] * len(column), dtype=pl.Int64)
    return column.replace_strict(texts, pl.Series(read_, dtype=pl.Int64), default=None).alias(name)


def _numbers(frame: pl.DataFrame, where: tuple[str, str]) -> pl.Series:
    """Return y as numbers; an empty cell stays empty."""
    import polars as pl

    told = _told(frame["y"])
    numbers = told.cast(pl.Float64, strict=False)
    refused = frame.filter(numbers.is_null() & told.is_not_null())
    if len(refused):
        raise CareGridError(
            f"{refused['y'][0]!r} is no number",
            where=_at(where, refused["line"][0], "y"),
            fix="write numbers with a decimal point, and leave a cell empty where nothing was reported",
        )
    return numbers.fill_nan(None).alias("y")


def _typed(column: pl.Series) -> pl.Series:
    """Return a further column as numbers where all its cells are some, else as text."""
    import polars as pl

    if column.dtype == pl.Boolean or column.dtype.is_numeric():
        return column.cast(pl.Float64).fill_nan(None)
    text = column.cast(pl.String)
    told = _told(text)
    numbers = told.cast(pl.Float64, strict=False)
    wordy = told.null_count() == len(told) > text.null_count()
    if wordy or numbers.null_count() > told.null_count() or text.str.contains(f"^{_CODE.pattern}$").any():
        return text
    return numbers.fill_nan(None)
