"""Weeks, quarters, fiscal years and written times, against Python's calendar and definitions."""

# ruff: noqa: DTZ001 - local times are what is tested

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from caregrid.mapping.calendars import Stamp, add_months, week_start
from caregrid.mapping.stamps import read_stamp
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit
days = st.dates(min_value=date(1990, 1, 8), max_value=date(2090, 12, 20))


@given(day=days)
def test_iso_weeks_are_pythons(day: date) -> None:
    year, week, weekday = day.isocalendar()
    start = day - timedelta(days=weekday - 1)
    for text in (f"{year}-W{week:02d}", f"{year}W{week}", f"{year}{week:02d}"):
        stamp = read_stamp(text, ["iso_week"])
        assert stamp.moment.date() == start
        assert stamp.last_day == start + timedelta(days=6)


@given(day=days, first_day=st.integers(0, 6))
def test_a_week_belongs_to_the_year_of_its_fourth_day(day: date, first_day: int) -> None:
    """Every day lies in one week, numbered from 1 within the year its fourth day lies in, without gaps."""
    start = day - timedelta(days=(day.weekday() - first_day) % 7)
    fourth = start + timedelta(days=3)
    number = (fourth.timetuple().tm_yday - 1) // 7 + 1
    assert week_start(fourth.year, number, first_day) == start
    following = start + timedelta(days=7)
    if (following + timedelta(days=3)).year != fourth.year:
        with pytest.raises(ValueError, match="no week"):
            week_start(fourth.year, number + 1, first_day)


@given(day=days)
def test_dhis2_weeks_are_weeks_on_other_days(day: date) -> None:
    for name, first_day in (("", 0), ("Wed", 2), ("Thu", 3), ("Sat", 5), ("Sun", 6)):
        start = day - timedelta(days=(day.weekday() - first_day) % 7)
        fourth = start + timedelta(days=3)
        number = (fourth.timetuple().tm_yday - 1) // 7 + 1
        assert read_stamp(f"{fourth.year}{name}W{number}", ["dhis2"]).moment.date() == start
    assert read_stamp(f"{day:%Y%m%d}", ["dhis2"]).last_day == day
    month = read_stamp(f"{day:%Y%m}", ["dhis2"])
    assert (month.grain, month.moment.day) == ("month", 1)


@given(year=st.integers(1990, 2090), quarter=st.integers(1, 4), fiscal_start=st.integers(1, 12))
def test_quarters_cover_the_year_without_gap(year: int, quarter: int, fiscal_start: int) -> None:
    stamp = read_stamp(f"{year}Q{quarter}", ["YYYYQn"], fiscal_start)
    assert stamp.last_day
    after = stamp.last_day + timedelta(days=1)
    following = f"{year}Q{quarter + 1}" if quarter < 4 else f"{year + 1}Q1"
    assert read_stamp(following, ["quarter"], fiscal_start).moment.date() == after
    whole = read_stamp(str(year), ["YYYY"], fiscal_start)
    assert whole.moment.date() <= stamp.moment.date() <= stamp.last_day <= (whole.last_day or date.min)


def test_fiscal_years_are_named_by_their_start_or_their_end() -> None:
    assert read_stamp("2021", ["YYYY"], 4).moment.date() == date(2021, 4, 1)
    end = read_stamp("2021", ["YYYY"], 10, "end")
    assert (end.moment.date(), end.last_day) == (date(2020, 10, 1), date(2021, 9, 30))
    assert read_stamp("2021/22", ["YYYY"], 4).moment.date() == date(2021, 4, 1)
    with pytest.raises(ValueError, match="consecutive"):
        read_stamp("2021/23", ["YYYY"], 4)


@given(day=days, months=st.integers(-40, 40))
def test_months_are_added_on_the_calendar(day: date, months: int) -> None:
    moved = add_months(day, months)
    assert (moved.year * 12 + moved.month) - (day.year * 12 + day.month) == months
    assert moved.day == min(day.day, (add_months(moved.replace(day=1), 1) - timedelta(days=1)).day)


FORMATS = [
    "%Y-%m-%d %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%Y%m%d%H%M%S",
    "%Y-%jT%H:%M:%S",
    "%d %b %Y %T",
    "%d %B %Y %H:%M:%S",
    "%Y/%m/%d %I:%M:%S %p",
]


@given(
    moment=st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2068, 12, 31)),
    form=st.sampled_from(FORMATS),
)
def test_what_strftime_writes_reads_back(moment: datetime, form: str) -> None:
    moment = moment.replace(microsecond=0)
    assert read_stamp(moment.strftime(form), [form]) == Stamp(moment, "time")


@given(
    text=st.text(alphabet="0123456789-/: ", max_size=12),
    form=st.sampled_from(["%Y-%m-%d", "%m/%d/%Y", "%Y%m%d", "%d/%m/%y"]),
)
def test_reading_is_no_laxer_than_strptime(text: str, form: str) -> None:
    try:
        stamp = read_stamp(text, [form])
    except ValueError:
        return
    assert stamp.moment == datetime.strptime(text, form)  # noqa: DTZ007


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("20200230", "%Y%m%d"),
        ("2020411", "%Y%m%d"),
        ("13/04/20 10:00", "%m/%d/%y %H:%M"),
        ("2021W53", "iso_week"),
        ("202153", "epi_week"),
        ("2019W53", "dhis2"),
        ("2020Q5", "quarter"),
        ("2020-01-01 extra", "%Y-%m-%d"),
        ("113/13/01", "roc_date"),
        ("202007B", "dhis2"),
        ("44", "excel_days"),
        ("2020-01-01 24:30", "%Y-%m-%d %H:%M"),
    ],
)
def test_what_is_no_time(text: str, form: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_stamp(text, [form])


@pytest.mark.parametrize(
    ("text", "form", "moment"),
    [
        ("113/12/31", "roc_date", datetime(2024, 12, 31)),
        ("1131231", "roc_date", datetime(2024, 12, 31)),
        ("102-1-5", "roc_date", datetime(2013, 1, 5)),
        ("44197", "excel_days", datetime(2021, 1, 1)),
        ("44197.75", "excel_days", datetime(2021, 1, 1, 18)),
        ("2025-11-01T0:45", "%Y-%m-%dT%H:%M", datetime(2025, 11, 1, 0, 45)),
        ("4/12/20 23:18", "%m/%d/%y %H:%M", datetime(2020, 4, 12, 23, 18)),
        ("2020-12-31 24:00", "%Y-%m-%d %H:%M", datetime(2021, 1, 1)),
        ("202001", "%Y%m", datetime(2020, 1, 1)),
        ("Sept", "%b", None),
    ],
)
def test_known_times(text: str, form: str, moment: datetime | None) -> None:
    if moment is None:
        with pytest.raises(ValueError, match=r"."):
            read_stamp(text, [form])
    else:
        assert read_stamp(text, [form]).moment == moment


def test_offsets_make_aware_times() -> None:
    stamp = read_stamp("2025-02-28T23:40:04+08:00", ["%Y-%m-%dT%H:%M:%S%z"])
    assert stamp.moment.isoformat() == "2025-02-28T15:40:04+00:00"
    assert (
        read_stamp("1740757204", ["unix_seconds"]).moment
        == read_stamp("1740757204000", ["unix_milliseconds"]).moment
    )
