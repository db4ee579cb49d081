"""Which column of a sample tells the period, how it is written, and what of it is not sure."""

from __future__ import annotations

import re
from typing import Any

from caregrid.drafts.columns import Column, grain_of
from caregrid.drafts.dates import COUNTED
from caregrid.drafts.words import is_rate, means, weight

_MANY = 0.5  # a period that is missing in half the records is none
_SHOWN = 3
_COUNTED = {
    "roc_date": "a day in years of the Republic of China (114 is 2025)",
    "roc_month": "a month in years of the Republic of China (114 is 2025)",
    "excel_days": "the days that a spreadsheet counts since 1900",
    "unix_seconds": "seconds since 1970",
    "unix_milliseconds": "milliseconds since 1970",
}


def period_of(columns: list[Column], unsure: dict[str, str]) -> dict[str, Any]:
    """Return the period by the columns, with what a person must confirm of it; none when no column tells."""
    times = [
        column
        for column in columns
        if column.kind == "time" and column.filled >= _MANY and not means(column.name, "not_period")
    ]
    # Eight digits may be a date or a number: those without a word for time are left to the numbers.
    times = [
        column
        for column in times
        if column.typed or not column.formats[0].startswith(("%Y%m", "YYYY")) or _told(column)
    ]
    if not times:
        return _joined(columns, unsure) or _untold(columns, unsure)
    best = max(times, key=_likelihood)
    period: dict[str, Any] = {
        "column": best.name,
        "format": _form(best),
        "role": "label",
        "grain": grain_of(best),
    }
    if "epi" in best.name.lower() or "mmwr" in best.name.lower():
        period.update(format="epi_week", grain="week")
    elif period["grain"] == "instant":
        period["role"] = "instant"
    elif means(best.name, "period_end") and not means(best.name, "period_start"):
        period["role"] = "end"
    elif means(best.name, "period_start"):
        period["role"] = "start"
        ends = [column for column in times if column is not best and means(column.name, "period_end")]
        if ends and ends[0].formats == best.formats and period["grain"] not in ("hour",):
            period.update(grain="interval", end_column=ends[0].name)
    elif period["grain"] == "week" and "%" in period["format"]:
        period["role"] = "end"
        unsure["period"] = "the dates lie a week apart: do they name its first or its last day?"
    if period["grain"] in ("month", "quarter", "year") and period["role"] == "label":
        period["grain"] = grain_of(best)
    asked = [unsure["period"]] if "period" in unsure else []
    if best.is_ambiguous:
        asked = [f"day and month may be exchanged ({' or '.join(best.formats)})"]
    if best.formats[0] in _COUNTED:
        asked.append(f"{best.values[0]} in {best.name!r} is taken for {_COUNTED[best.formats[0]]}")
    if best.no_times:
        asked.append(_no_times(best))
    if asked:
        unsure["period"] = "; ".join(asked)
    return period


def _likelihood(column: Column) -> tuple[bool, int, bool, int, float]:
    """Return what the columns of times are compared by: any number may be a count, so a date comes first."""
    form, told = _form(column), means(column.name, "period")
    is_written = column.typed or "%" in form or form == "iso8601"
    return form not in COUNTED, told, is_written, len(form), column.filled


def _no_times(column: Column) -> str:
    lines = column.no_times
    many = f"{len(lines):,} cells of {column.name!r} are no date, lines" if len(lines) > 1 else ""
    shown = ", ".join(map(str, lines[:_SHOWN])) + (" …" if len(lines) > _SHOWN else "")
    return f"{many or f'1 cell of {column.name!r} is no date, line'} {shown}; rejected as it stands"


def _untold(columns: list[Column], unsure: dict[str, str]) -> dict[str, Any]:
    """Return no period; say that rows get the day of their file, and which columns might have told it."""
    headed = [column for column in columns if _told(column) and not means(column.name, "not_period")]
    shown = ", ".join(f"{column.name!r} (as {column.values[0]!r})" for column in headed[:3] if column.values)
    reason = f"; no one format reads {shown}" if shown else ""
    unsure["period"] = (
        f"no column is read as a date: every row gets the day on which its file was published{reason}"
    )
    return {}


def _told(column: Column) -> bool:
    return bool(means(column.name, "period"))


def _form(column: Column) -> str:
    return column.formats[0]


def _joined(columns: list[Column], unsure: dict[str, str]) -> dict[str, Any]:
    """Return a period of a year and a month in two columns, of a year alone, or none."""
    year = next(
        (
            c
            for c in columns
            if c.kind in ("time", "number") and means(c.name, "year") and not is_rate(c.name)
        ),
        None,
    )
    if year is None or not all(re.fullmatch(r"19[5-9]\d|20[0-7]\d", value) for value in year.values):
        return {}
    month = next(
        (
            c
            for c in columns
            if weight(c.name, ["month", "monat", "mois", "mese", "mes", "月"])
            and c is not year
            and not is_rate(c.name)
        ),
        None,
    )
    if month is not None and all(value.isdigit() and 1 <= int(value) <= 12 for value in month.values):
        return {
            "join": [year.name, month.name],
            "separator": "-",
            "format": "%Y-%m",
            "role": "label",
            "grain": "month",
        }
    unsure["period"] = "a calendar year; a fiscal one wants fiscal_start"
    return {"column": year.name, "format": "YYYY", "role": "label", "grain": "year"}
