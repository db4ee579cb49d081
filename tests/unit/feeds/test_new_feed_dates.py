"""`caregrid feeds new` on columns of dates: wrong cells, other calendars, and what no format reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from caregrid.drafts import Draft, draft
from caregrid.feeds import parse_feed

pytestmark = pytest.mark.unit

DAYS = [date(2025, 3, day) for day in range(1, 20)]


def drafted(tmp_path: Path, heading: str, cells: list[str]) -> tuple[Draft, dict[str, Any], str]:
    """Return the draft of a file with these cells under this heading, its period and what is asked of it."""
    lines = [f"Krankenhaus;{heading};Betten belegt"]
    lines += [f"H{number % 2};{cell};{number + 20}" for number, cell in enumerate(cells)]
    sample = tmp_path / "sample.csv"
    sample.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = draft(sample, name="drafted")
    (output,) = parse_feed(Path("drafted.yml"), made.text).outputs
    text = made.text.splitlines()
    at = next(number for number, line in enumerate(text) if line.strip().startswith("period:"))
    return made, output.spec["period"], text[at - 1] if "CONFIRM" in text[at - 1] else ""


def test_a_date_that_is_not_there_does_not_cost_the_others_their_days(tmp_path: Path) -> None:
    cells = [f"{day:%d.%m.%Y}" for day in DAYS]
    cells[8] = "31.02.2025"
    made, period, asked = drafted(tmp_path, "Datum", cells)
    assert (period["column"], period["format"]) == ("Datum", "%d.%m.%Y")
    assert "1 cell of 'Datum' is no date, line 10;" in asked
    assert (made.mapped["figures"], made.rejected["figures"]) == (18, 1)


def test_the_format_of_most_dates_is_taken_and_the_lines_of_the_others_told(tmp_path: Path) -> None:
    cells = [f"{day:%d/%m/%Y}" for day in DAYS]
    cells[0], cells[4], cells[5], cells[6], cells[18] = "gestern", "2025-03-05", "??", "30/02/2025", "Summe"
    made, period, asked = drafted(tmp_path, "Datum", cells)
    assert period["format"] == "%d/%m/%Y"
    assert "5 cells of 'Datum' are no date, lines 2, 6, 7 …" in asked
    assert made.rejected["figures"] == 5


CELLS: dict[str, tuple[list[str], str]] = {
    # cells, and the format that reads most of them
    "the first three are none": (["x1", "gestern", "??", *map(str, DAYS)], "%Y-%m-%d"),
    "few dates, many other texts": (
        [str(day) for day in DAYS[:2]] * 12 + [f"offen {number}" for number in range(20)],
        "%Y-%m-%d",
    ),
    "few dates, many numbers": (
        [str(day) for day in DAYS[:2]] * 12 + list(map(str, range(30, 50))),
        "%Y-%m-%d",
    ),
    "a form of few cells and many days": (
        [f"{day:%d.%m.%Y}" for day in DAYS[:2]] * 12 + list(map(str, DAYS)),
        "%d.%m.%Y",
    ),
    "clocks after days alone": (
        [f"{day:%d.%m.%Y}" for day in DAYS[:3]] + [f"{day:%d.%m.%Y} 08:00" for day in DAYS],
        "%d.%m.%Y %H:%M",
    ),
    "some with a clock": ([*map(str, DAYS[:3]), *(f"{day} 08:00" for day in DAYS)], "iso8601"),
    "a long column that begins otherwise": (
        [f"offen {number}" for number in range(400)]
        + [f"{DAYS[0] - timedelta(days=number):%d.%m.%Y}" for number in range(900)],
        "%d.%m.%Y",
    ),
}


@pytest.mark.parametrize("name", CELLS)
def test_most_cells_tell_the_format_wherever_they_stand(name: str, tmp_path: Path) -> None:
    cells, form = CELLS[name]
    made, period, asked = drafted(tmp_path, "Datum", cells)
    assert (period["column"], period["format"]) == ("Datum", form)
    assert made.mapped["figures"] * 2 > len(cells)
    assert bool(made.rejected["figures"]) == ("cells of 'Datum' are no date" in asked)


def test_as_many_other_cells_as_dates_are_no_date(tmp_path: Path) -> None:
    cells = [f"{day:%d.%m.%Y}" for day in DAYS] + ["offen"] * len(DAYS)
    assert drafted(tmp_path, "Datum", cells)[1]["published_at"] is True


def test_words_for_nothing_are_no_wrong_dates(tmp_path: Path) -> None:
    cells = [f"{day:%d.%m.%Y}" for day in DAYS]
    cells[3] = "k.A."
    assert drafted(tmp_path, "Datum", cells)[2] == ""


def since(day: date, first: date) -> int:
    """Return the days between."""
    return (day - first) // timedelta(days=1)


OTHER = {
    "roc_date": ("統計日期", lambda day: f"{day.year - 1911}/{day:%m/%d}"),
    "roc_date in digits": ("統計日期", lambda day: f"{day.year - 1911}{day:%m%d}"),
    "roc_month": ("年月", lambda day: f"{day.year - 1911}/{day.day % 12 + 1:02}"),
    "roc_month in digits": ("年月", lambda day: f"{day.year - 1911}{day.day % 12 + 1:02}"),
    "excel_days": ("Datum", lambda day: str(since(day, date(1899, 12, 30)))),
    "unix_seconds": (
        "timestamp",
        lambda day: str(int(datetime(day.year, day.month, day.day, 5, tzinfo=UTC).timestamp())),
    ),
}


@pytest.mark.parametrize("name", OTHER)
def test_other_calendars_are_read_and_asked_about(name: str, tmp_path: Path) -> None:
    heading, write = OTHER[name]
    made, period, asked = drafted(tmp_path, heading, [write(day) for day in DAYS])
    assert (period["column"], period["format"]) == (heading, name.split()[0])
    assert "is taken for" in asked
    assert made.rejected["figures"] == 0
    assert made.mapped["figures"] == len(DAYS)


def test_rows_that_get_the_day_of_their_file_are_asked_about(tmp_path: Path) -> None:
    made, period, asked = drafted(tmp_path, "Datum", [f"Tag {day.day} nach Ostern" for day in DAYS])
    assert period["published_at"] is True
    assert "every row gets the day on which its file was published; no one format reads 'Datum'" in asked
    assert made.mapped["figures"] == len(DAYS)


def test_numbers_that_no_heading_calls_a_time_stay_numbers(tmp_path: Path) -> None:
    _, period, _ = drafted(tmp_path, "Nummer", [f"1140{number:03}" for number in range(301, 320)])
    assert period["published_at"] is True


WEEKS = [date(2024, 3, 4) + timedelta(weeks=week) for week in range(16)]
RATES = {
    # heading of the dates, their format; heading of the figures, the first of these
    "visits per week": ("week", "%Y-%m-%d", "ED visits per week", 41000),
    "a figure of no known measure": ("Monat", "%d.%m.%Y", "Fälle je Monat", 41000),
    "weekly": ("date", "%Y-%m-%d", "Weekly admissions", 45300),
    "chinese": ("日期", "%Y-%m-%d", "每月就診人次", 41000),
    "chinese, of the day": ("日期", "%Y-%m-%d", "當日入院人次", 2010),
    "four digits": ("week", "%Y-%m-%d", "ED visits per week", 2010),
    "a year's": ("date", "%Y-%m-%d", "Discharges per year", 2010),
}


def written(tmp_path: Path, heading: str, rows: list[str]) -> Path:
    """Return a sample of these lines."""
    sample = tmp_path / "sample.csv"
    sample.write_text("\n".join([heading, *rows]) + "\n", encoding="utf-8")
    return sample


@pytest.mark.parametrize("name", RATES)
def test_what_is_counted_in_a_week_is_a_figure_and_no_date(name: str, tmp_path: Path) -> None:
    dates, form, figures, first = RATES[name]
    rows = [f"R{number % 4},{day.strftime(form)},{first + number}" for number, day in enumerate(WEEKS)]
    sample = written(tmp_path, f"region,{dates},{figures}", rows)
    made = draft(sample, name="drafted")
    (output,) = parse_feed(Path("drafted.yml"), made.text).outputs
    assert (output.spec["period"]["column"], output.spec["period"]["format"]) == (dates, form)
    assert output.contract in ("usage", "quality")
    assert figures in str(output.spec["values"])
    assert made.mapped == {output.name: len(WEEKS)}


def test_a_written_date_comes_before_days_that_are_counted(tmp_path: Path) -> None:
    rows = [f"H1,{45000 + number},{day},{number}" for number, day in enumerate(WEEKS)]
    sample = written(tmp_path, "hospital,reporting period date,day,occupied beds", rows)
    (output,) = parse_feed(Path("drafted.yml"), draft(sample, name="drafted").text).outputs
    assert (output.spec["period"]["column"], output.spec["period"]["format"]) == ("day", "%Y-%m-%d")


@pytest.mark.parametrize("heading", ["Census date", "Admission date"])
def test_a_date_of_what_is_counted_is_still_a_date(heading: str, tmp_path: Path) -> None:
    _, period, _ = drafted(tmp_path, heading, [str(since(day, date(1899, 12, 30))) for day in DAYS])
    assert (period["column"], period["format"]) == (heading, "excel_days")


def test_figures_that_look_like_years_stay_figures(tmp_path: Path) -> None:
    rows = [f"H1,{day},{1990 + number}" for number, day in enumerate(WEEKS)]
    sample = written(tmp_path, "hospital,day,occupied beds", rows)
    assert draft(sample).mapped == {"figures": len(WEEKS)}


def test_a_period_that_no_output_has_is_told(tmp_path: Path) -> None:
    rows = [f"R{number},{day},quiet {number}" for number, day in enumerate(WEEKS)]
    made = draft(written(tmp_path, "region,week,remark", rows))
    assert made.mapped == {"places": len(WEEKS)}
    assert "CONFIRM 'week' was taken for the period, but no output has one" in made.text


def test_days_in_digits_under_no_word_of_time_are_no_figures(tmp_path: Path) -> None:
    rows = [f"H{number % 2},{day},{day:%Y%m%d},{number}" for number, day in enumerate(WEEKS)]
    made = draft(written(tmp_path, "hospital,day,Date1,occupied beds", rows))
    assert made.mapped == {"figures": len(WEEKS)}
    assert "columns that nothing reads yet: Date1" in made.text
