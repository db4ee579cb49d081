"""Times of a back-test: how they are read, spans such as 28D, the cutoffs, and the grid of periods."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from caregrid.errors import CareGridError

from ..periods import is_zone

SECOND = 1_000_000
# Microseconds of a period.
STEPS = {"H": 3600 * SECOND, "D": 86_400 * SECOND, "W": 7 * 86_400 * SECOND}
NAMES = {"H": "hour", "D": "day", "W": "week"}
_UNITS = {"h": STEPS["H"], "d": STEPS["D"], "w": STEPS["W"], "min": 60 * SECOND}
_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = rf"{_DATE}(?:[T ]\d{{2}}(?::\d{{2}}(?::\d{{2}})?)?(?:Z|[+-]\d{{2}}:?\d{{2}})?)?"
_RANGE = re.compile(rf"^({_TIME}):({_TIME}):([^:]+)$")
MOST_CUTOFFS = 10_000
_NO_TIME = "is no date or time that is read here"
# What to do about a time that cannot be read.
WRITTEN = (
    "write ISO 8601: 2024-03-01, 2024-03-01T06:00 or 2024-03-01 06:00:00, with Z or +01:00 behind or without"
)


@dataclass(frozen=True)
class Cutoff:
    """An instant at which forecasts are made.

    Args:
        at: as it was written, microseconds since 1970; the targets are the periods with `ds` after it.
        known: rows with `known_at` up to here are known. Later than `at` only for a cutoff that is written
            as a day, with daily or weekly data: all that was published on that day counts.
    """

    at: int
    known: int

    @property
    def label(self) -> np.datetime64:
        """Return `at` as the numpy datetime that the files hold."""
        return np.datetime64(self.at, "us")

    def __str__(self) -> str:
        return as_text(self.at)


def as_text(instant: int) -> str:
    """Return microseconds since 1970 as a date, with the time of day unless it is midnight."""
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)).strftime("%Y-%m-%dT%H:%M:%S")
    return text.removesuffix("T00:00:00").removesuffix(":00") if text.endswith(":00") else text


def instant(text: str, zone: ZoneInfo | None = None) -> int:
    """Return an ISO 8601 date or time as microseconds since 1970.

    A time with an offset is brought to UTC. One without stands as it is, or is the clock of `zone`.
    """
    found = datetime.fromisoformat(text.strip())
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone or UTC)
    since = found.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def span(text: str, frequency: str, option: str) -> int:
    """Return microseconds of a span such as 0, 6h, 28D or 1W; a bare number counts periods.

    Raises:
        CareGridError: when it is no such span.
    """
    found = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", text.strip())
    unit = found.group(2).lower() if found else "?"
    if found and not unit:
        return int(found.group(1)) * STEPS[frequency]
    if found and unit in _UNITS:
        return int(found.group(1)) * _UNITS[unit]
    raise CareGridError(
        f"{text!r} is no span of time",
        where=option,
        fix="write a number and h, D or W, such as 6h, 28D or 1W",
    )


def cutoff(
    text: str, frequency: str, zone: ZoneInfo | None = None, where: str = "--cutoffs", kind: str = _NO_TIME
) -> Cutoff:
    """Return one cutoff from how it is written.

    Args:
        where: place of the text; kind: what is said of one that cannot be read.

    Raises:
        CareGridError: when it is no date or time.
    """
    try:
        at = instant(text, zone)
    except (ValueError, OverflowError):
        raise CareGridError(f"{text.strip()!r} {kind}", where=where, fix=WRITTEN) from None
    return Cutoff(at, at + _rest_of_day(text.strip(), frequency))


def _rest_of_day(text: str, frequency: str) -> int:
    """Return what is left of a day that a cutoff of daily or weekly data names without a time."""
    return STEPS["D"] - 1 if frequency != "H" and re.fullmatch(_DATE, text) else 0


def cutoffs(text: str, frequency: str, zone: ZoneInfo | None = None) -> list[Cutoff]:
    """Return the cutoffs of `A:B:STEP` (both ends included), of a list with commas, or of a file.

    They come ascending, each once. A file holds one cutoff per line.

    Raises:
        CareGridError: when there is none, one is no time, or the range runs backwards or nowhere.
    """
    found = _RANGE.match(text.strip())
    if found is None:
        made = _listed(text, frequency, zone)
    else:
        first, last = (cutoff(found.group(part), frequency, zone) for part in (1, 2))
        step = span(found.group(3), frequency, "--cutoffs")
        if step <= 0 or last.at < first.at or (last.at - first.at) // step >= MOST_CUTOFFS:
            raise CareGridError(
                f"{text!r} is a range without an end, or one that ends before it begins",
                where="--cutoffs",
                fix="write FIRST:LAST:STEP, such as 2024-01-01:2024-06-30:28D",
            )
        rest = first.known - first.at
        made = [Cutoff(at, at + rest) for at in range(first.at, last.at + 1, step)]
    if not made:
        raise CareGridError(
            f"{text!r} holds no cutoff", where="--cutoffs", fix="write FIRST:LAST:STEP or dates with commas"
        )
    return sorted(set(made), key=lambda one: one.at)


def _listed(text: str, frequency: str, zone: ZoneInfo | None) -> list[Cutoff]:
    """Return the cutoffs of a file, one per line, or of a list with commas."""
    file = Path(text)
    try:
        there = file.is_file()
    except OSError:  # a long list is too long for a file's name
        there = False
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines() if there else None
    except (OSError, ValueError) as error:
        raise CareGridError(
            f"{text!r} cannot be read: {error}", where="--cutoffs", fix="give a text file in UTF-8"
        ) from None
    if lines is None:
        kind = "is neither a date or time that is read here, nor a file that exists"
        return [cutoff(part, frequency, zone, kind=kind) for part in text.split(",") if part.strip()]
    return [
        cutoff(line, frequency, zone, f"--cutoffs {text}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def zone_named(name: str | None) -> ZoneInfo | None:
    """Return a time zone by its IANA name, None for none.

    Raises:
        CareGridError: when there is no such zone.
    """
    if name is None:
        return None
    if not is_zone(name):
        raise CareGridError(
            f"there is no time zone {name!r}",
            where="--time-zone",
            fix="write an IANA name such as Europe/Berlin",
        )
    return ZoneInfo(name)


def offsets(times: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    """Return the hours that the clock of a zone is ahead of UTC at each time (datetime64)."""
    ahead = []
    for second in times.astype("datetime64[s]").astype(np.int64).tolist():
        found = datetime.fromtimestamp(second, zone).utcoffset() or timedelta()
        ahead.append(round(found / timedelta(hours=1)))
    return np.array(ahead, dtype=np.int64)
