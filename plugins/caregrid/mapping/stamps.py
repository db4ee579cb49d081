"""Reads one time as text under a declared format, strictly; knows no zone and no machine setting."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from caregrid.mapping.calendars import (
    Stamp,
    dhis2,
    dhis2_week,
    quarter,
    roc_date,
    roc_month,
    weeks,
    year_label,
)

# January to December as publishers write them; three letters or more are enough where they tell one month.
_MONTHS = tuple(
    names.split()
    for names in (
        "january janvier januar enero gennaio janeiro januari janner jaenner",
        "february fevrier februar febrero febbraio fevereiro februari",
        "march mars marz maerz marzo marco maart mrt",
        "april avril abril aprile",
        "may mai mayo maggio maio mei",
        "june juin juni junio giugno junho",
        "july juillet juli julio luglio julho",
        "august aout agosto augustus",
        "september septembre septiembre settembre setembro",
        "october octobre oktober octubre ottobre outubro",
        "november novembre noviembre novembro",
        "december decembre dezember diciembre dicembre dezembro",
    )
)
_FIXED = {
    "Y": r"(?P<Y>\d{4})",
    "f": r"(?P<f>\d{1,9})",
    "z": r"(?P<z>Z|[+-]\d{2}:?\d{2})",
    "p": r"(?P<p>[AaPp]\.?[Mm]\.?)",
    "b": r"(?P<b>[^\W\d_]{3,5})\.?",
    "B": r"(?P<B>[^\W\d_]{3,10})\.?",
    "Z": r"(?P<Z>[A-Za-z]{1,5})",
    "%": "%",
}
_TWO_DIGITS = "mdHMSIy"


Reader = Callable[[str], Stamp | None]


def read_stamp(
    text: str, formats: Sequence[str], fiscal_start: int = 1, fiscal_named_by: str = "start"
) -> Stamp:
    """Return the stamp under the first format that fits.

    Raises ValueError, also for a day or week there is not.
    """
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
        "iso_week": lambda text: weeks(re.fullmatch(r"(\d{4})-?W?(\d{1,2})", text), 0),
        "epi_week": lambda text: weeks(re.fullmatch(r"(\d{4})-?(?:EW|W)?(\d{1,2})", text), 6),
        "dhis2_week": dhis2_week,
        "dhis2": dhis2,
        "quarter": lambda text: quarter(text, fiscal_start, fiscal_named_by),
        "YYYYQn": lambda text: quarter(text, fiscal_start, fiscal_named_by),
        "YYYY": lambda text: year_label(text, fiscal_start, fiscal_named_by),
        "roc_date": roc_date,
        "roc_month": roc_month,
        "iso8601": _iso8601,
        "unix_seconds": lambda text: _unix(text, 1),
        "unix_milliseconds": lambda text: _unix(text, 1000),
        "excel_days": _excel_days,
    }
    return named[form] if form in named else _strptime(form)


def _iso8601(text: str) -> Stamp | None:
    moment = datetime.fromisoformat(text)
    precision = "time" if ":" in text or "T" in text else "day"
    return Stamp(moment.astimezone(UTC) if moment.tzinfo else moment, precision)


def _unix(text: str, per_second: int) -> Stamp | None:
    if not re.fullmatch(r"\d{1,14}(\.\d+)?", text):
        return None
    return Stamp(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(text) / per_second), "time")


def _excel_days(text: str) -> Stamp | None:
    """Days since 1899-12-30, as spreadsheets store them from March 1900 on; a fraction is the time of day."""
    if not re.fullmatch(r"\d{2,5}(\.\d+)?", text):
        return None
    whole, _, fraction = text.partition(".")
    if int(whole) < 61:
        raise ValueError(f"{text} lies before 1900-03-01, where spreadsheets count a day that never was")
    seconds = round(float("0." + fraction) * 86_400) if fraction else 0
    moment = datetime(1899, 12, 30) + timedelta(days=int(whole), seconds=seconds)  # noqa: DTZ001 - local
    return Stamp(moment, "time" if fraction else "day")


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
        if match is None:
            return None
        moment, abbreviation = _assemble(match.groupdict(), text), match.groupdict().get("Z", "").upper()
        if abbreviation in ("UTC", "GMT", "Z"):
            return Stamp(moment.replace(tzinfo=UTC), precision)
        return Stamp(moment, precision, zone_name=abbreviation or None)

    return read


def _plain(word: str) -> str:
    """Return a word in lower case without accents."""
    return "".join(
        mark for mark in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(mark)
    )


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
            word = _plain(found[key])
            matches = [
                number
                for number, names in enumerate(_MONTHS, 1)
                if any(name == word or (len(word) >= 3 and name.startswith(word)) for name in names)
            ]
            matches = [number for number in matches if word in _MONTHS[number - 1]] or matches
            if len(matches) != 1:  # jui is June and July in French
                raise ValueError(f"{found[key]!r} is no month")
            month = matches[0]
    hour = int(found.get("H", 0))
    midnight = hour == 24 and not int(found.get("M", 0)) and not int(found.get("S", 0))  # the end of the day
    if "I" in found:
        hour = int(found["I"]) % 12 + (12 if found.get("p", "a").lower().startswith("p") else 0)
    fraction = int(found.get("f", "0").ljust(6, "0")[:6])
    try:
        clock = (0 if midnight else hour, int(found.get("M", 0)), int(found.get("S", 0)), fraction)
        moment = datetime(year, month, int(found.get("d", 1)), *clock)  # noqa: DTZ001 - local
    except ValueError as error:
        raise ValueError(f"there is no such time: {error}") from error
    if midnight:
        moment += timedelta(days=1)
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
