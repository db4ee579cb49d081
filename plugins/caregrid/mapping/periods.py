"""From a time as written to the bounds of its period in UTC: grains, roles, zones and repeated hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from caregrid.feeds.times import parse_duration
from caregrid.mapping.calendars import Stamp, add_months
from caregrid.mapping.stamps import read_stamp

_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Bounds:
    """A period in UTC, half-open; for an instant both ends are one.

    second_start, second_end: the other reading of a local time that came twice (the later one), else None.
    week_ends_on: ISO weekday of a week's last day.
    """

    start: datetime
    end: datetime
    grain: str
    week_ends_on: int | None = None
    second_start: datetime | None = None
    second_end: datetime | None = None


class TimeProblem(ValueError):  # noqa: N818 - a finding about data, not a programming error
    """A time that cannot be used.

    code: unparseable_time | nonexistent_time | ambiguous_time | wrong_grain | disagrees.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def to_utc(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the moments in UTC a local time may be, in order: none (skipped), one, or two (repeated)."""
    moments: list[datetime] = []
    for fold in (0, 1):
        moment = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == local and moment not in moments:
            moments.append(moment)
    return moments


def day_start(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment a boundary of days falls on: where clocks skip it, the moment they jump.

    Where repeated, the first.
    """
    moments = to_utc(local, zone)
    if moments:
        return moments[0]
    return (local - timedelta(days=1)).replace(tzinfo=zone).astimezone(UTC) + timedelta(days=1)


def stamp_moments(stamp: Stamp, zone: ZoneInfo) -> list[datetime]:
    """Return what moments a stamp may be; a stamp without a time of day is the start of its day."""
    if stamp.moment.tzinfo:
        return [stamp.moment]
    if stamp.precision != "time":
        return [day_start(stamp.moment, zone)]
    moments = to_utc(stamp.moment, zone)
    if stamp.zone_name:
        moments = [moment for moment in moments if moment.astimezone(zone).tzname() == stamp.zone_name]
    return moments


def read_moment(text: str, formats: list[str], zone: ZoneInfo, ambiguous: str = "earliest") -> datetime:
    """Return one moment in UTC. Raises TimeProblem."""
    stamp = _stamp(text, {"format": formats})
    return _choose(stamp_moments(stamp, zone), ambiguous, text, zone)


def period_bounds(
    text: str, end_text: str, check_text: str, spec: Mapping[str, Any], zone: ZoneInfo
) -> Bounds:
    """Return the bounds of the period a text names.

    Args:
        text: the time as written.
        end_text: the other end of an interval; '' when there is none.
        check_text: a second statement of the same period (`agrees_with`); '' when there is none.
        spec: `period` of the YAML, formats as a list.
        zone: of the feed.

    Raises:
        TimeProblem.
    """
    stamp = _stamp(text, spec)
    bounds = _bounds(stamp, end_text, spec, zone, text)
    if check_text and "agrees_with" in spec:
        _check_agreement(bounds, check_text, spec["agrees_with"], zone)
    return bounds


def _stamp(text: str, spec: Mapping[str, Any]) -> Stamp:
    try:
        return read_stamp(
            text, spec["format"], spec.get("fiscal_start", 1), spec.get("fiscal_named_by", "start")
        )
    except ValueError as error:
        raise TimeProblem("unparseable_time", f"{text!r} is no time the feed declares: {error}") from error


def _choose(moments: list[datetime], ambiguous: str, text: str, zone: ZoneInfo) -> datetime:
    if not moments:
        raise TimeProblem("nonexistent_time", f"{text!r} does not exist in {zone.key}: the clocks skip it")
    if len(moments) > 1 and ambiguous == "reject":
        raise TimeProblem("ambiguous_time", f"{text!r} comes twice in {zone.key}")
    return moments[-1] if ambiguous == "latest" else moments[0]


def _bounds(stamp: Stamp, end_text: str, spec: Mapping[str, Any], zone: ZoneInfo, text: str) -> Bounds:
    grain, role = spec.get("grain", "label"), spec.get("role", "label")
    shift = parse_duration(spec["shift"]) if "shift" in spec else timedelta()
    if stamp.last_day is not None:
        if grain not in ("label", stamp.grain):
            raise TimeProblem("wrong_grain", f"{text!r} names a {stamp.grain}, the feed says {grain}")
        first, after = stamp.moment + shift, _midnight(stamp.last_day) + timedelta(days=1) + shift
        return _local_bounds(first, after, stamp.grain or grain, zone)
    if grain in ("instant", "hour"):
        return _fine_bounds(stamp, grain, role, shift, spec.get("ambiguous", "earliest"), zone, text)
    local = stamp.moment.astimezone(zone).replace(tzinfo=None) if stamp.moment.tzinfo else stamp.moment
    local += shift
    if grain == "interval":
        after = _interval_end(local, end_text, spec, zone, shift)
        return _local_bounds(local, after, grain, zone)
    if grain == "label":
        grain = {"year": "year", "month": "month", "day": "day"}.get(stamp.precision, "hour")
    if role == "end":
        after = local if stamp.precision == "time" else _after(local, stamp.precision)
        return _local_bounds(_moved(after, grain, -1), after, grain, zone)
    first = local if role == "start" else _floor(local, grain, spec)
    return _local_bounds(first, _moved(first, grain, 1), grain, zone)


def _fine_bounds(
    stamp: Stamp, grain: str, role: str, shift: timedelta, ambiguous: str, zone: ZoneInfo, text: str
) -> Bounds:
    exact = stamp
    if grain == "hour" and role == "label":
        exact = replace(stamp, moment=stamp.moment.replace(minute=0, second=0, microsecond=0))
    moments = stamp_moments(exact, zone)
    chosen = _choose(moments, "earliest" if ambiguous == "in_order" else ambiguous, text, zone)
    length = timedelta(hours=1) if grain == "hour" else timedelta()
    before = length if role == "end" else timedelta()
    second = moments[1] if len(moments) > 1 else None
    start = chosen + shift - before
    if second is None:
        return Bounds(start, start + length, grain)
    other = second + shift - before
    return Bounds(start, start + length, grain, None, other, other + length)


def _local_bounds(first: datetime, after: datetime, grain: str, zone: ZoneInfo) -> Bounds:
    week_ends_on = (after - timedelta(microseconds=1)).isoweekday() if grain == "week" else None
    start, end = day_start(first, zone), day_start(after, zone)
    if start == end and first < after:  # Samoa had no 30 December 2011
        raise TimeProblem(
            "nonexistent_time", f"{first:%Y-%m-%d} does not exist in {zone.key}: clocks skip it"
        )
    return Bounds(start, end, grain, week_ends_on)


def _interval_end(
    first: datetime, end_text: str, spec: Mapping[str, Any], zone: ZoneInfo, shift: timedelta
) -> datetime:
    if "length" in spec:
        return first + parse_duration(spec["length"])
    if not end_text:
        raise TimeProblem("unparseable_time", "the end of the interval is missing")
    stamp = _stamp(end_text, spec)
    local = stamp.moment.astimezone(zone).replace(tzinfo=None) if stamp.moment.tzinfo else stamp.moment
    if stamp.last_day is not None:
        return _midnight(stamp.last_day) + timedelta(days=1) + shift
    return (local if stamp.precision == "time" else _after(local, stamp.precision)) + shift


def _after(local: datetime, precision: str) -> datetime:
    """Return the end of the day, month or year that a written time names, exclusive."""
    return _moved(local, {"month": "month", "year": "year"}.get(precision, "day"), 1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local


def _moved(local: datetime, grain: str, count: int) -> datetime:
    if grain in _MONTHS:
        moved = add_months(local.date(), _MONTHS[grain] * count)
        return local.replace(year=moved.year, month=moved.month, day=moved.day)
    return (
        local
        + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}[grain] * count
    )


def _floor(local: datetime, grain: str, spec: Mapping[str, Any]) -> datetime:
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if grain == "hour":
        return local.replace(minute=0, second=0, microsecond=0)
    if grain == "day":
        return day
    if grain == "week":
        return day - timedelta(days=(day.weekday() - _WEEKDAYS.index(spec.get("week_starts", "monday"))) % 7)
    if grain == "month":
        return day.replace(day=1)
    months = (day.month - spec.get("fiscal_start", 1)) % _MONTHS[grain]
    return _midnight(add_months(day.date().replace(day=1), -months))


def _check_agreement(bounds: Bounds, text: str, spec: Mapping[str, Any], zone: ZoneInfo) -> None:
    stamp = _stamp(text, spec)
    role = spec.get("role", "start")
    if role == "end" and stamp.precision != "time":
        stated = [day_start(_after(stamp.moment, stamp.precision), zone)]
    else:
        stated = stamp_moments(stamp, zone)
    wanted = [
        moment
        for moment in (
            (bounds.end, bounds.second_end) if role == "end" else (bounds.start, bounds.second_start)
        )
        if moment
    ]
    if not set(stated) & set(wanted):
        local = wanted[0].astimezone(zone)
        if role == "end" and stamp.precision != "time":
            local -= timedelta(days=1)
            shown = local.strftime("%Y-%m-%d")
        else:
            shown = local.strftime("%Y-%m-%d %H:%M %z")
        raise TimeProblem(
            "disagrees",
            f"the period {'ends' if role == 'end' else 'starts'} {shown}, the other column says {text!r}",
        )
