"""ISO 8601 durations and cron lines, as feeds write them."""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W|(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?)"
)
_CALENDAR = re.compile(r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?")
_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_PART = re.compile(r"(\*|\d+(?:-\d+)?)(?:/(\d+))?")


def parse_duration(text: str) -> timedelta:
    """Return the length of `P4D`, `PT1H30M`, `P2W`, `-P1D`.

    Months count 31 days and years 366: it is a cadence, no date.

    Raises ValueError.
    """
    if text.startswith("-"):
        return -parse_duration(text[1:])
    match = _DURATION.fullmatch(text)
    if match and text not in ("P", "PT") and not text.endswith("T"):
        return timedelta(**{unit: int(number) for unit, number in match.groupdict().items() if number})
    match = _CALENDAR.fullmatch(text)
    if match and text != "P":
        return timedelta(days=366 * int(match["years"] or 0) + 31 * int(match["months"] or 0))
    raise ValueError(f"{text!r} is no ISO 8601 duration")


def check_cron(text: str) -> None:
    """Raise ValueError unless the text is a five-field cron line of numbers, ranges, lists and steps."""
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"{text!r} has {len(fields)} fields; cron has five")
    for field, (low, high) in zip(fields, _CRON_RANGES, strict=True):
        for part in field.split(","):
            match = _CRON_PART.fullmatch(part)
            if not match:
                raise ValueError(f"{part!r} is no cron field")
            numbers = [int(number) for number in match[1].split("-")] if match[1] != "*" else []
            if any(not low <= number <= high for number in numbers) or numbers != sorted(numbers):
                raise ValueError(f"{part!r} lies outside {low}-{high}")
            if match[2] is not None and int(match[2]) == 0:
                raise ValueError(f"{part!r} has a step of 0")
