"""The seed of public holidays is what the pinned library says, for the countries of all feeds."""

from __future__ import annotations

import csv
import re
from collections import Counter
from datetime import date, timedelta

import pytest
from caregrid.paths import ROOT
from caregrid.warehouse import public_holidays

pytestmark = pytest.mark.unit


def rows() -> list[dict[str, str]]:
    with public_holidays.SEED.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def easter(year: int) -> date:
    """Sunday of Easter by the Gregorian reckoning of Gauss, Meeus and Jones."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    month, day = divmod(h + k - 7 * m + 114, 31)
    return date(year, month, day + 1)


def test_the_seed_is_what_the_pinned_library_writes() -> None:
    """After a renewal of the lock: `caregrid warehouse holidays`, and look at what changed."""
    assert public_holidays.SEED.read_text(encoding="utf-8") == public_holidays.seed_text()
    assert public_holidays.WEEK_SEED.read_text(encoding="utf-8") == public_holidays.week_seed_text()


def test_every_country_of_a_feed_is_in_the_seed() -> None:
    found = Counter(row["country_code"] for row in rows())
    weekends = csv.DictReader(public_holidays.WEEK_SEED.read_text(encoding="utf-8").splitlines())
    assert set(found) == set(public_holidays.countries()) == {row["country_code"] for row in weekends}
    assert all(count > 5 * len(public_holidays.YEARS) for count in found.values())


def test_the_seed_spans_the_days_of_dim_date() -> None:
    text = (ROOT / "dbt/models/core/dim_date.sql").read_text(encoding="utf-8")
    first, last = re.findall(r"timestamp '(\d{4})-\d\d-\d\d'", text)
    assert range(int(first), int(last) + 1) == public_holidays.YEARS
    assert {row["date"][:4] for row in rows()} == {str(year) for year in public_holidays.YEARS}


def test_easter_falls_where_the_reckoning_puts_it() -> None:
    """Computed without the library: a day off by one would pass unseen if both came from it."""
    found = {(row["country_code"], row["date"], row["parts"]) for row in rows()}
    for year in public_holidays.YEARS:
        sunday = easter(year)
        for country, days in (("DE", (-2, 1, 39, 50)), ("IT", (0, 1)), ("GB", (-2,)), ("CA", (-2,))):
            for days_after in days:
                day = sunday + timedelta(days=days_after)
                assert (country, day.isoformat(), "") in found, (country, day)
        assert ("GB", (sunday + timedelta(days=1)).isoformat(), "ENG NIR WLS") in found


def test_every_day_bears_its_three_names() -> None:
    for row in rows():
        assert row["name_en"], row
        assert row["name_local"], row
        assert re.search(r"[\u4e00-\u9fff]", row["name_zh"]), row


def test_a_worked_saturday_is_no_holiday() -> None:
    worked = [row for row in rows() if row["kind"] == "working_weekend"]
    assert {"TW"} == {row["country_code"] for row in worked}
    assert "2024-02-17" in {row["date"] for row in worked}
    assert all(date.fromisoformat(row["date"]).isoweekday() in (6, 7) for row in worked)
