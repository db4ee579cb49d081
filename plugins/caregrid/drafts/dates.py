"""Under which format a sample's texts are times; and which of its cells are none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

from caregrid.drafts.words import best_of, is_rate, means
from caregrid.mapping.stamps import read_stamp

_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y",
    "%B %d, %Y", "%Y年%m月%d日",
)  # fmt: skip
_CLOCKS = (
    "T%H:%M:%S", " %H:%M:%S", " %H:%M", "T%H:%M", "T%H:%M:%S%z", " %H:%M:%S%z", "T%H:%M%z", "T%H:%M:%S.%f",
    " %H:%M:%S.%f", "T%H:%M:%S.%f%z", " %I:%M:%S %p", " %I:%M %p", "T%H", " %H",
)  # fmt: skip
_COARSE = ("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%y", "%Y年%m月", "iso_week", "YYYYQn", "dhis2")
# Digits alone: as they begin tells years from counts of days or seconds; none begins as another does. Of the
# Republic of China's years 114 is 2025; spreadsheets count days (2000 to 2050), computers seconds since 1970.
_FITS: dict[str, Callable[[str], bool]] = {
    "%Y%m%d": lambda text: len(text) == 8 and "1950" <= text[:4] <= "2079",
    "%Y%m": lambda text: len(text) == 6 and "1950" <= text[:4] <= "2079",
    "YYYY": lambda text: len(text) == 4 and "1950" <= text <= "2079",
    "roc_date": lambda text: len(text) == 7 and "090" <= text[:3] <= "149",
    "roc_month": lambda text: len(text) == 5 and "090" <= text[:3] <= "149",
    "excel_days": lambda text: len(text) == 5 and "36526" <= text <= "55153",
    "unix_seconds": lambda text: len(text) == 10 and "0946684800" <= text <= "2524608000",
    "unix_milliseconds": lambda text: len(text) == 13 and "0946684800000" <= text <= "2524608000000",
}
DIGITS = tuple(_FITS)
_OF_MONTHS = ("%Y%m%d", "%Y%m")
COUNTED = ("excel_days", "unix_seconds", "unix_milliseconds")
_ROC = ("roc_date", "roc_month")
_ROC_YEARS = range(80, 150)


def digits_of(heading: str) -> tuple[str, ...]:
    """Return the formats of digits alone that a heading allows."""
    if is_rate(heading):
        return ()
    # Their months and days make these no numbers, whatever the heading; others are not taken for times.
    if not means(heading, "period"):
        return _OF_MONTHS
    # Any count of five digits is also a day of a spreadsheet, any of four a year: what counts something as
    # well has to say that it is a date, or a year.
    counts = best_of(heading, "measures")[0] is not None or means(heading, "long_value")
    barred = {
        "excel_days": counts and not means(heading, "date"),
        "YYYY": counts and not means(heading, "year"),
    }
    return tuple(form for form in DIGITS if not barred.get(form))


def time_formats(
    cells: Mapping[str, int], *, is_told: bool = False, digits: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the format under which texts are times; several when day and month can be exchanged.

    Args:
        cells: how many cells hold each text.
        is_told: the heading says that it is a time; then most cells are enough, else nearly all must be one.
        digits: the formats of digits alone that are tried.
    """
    many = sum(cells.values())
    least = many // 2 + 1 if is_told else many - many // 50
    # What most cells hold comes first: formats that do not fit are soon given up.
    cells = dict(sorted(cells.items(), key=lambda cell: -cell[1]))
    if not cells or sum(count for text, count in cells.items() if re.search(r"\d{2}", text)) < least:
        return ()
    numbers = {text: count for text, count in cells.items() if text.isdecimal() and text.isascii()}
    if sum(numbers.values()) >= least:
        fitting = ((form, _only(numbers, _FITS[form])) for form in digits)
        return next(((form,) for form, found in fitting if _count(found, form, least)), ())
    found = _most(cells, _DATES, least)
    if not found and (found := _most(cells, [day + clock for day in _DATES for clock in _CLOCKS], least)):
        # This reads days with a clock and those without one.
        is_mixed = _count(cells, "iso8601", least) > _count(cells, found[0], least)
        found = ["iso8601"] if is_mixed else found
    found = found or [form for form in _ROC if _count(_only(cells, _is_roc), form, least)][:1]
    found = found or [form for form in (*_COARSE, "iso8601") if _count(cells, form, least)][:1]
    if len(found) < 2:
        return tuple(found)
    # Days that follow each other lie close together when read rightly: the narrower reading is likelier.
    return tuple(sorted(found, key=lambda form: _span(cells, form)))


def is_time(text: str, form: str) -> bool:
    """Say whether a text is a time under a format."""
    try:
        read_stamp(text, [form])
    except (ValueError, OverflowError):
        return False
    return True


def _only(cells: Mapping[str, int], fits: Callable[[str], bool]) -> dict[str, int]:
    return {text: count for text, count in cells.items() if fits(text)}


def _count(cells: Mapping[str, int], form: str, least: int) -> int:
    """Return how many cells are times under a format, 0 as soon as they cannot be enough."""
    right = sum(cells.values())
    for text, count in cells.items():
        if right < least:
            return 0
        right -= 0 if is_time(text, form) else count
    return right if right >= least else 0


def _most(cells: Mapping[str, int], forms: Sequence[str], least: int) -> list[str]:
    """Return the formats under which most cells are times, and no fewer than there must be."""
    counts = {form: _count(cells, form, least) for form in forms}
    most = max([least, *counts.values()])
    return [form for form, count in counts.items() if count == most]


def _is_roc(text: str) -> bool:
    year = re.match(r"\d{2,3}(?=[/.-])", text)
    return year is not None and int(year[0]) in _ROC_YEARS


def _span(cells: Mapping[str, int], form: str) -> float:
    moments = sorted({read_stamp(text, [form]).moment for text in cells if is_time(text, form)})
    gaps = [(later - sooner) / timedelta(days=1) for sooner, later in pairwise(moments)]
    return (max(gaps) if gaps else 0.0) + (
        (moments[-1] - moments[0]) / timedelta(days=1) if gaps else 0
    ) / 1e4
