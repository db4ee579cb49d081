"""Calendars of health statistics: weeks of every kind, DHIS2 periods, fiscal quarters and years, ROC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

_DHIS2_FIRST_DAY = {"": 0, "Wed": 2, "Thu": 3, "Sat": 5, "Sun": 6}


_DHIS2_YEARS = {"April": 4, "July": 7, "Sep": 9, "Oct": 10, "Nov": 11}


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time as written.

    moment: naive local time, or aware (UTC) when the text carries its offset.
    precision: year | month | day | time, the finest part that is written.
    zone_name: abbreviation written beside a local time (EST); it tells a repeated hour's passings apart.
    last_day, grain: set when the text names a whole period (a week, a quarter); moment is its first day.
    """

    moment: datetime
    precision: str
    last_day: date | None = None
    grain: str | None = None
    zone_name: str | None = None


def week_start(year: int, week: int, first_day: int) -> date:
    """Return the first day of a week that belongs to the year in which its fourth day lies.

    first_day: 0 Monday (ISO 8601) to 6 Sunday (MMWR). Raises ValueError when the year has no such week.
    """
    january_4 = date(year, 1, 4)
    start = january_4 - timedelta(days=(january_4.weekday() - first_day) % 7) + timedelta(weeks=week - 1)
    if week < 1 or (start + timedelta(days=3)).year != year:
        raise ValueError(f"{year} has no week {week}")
    return start


def add_months(day: date, months: int) -> date:
    """Return the day moved by calendar months; a day the month lacks becomes its last."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    after = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = (after - timedelta(days=1)).day
    return day.replace(year=year, month=month + 1, day=min(day.day, last))


def _whole(first: date, after: date, grain: str) -> Stamp:
    start = datetime(first.year, first.month, first.day)  # noqa: DTZ001 - local
    return Stamp(start, "day", after - timedelta(days=1), grain)


def weeks(match: re.Match[str] | None, first_day: int) -> Stamp | None:
    """Return a week by year and number; first_day 0 Monday to 6 Sunday."""
    if match is None:
        return None
    start = week_start(int(match[1]), int(match[2]), first_day)
    return _whole(start, start + timedelta(weeks=1), "week")


def dhis2_week(text: str) -> Stamp | None:
    """Return a DHIS2 week: YYYYWn, or one that starts on another day (YYYYSunWn)."""
    match = re.fullmatch(r"(\d{4})(Wed|Thu|Sat|Sun|)W(\d{1,2})", text)
    if match is None:
        return None
    start = week_start(int(match[1]), int(match[3]), _DHIS2_FIRST_DAY[match[2]])
    return _whole(start, start + timedelta(weeks=1), "week")


def dhis2(text: str) -> Stamp | None:
    """Return any DHIS2 period: day, week, month, two months, quarter, half, year, financial year."""
    if stamp := dhis2_week(text):
        return stamp
    match = re.fullmatch(r"(\d{4})(?:(\d{2})(\d{2})?(B)?|Q([1-4])|S([12])|([A-Z][a-z]+)|)", text)
    if match is None:
        return None
    year, month, day, pair, quarter, half, financial = match.groups()
    if day:
        if pair:
            return None
        first = date(int(year), int(month), int(day))
        return _whole(first, first + timedelta(days=1), "day")
    if pair:
        if not 1 <= int(month) <= 6:
            raise ValueError(f"a year has six two-month periods, not {int(month)}")
        return _months(int(year), int(month) * 2 - 1, 2, "interval")
    if month:
        return _months(int(year), int(month), 1, "month")
    if quarter:
        return _months(int(year), int(quarter) * 3 - 2, 3, "quarter")
    if half:
        return _months(int(year), int(half) * 6 - 5, 6, "interval")
    if financial:
        return _months(int(year), _DHIS2_YEARS[financial], 12, "year") if financial in _DHIS2_YEARS else None
    return _months(int(year), 1, 12, "year")


def _months(year: int, month: int, count: int, grain: str) -> Stamp:
    first = date(year, month, 1)
    return _whole(first, add_months(first, count), grain)


def _fiscal_first(year: int, fiscal_start: int, named_by: str) -> date:
    return date(year - 1 if named_by == "end" and fiscal_start > 1 else year, fiscal_start, 1)


def quarter(text: str, fiscal_start: int, named_by: str) -> Stamp | None:
    """Return a quarter (2017Q4, Q4 2017), of the fiscal year where that does not start in January."""
    match = re.fullmatch(
        r"(?P<year>\d{4})[- /]?Q(?P<quarter>[1-4])|Q(?P<quarter2>[1-4])[- /]?(?P<year2>\d{4})", text
    )
    if match is None:
        return None
    year, quarter = int(match["year"] or match["year2"]), int(match["quarter"] or match["quarter2"])
    first = add_months(_fiscal_first(year, fiscal_start, named_by), 3 * (quarter - 1))
    return _whole(first, add_months(first, 3), "quarter")


def year_label(text: str, fiscal_start: int, named_by: str) -> Stamp | None:
    """Return a year (2021, 2021/22), fiscal where that does not start in January."""
    match = re.fullmatch(r"(\d{4})(?:[-/](\d{2}|\d{4}))?", text)
    if match is None:
        return None
    if match[2] and int(match[2]) % 100 != (int(match[1]) + 1) % 100:
        raise ValueError(f"{text} is no pair of consecutive years")
    first = (
        date(int(match[1]), fiscal_start, 1)
        if match[2]
        else _fiscal_first(int(match[1]), fiscal_start, named_by)
    )
    return _whole(first, add_months(first, 12), "year")


def roc_date(text: str) -> Stamp | None:
    """Return a day in years of the Republic of China: 113/12/31, 1131231."""
    match = re.fullmatch(r"(\d{2,3})[/.-](\d{1,2})[/.-](\d{1,2})|(\d{3})(\d{2})(\d{2})", text)
    if match is None:
        return None
    year, month, day = (int(part) for part in match.groups() if part is not None)
    return Stamp(datetime(year + 1911, month, day), "day")  # noqa: DTZ001 - local


def roc_month(text: str) -> Stamp | None:
    """Return a month in years of the Republic of China: 113/12, 11312."""
    match = re.fullmatch(r"(\d{2,3})[/.-](\d{1,2})|(\d{3})(\d{2})", text)
    if match is None:
        return None
    year, month = (int(part) for part in match.groups() if part is not None)
    return Stamp(datetime(year + 1911, month, 1), "month")  # noqa: DTZ001 - local
