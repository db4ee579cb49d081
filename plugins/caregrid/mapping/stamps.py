"""Reads one time as text under a declared format, strictly; knows no zone and no machine setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_FIXED = {
    "Y": r"(?P<Y>\d{4})",
    "f": r"(?P<f>\d{1,9})",
    "z": r"(?P<z>Z|[+-]\d{2}:?\d{2})",
    "p": r"(?P<p>[AaPp]\.?[Mm]\.?)",
    "b": r"(?P<b>[A-Za-z]{3})\.?",
    "B": r"(?P<B>[A-Za-z]{3,9})",
    "%": "%",
}
_TWO_DIGITS = "mdHMSIy"
_DHIS2_FIRST_DAY = {"": 0, "Wed": 2, "Thu": 3, "Sat": 5, "Sun": 6}
_DHIS2_YEARS = {"April": 4, "July": 7, "Sep": 9, "Oct": 10, "Nov": 11}


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time as written.

    moment: naive local time, or aware (UTC) when the text carries its offset.
    precision: year | month | day | time, the finest part that is written.
    last_day, grain: set when the text names a whole period (a week, a quarter); moment is its first day.
    """

    moment: datetime
    precision: str
    last_day: date | None = None
    grain: str | None = None


Reader = Callable[[str], Stamp | None]


def read_stamp(
    text: str, formats: Sequence[str], fiscal_start: int = 1, fiscal_named_by: str = "start"
) -> Stamp:
    """Return the stamp under the first format that fits. Raises ValueError, also for a day or week there is not."""
    failures: list[str] = []
    for form in formats:
        try:
            stamp = _reader(form, fiscal_start, fiscal_named_by)(text)
        except (ValueError, OverflowError) as error:
            failures.append(str(error))
            continue
        if stamp is not None:
            return stamp
    raise ValueError(
        failures[0]
        if failures
        else f"it fits none of {', '.join(formats)}"
        if len(formats) > 1
        else f"it does not fit {formats[0]}"
    )


@lru_cache(maxsize=512)
def _reader(form: str, fiscal_start: int, fiscal_named_by: str) -> Reader:
    named: dict[str, Reader] = {
        "iso_week": lambda text: _week(re.fullmatch(r"(\d{4})-?W?(\d{1,2})", text), 0),
        "epi_week": lambda text: _week(re.fullmatch(r"(\d{4})-?(?:EW|W)?(\d{1,2})", text), 6),
        "dhis2_week": _dhis2_week,
        "dhis2": _dhis2,
        "quarter": lambda text: _quarter(text, fiscal_start, fiscal_named_by),
        "YYYYQn": lambda text: _quarter(text, fiscal_start, fiscal_named_by),
        "YYYY": lambda text: _year(text, fiscal_start, fiscal_named_by),
        "roc_date": _roc_date,
        "roc_month": _roc_month,
        "iso8601": _iso8601,
        "unix_seconds": _unix_seconds,
    }
    return named[form] if form in named else _strptime(form)


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
    return Stamp(datetime(first.year, first.month, first.day), "day", after - timedelta(days=1), grain)


def _week(match: re.Match[str] | None, first_day: int) -> Stamp | None:
    if match is None:
        return None
    start = week_start(int(match[1]), int(match[2]), first_day)
    return _whole(start, start + timedelta(weeks=1), "week")


def _dhis2_week(text: str) -> Stamp | None:
    match = re.fullmatch(r"(\d{4})(Wed|Thu|Sat|Sun|)W(\d{1,2})", text)
    if match is None:
        return None
    start = week_start(int(match[1]), int(match[3]), _DHIS2_FIRST_DAY[match[2]])
    return _whole(start, start + timedelta(weeks=1), "week")


def _dhis2(text: str) -> Stamp | None:
    if stamp := _dhis2_week(text):
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


def _quarter(text: str, fiscal_start: int, named_by: str) -> Stamp | None:
    match = re.fullmatch(
        r"(?P<year>\d{4})[- /]?Q(?P<quarter>[1-4])|Q(?P<quarter2>[1-4])[- /]?(?P<year2>\d{4})", text
    )
    if match is None:
        return None
    year, quarter = int(match["year"] or match["year2"]), int(match["quarter"] or match["quarter2"])
    first = add_months(_fiscal_first(year, fiscal_start, named_by), 3 * (quarter - 1))
    return _whole(first, add_months(first, 3), "quarter")


def _year(text: str, fiscal_start: int, named_by: str) -> Stamp | None:
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


def _roc_date(text: str) -> Stamp | None:
    match = re.fullmatch(r"(\d{2,3})[/.-](\d{1,2})[/.-](\d{1,2})|(\d{3})(\d{2})(\d{2})", text)
    if match is None:
        return None
    year, month, day = (int(part) for part in match.groups() if part is not None)
    return Stamp(datetime(year + 1911, month, day), "day")


def _roc_month(text: str) -> Stamp | None:
    match = re.fullmatch(r"(\d{2,3})[/.-](\d{1,2})|(\d{3})(\d{2})", text)
    if match is None:
        return None
    year, month = (int(part) for part in match.groups() if part is not None)
    return Stamp(datetime(year + 1911, month, 1), "month")


def _iso8601(text: str) -> Stamp | None:
    moment = datetime.fromisoformat(text)
    precision = "time" if ":" in text or "T" in text else "day"
    return Stamp(moment.astimezone(UTC) if moment.tzinfo else moment, precision)


def _unix_seconds(text: str) -> Stamp | None:
    if not re.fullmatch(r"\d{1,11}(\.\d+)?", text):
        return None
    return Stamp(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(text)), "time")


def _strptime(form: str) -> Reader:
    form = form.replace("%T", "%H:%M:%S")
    parts = re.split(r"(%.)", form)
    pattern = ""
    for index, part in enumerate(parts):
        letter = part[1:] if part.startswith("%") and len(part) == 2 else ""
        if not letter:
            pattern += re.escape(part)
        elif letter in _TWO_DIGITS or letter == "j":
            # Beside another number the digits must be complete, or 2020411 would be a day.
            beside = (
                index + 1 < len(parts)
                and not parts[index + 1]
                and index + 2 < len(parts)
                and parts[index + 2][1] in _TWO_DIGITS + "jYf"
            ) or (index >= 2 and not parts[index - 1] and parts[index - 2][1:] in [*_TWO_DIGITS, "j", "Y"])
            width = 3 if letter == "j" else 2
            low = width if beside or letter == "y" else 1
            pattern += rf"(?P<{letter}>\d{{{low},{width}}})"
        else:
            pattern += _FIXED[letter]
    compiled = re.compile(pattern)
    precision = (
        "time"
        if re.search("%[HIMSf]", form)
        else "day"
        if re.search("%[dj]", form)
        else "month"
        if re.search("%[mbB]", form)
        else "year"
    )

    def read(text: str) -> Stamp | None:
        match = compiled.fullmatch(text)
        return None if match is None else Stamp(_assemble(match.groupdict(), text), precision)

    return read


def _assemble(found: dict[str, str], text: str) -> datetime:
    if "Y" in found:
        year = int(found["Y"])
    elif "y" in found:
        year = int(found["y"]) + (1900 if int(found["y"]) >= 69 else 2000)
    else:
        raise ValueError("the format has no year")
    month = int(found.get("m", 1))
    for key in ("b", "B"):
        if key in found:
            word = found[key].lower()
            matches = [
                number
                for number, name in enumerate(_MONTHS, 1)
                if name == word or (len(word) == 3 and name.startswith(word))
            ]
            if not matches:
                raise ValueError(f"{found[key]!r} is no month")
            month = matches[0]
    hour = int(found.get("H", 0))
    if "I" in found:
        hour = int(found["I"]) % 12 + (12 if found.get("p", "a").lower().startswith("p") else 0)
    fraction = int(found.get("f", "0").ljust(6, "0")[:6])
    try:
        moment = datetime(
            year,
            month,
            int(found.get("d", 1)),
            hour,
            int(found.get("M", 0)),
            int(found.get("S", 0)),
            fraction,
        )
    except ValueError as error:
        raise ValueError(f"there is no such time: {error}") from error
    if "j" in found:
        moment = moment.replace(month=1, day=1) + timedelta(days=int(found["j"]) - 1)
        if moment.year != year or int(found["j"]) == 0:
            raise ValueError(f"{year} has no day {found['j']}")
    if "z" in found:
        zone = found["z"]
        minutes = 0 if zone == "Z" else int(zone[1:3]) * 60 + int(zone[-2:])
        offset = timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
        return moment.replace(tzinfo=offset).astimezone(UTC)
    return moment
