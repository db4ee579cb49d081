"""Periods in UTC: zones, grains, roles, repeated and skipped hours."""

# ruff: noqa: DTZ001 - local times are what is tested

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from caregrid.mapping.periods import TimeProblem, day_start, period_bounds, to_utc
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit
ZONES = [
    ZoneInfo(name)
    for name in (
        "America/Toronto",
        "Europe/Berlin",
        "Asia/Taipei",
        "Australia/Lord_Howe",
        "America/Sao_Paulo",
        "Asia/Beirut",
        "Africa/Cairo",
        "UTC",
    )
]
moments = st.datetimes(min_value=datetime(2000, 1, 2), max_value=datetime(2030, 12, 30))


def bounds(
    text: str, zone: str = "Europe/Berlin", end: str = "", check: str = "", **spec: Any
) -> tuple[str, str, str]:
    found = period_bounds(text, end, check, {"format": ["%Y-%m-%d"], **spec}, ZoneInfo(zone))
    return found.start.isoformat()[:16], found.end.isoformat()[:16], found.grain


@given(moment=moments, zone=st.sampled_from(ZONES))
def test_a_moment_is_among_the_readings_of_its_local_time(moment: datetime, zone: ZoneInfo) -> None:
    known = moment.replace(tzinfo=UTC)
    readings = to_utc(known.astimezone(zone).replace(tzinfo=None), zone)
    assert known in readings
    assert len(readings) <= 2


@given(moment=moments, zone=st.sampled_from(ZONES))
def test_days_follow_one_another_without_gap(moment: datetime, zone: ZoneInfo) -> None:
    spec = {"format": ["%Y-%m-%d"], "grain": "day"}
    day, following = moment.date(), moment.date() + timedelta(days=1)
    one = period_bounds(day.isoformat(), "", "", spec, zone)
    two = period_bounds(following.isoformat(), "", "", spec, zone)
    assert one.end == two.start
    assert timedelta(hours=22) < one.end - one.start < timedelta(hours=26)
    assert one.start.astimezone(zone).date() == day


@given(
    moment=moments,
    zone=st.sampled_from(ZONES),
    grain=st.sampled_from(["day", "week", "month", "quarter", "year"]),
)
def test_a_label_lies_in_its_period_and_both_ends_lie_at_day_starts(
    moment: datetime, zone: ZoneInfo, grain: str
) -> None:
    spec = {"format": ["%Y-%m-%d"], "grain": grain, "role": "label"}
    found = period_bounds(moment.date().isoformat(), "", "", spec, zone)
    noon = moment.replace(hour=12, minute=0, second=0, microsecond=0, tzinfo=zone)
    assert found.start <= noon < found.end
    start = found.start.astimezone(zone)
    assert found.start == day_start(datetime(start.year, start.month, start.day), zone)


@given(day=st.dates(min_value=datetime(2000, 1, 9).date(), max_value=datetime(2030, 1, 1).date()))
def test_a_week_by_its_last_day_is_the_week_by_its_first(day: Any) -> None:
    last = day + timedelta(days=6)
    zone = ZoneInfo("America/New_York")
    by_end = period_bounds(
        last.isoformat(), "", "", {"format": ["%Y-%m-%d"], "grain": "week", "role": "end"}, zone
    )
    by_start = period_bounds(
        day.isoformat(), "", "", {"format": ["%Y-%m-%d"], "grain": "week", "role": "start"}, zone
    )
    assert by_end == by_start
    assert by_end.week_ends_on == last.isoweekday()


def test_days_of_23_and_25_hours() -> None:
    assert bounds("2024-03-31", grain="day") == ("2024-03-30T23:00", "2024-03-31T22:00", "day")
    assert bounds("2024-10-27", grain="day") == ("2024-10-26T22:00", "2024-10-27T23:00", "day")


def test_a_day_whose_midnight_the_clocks_skip_begins_when_they_jump() -> None:
    assert bounds("2018-11-04", "America/Sao_Paulo", grain="day") == (
        "2018-11-04T03:00",
        "2018-11-05T02:00",
        "day",
    )


def test_ambiguous_hours() -> None:
    spec = {"format": ["%Y-%m-%d %H:%M"], "grain": "instant", "role": "instant"}
    text = "2024-10-27 02:30"
    assert bounds(text, ambiguous="earliest", **spec)[0] == "2024-10-27T00:30"
    assert bounds(text, ambiguous="latest", **spec)[0] == "2024-10-27T01:30"
    with pytest.raises(TimeProblem, match="twice"):
        bounds(text, ambiguous="reject", **spec)
    with pytest.raises(TimeProblem, match="skip"):
        bounds("2024-03-31 02:30", **spec)


def test_hours_are_counted_in_utc() -> None:
    spec = {"format": ["%Y-%m-%d %H:%M"], "grain": "hour", "ambiguous": "latest"}
    assert bounds("2024-10-27 02:40", **spec) == ("2024-10-27T01:00", "2024-10-27T02:00", "hour")
    assert bounds("2024-10-27 04:00", role="end", **spec) == ("2024-10-27T02:00", "2024-10-27T03:00", "hour")


def test_intervals_include_their_last_day() -> None:
    spec = {"format": ["%m/%d/%Y"], "grain": "interval", "role": "start"}
    assert bounds("07/01/2020", "UTC", end="06/30/2023", **spec) == (
        "2020-07-01T00:00",
        "2023-07-01T00:00",
        "interval",
    )
    with pytest.raises(TimeProblem, match="end of the interval"):
        bounds("07/01/2020", **spec)
    assert bounds("2020-07-01", "UTC", grain="interval", length="P30D")[1] == "2020-07-31T00:00"


def test_a_shift_moves_the_whole_period() -> None:
    spec = {"format": ["%Y-%m-%dT%H:%M"], "grain": "day", "shift": "-P1D"}
    assert bounds("2023-02-11T00:46", "America/Toronto", **spec) == (
        "2023-02-10T05:00",
        "2023-02-11T05:00",
        "day",
    )


def test_months_weeks_and_fiscal_quarters() -> None:
    assert bounds("202302", "UTC", format=["%Y%m"], grain="month") == (
        "2023-02-01T00:00",
        "2023-03-01T00:00",
        "month",
    )
    assert bounds("2023-02-28", "UTC", grain="month", role="end") == (
        "2023-02-01T00:00",
        "2023-03-01T00:00",
        "month",
    )
    assert bounds("2023-01-01", "UTC", grain="week", week_starts="sunday") == (
        "2023-01-01T00:00",
        "2023-01-08T00:00",
        "week",
    )
    assert bounds("2023-02-15", "UTC", grain="quarter", fiscal_start=2) == (
        "2023-02-01T00:00",
        "2023-05-01T00:00",
        "quarter",
    )
    assert bounds("2023-02-15", "UTC", grain="year", fiscal_start=4) == (
        "2022-04-01T00:00",
        "2023-04-01T00:00",
        "year",
    )


def test_a_label_of_another_grain_is_no_label() -> None:
    with pytest.raises(TimeProblem, match="names a week"):
        bounds("2023W05", format=["iso_week"], grain="month")


def test_a_second_statement_must_agree() -> None:
    spec = {"format": ["epi_week"], "grain": "week", "agrees_with": {"format": ["%Y-%m-%d"], "role": "end"}}
    assert bounds("202150", "UTC", check="2021-12-18", **spec)
    assert bounds("202150", "UTC", check="", **spec)
    with pytest.raises(TimeProblem, match="ends 2021-12-18"):
        bounds("202150", "UTC", check="2021-12-19", **spec)
