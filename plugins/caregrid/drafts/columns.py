"""What one column of a sample holds: numbers and their style, times and their format, words for nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice, pairwise
from typing import Any

import polars as pl

from caregrid.drafts.dates import digits_of, is_time, time_formats
from caregrid.drafts.marks import Written, written
from caregrid.drafts.words import means
from caregrid.mapping.numerals import NumberStyle, parse_numbers
from caregrid.mapping.stamps import read_stamp

_MISSING = (
    "-", "--", "---", ".", "..", "n/a", "na", "null", "none", "nan", "nil", "not available", "unknown",
    "missing", "not applicable", "no data", "k.a.", "k. a.", "n.d.", "nd", "n.c.", "nc", "s/d",
    "sin dato", "无", "無", "缺", "x", "?", "-999", "-9999",
)  # fmt: skip
_SUPPRESSED = ("*", "**", "<5", "<10", "<11", "s", "c", "suppressed", "too few to report", "-999999")
STYLES = (
    NumberStyle(),
    NumberStyle(decimal=","),
    NumberStyle(thousands=","),
    NumberStyle(decimal=",", thousands="."),
    NumberStyle(decimal=",", thousands=" "),
    NumberStyle(thousands=" "),
    NumberStyle(thousands="'"),
)
_CURRENCIES = "$€£¥"
_FITS = 0.9
_SHOWN = 300
_TRIED = 600


@dataclass
class Column:
    """What a column holds. kind: empty | number | time | text."""

    name: str
    kind: str = "text"
    style: NumberStyle = field(default_factory=NumberStyle)
    formats: tuple[str, ...] = ()
    distinct: int = 0
    filled: float = 0.0
    whole_numbers: bool = False
    values: list[str] = field(default_factory=list)
    missing: tuple[str, ...] = ()
    suppressed: tuple[str, ...] = ()
    typed: bool = False
    written: Written = field(default_factory=Written)
    no_times: list[int] = field(default_factory=list)

    @property
    def is_ambiguous(self) -> bool:
        """Say whether day and month may be exchanged as far as the sample shows."""
        return len(self.formats) > 1


def profile(frame: pl.DataFrame, lines: pl.Series) -> list[Column]:
    """Return what each column of a sample holds, in its order; lines are those of its records."""
    columns = [_column(frame[name]) for name in frame.columns]
    for column in columns:
        column.no_times = [int(lines[place]) for place in column.no_times]
    return columns


def _column(series: pl.Series) -> Column:
    column = Column(series.name, typed=series.dtype != pl.String)
    if series.dtype.is_temporal():
        column.kind, column.distinct = "time", series.n_unique()
        column.values = [str(value) for value in series.drop_nulls().unique().sort()[:_SHOWN].to_list()]
        column.filled = 1 - series.null_count() / max(len(series), 1)
        column.formats = ("iso8601",)
        return column
    text = series.cast(pl.String, strict=False).str.strip_chars().fill_null("")
    filled = text.filter(text != "")
    column.filled = len(filled) / max(len(text), 1)
    values = filled.unique(maintain_order=True)
    column.distinct = len(values)
    if not len(values):
        column.kind = "empty"
        return column
    low = values.str.to_lowercase()
    column.missing = tuple(values.filter(low.is_in(_MISSING)).to_list())
    column.suppressed = tuple(values.filter(low.is_in(_SUPPRESSED)).to_list())
    real = values.filter(~low.is_in([*_MISSING, *_SUPPRESSED]))
    column.values = real[:_SHOWN].to_list()
    if not len(real):
        column.kind = "empty" if set(column.missing) - {"x", "?"} else "text"
        return column
    column.formats = time_formats(
        _cells(filled.filter(filled.is_in(real.implode()))),
        is_told=bool(means(column.name, "period")),
        digits=digits_of(column.name),
    )
    style = number_style(real)
    column.kind = "text"
    if style is not None:
        column.kind, column.style, column.written = "number", style, written(real)
        column.whole_numbers = bool(real.str.contains(r"^-?\d+$").all())
    if column.formats:
        column.kind, form = "time", column.formats[0]
        column.values = list(islice((value for value in real if is_time(value, form)), _SHOWN))
        column.no_times = _no_times(text, {*column.missing, *column.suppressed, ""}, column.formats[0])
    return column


def _cells(real: pl.Series) -> Counter[str]:
    """Return how many cells hold each text, of a column of very many texts by a sample from all over it."""
    return Counter((real if real.n_unique() <= _TRIED else real.sample(_TRIED, seed=0)).to_list())


def _no_times(text: pl.Series, words: set[str], form: str) -> list[int]:
    """Return the places, from 0, of the cells that are no time, nor a word for nothing."""
    wrong = [
        value for value in text.unique(maintain_order=True) if value not in words and not is_time(value, form)
    ]
    return text.is_in(wrong).arg_true().to_list() if wrong else []


def number_style(real: pl.Series) -> NumberStyle | None:
    """Return the first style under which nine in ten texts are numbers, None when there is none."""
    sample = real.head(2000)

    def mostly(mark: str) -> bool:
        return int(sample.str.contains(mark, literal=True).sum()) * 2 > len(sample)

    percent, currency = mostly("%"), next(filter(mostly, _CURRENCIES), None)
    for style in STYLES:
        full = NumberStyle(style.decimal, style.thousands, percent, currency)
        if parse_numbers(sample, full).is_not_null().sum() >= _FITS * len(sample):
            return full
    return None


def stamps(column: Column) -> list[Any]:
    """Return the stamps of a column's values, sorted."""
    form = "iso8601" if column.typed else column.formats[0]
    return sorted(
        (read_stamp(value, [form]) for value in column.values if is_time(value, form)),
        key=lambda stamp: stamp.moment.replace(tzinfo=None),
    )


def grain_of(column: Column) -> str:
    """Return the grain that the distances between a column's times suggest."""
    read = stamps(column)
    if not read:
        return "day"
    if read[0].last_day is not None:
        return str(read[0].grain)
    finest = {stamp.precision for stamp in read}
    moments = sorted({stamp.moment.replace(tzinfo=None) for stamp in read})
    if "time" in finest and any(moment.hour or moment.minute for moment in moments):
        whole = all(not moment.minute and not moment.second for moment in moments)
        daily = len(moments) > 1 and len({moment.date() for moment in moments}) == len(moments)
        return "hour" if whole and not daily else "instant"
    if "month" in finest or "year" in finest:
        return next(iter(finest & {"month", "year"}))
    days = sorted({moment.date() for moment in moments})
    return _grain_of_days(days)


def _grain_of_days(days: list[date]) -> str:
    gaps = [(later - sooner).days for sooner, later in pairwise(days)]
    if not gaps:
        return "day"
    middle = sorted(gaps)[len(gaps) // 2]
    same_day = len({day.day for day in days}) <= 1 or all((day + timedelta(days=1)).day == 1 for day in days)
    if min(gaps) >= 28 and same_day:
        return "month" if middle <= 31 else "quarter" if middle <= 92 else "year"
    if all(gap % 7 == 0 for gap in gaps):
        return "week"
    return "day"
