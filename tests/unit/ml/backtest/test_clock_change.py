"""Hours written by the clock on the two days of its change: told apart, or told that they do not exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from caregrid.errors import CareGridError

from ml.backtest.building import Meaning, build
from ml.backtest.reading import read
from ml.backtest.times import cutoff, zone_named
from tests.unit.ml.backtest import toys

pytestmark = pytest.mark.unit
ZONE = zone_named("America/Montreal")
HOURS = Meaning("H", lag=0, zone=ZONE)
AUTUMN = ["00:00", "01:00", "01:00", *(f"{hour:02}:00" for hour in range(2, 24))]


def autumn(series: str = "a", first: int = 0) -> list[str]:
    """Return the 25 hours of 3 November 2024 by the clock, their values counting up."""
    return [f"{series},2024-11-03 {hour},{first + at}" for at, hour in enumerate(AUTUMN)]


def test_a_day_of_25_hours_by_the_clock_has_25_hours(tmp_path: Path) -> None:
    rows = "\n".join(["unique_id,ds,y", *autumn(), *autumn("b", 100)])
    table = toys.table(tmp_path, rows, HOURS)
    np.testing.assert_array_equal(table.truth(), [np.arange(25), 100 + np.arange(25)])
    assert str(table.times(1, 1)[0]) == "2024-11-03T05:00:00"
    told = " ".join(table.notes)
    assert "2 times a series has two rows of a time that the clock of America/Montreal shows twice" in told
    assert "series a, 2024-11-03 01:00, line 4" in told
    assert "left out" not in told


def test_the_same_from_a_parquet_file_without_a_zone(tmp_path: Path) -> None:
    path = toys.written(tmp_path, "\n".join(["unique_id,ds,y", *autumn()]))
    typed = pl.read_csv(path).with_columns(pl.col("ds").str.to_datetime("%Y-%m-%d %H:%M"))
    typed.write_parquet(tmp_path / "series.parquet")
    table = build(read(tmp_path / "series.parquet", zone=ZONE), HOURS, "series.parquet")
    np.testing.assert_array_equal(table.truth(), [np.arange(25)])


def test_a_file_that_runs_backwards_has_the_second_of_the_two_hours_first(tmp_path: Path) -> None:
    """One series backwards, one forwards, one backwards that begins and one that ends with the pair."""
    early, late = autumn("c", 200)[:3], autumn("d", 300)[1:]
    lines = [*autumn()[::-1], *autumn("b", 100), *early[::-1], *late[::-1]]
    table = toys.table(tmp_path, "\n".join(["unique_id,ds,y", *lines]), HOURS)
    day = np.arange(25.0)
    expected = [day, 100 + day, np.where(day < 3, 200 + day, np.nan), np.where(day > 0, 300 + day, np.nan)]
    np.testing.assert_array_equal(table.truth(), expected)
    told = " ".join(table.notes)
    assert "3 times a series has two rows" in told
    assert (
        "they are the second and the first, as the rows around them run backwards (the first: series a"
        in told
    )
    assert "1 time a series has two rows" in told
    assert "they are the first and the second (the first: series b" in told


def test_vintages_run_backwards_each_by_itself(tmp_path: Path) -> None:
    """The newest vintage stands on top, forwards; the one below it backwards; a pair alone is in order."""
    lines = [f"{line},2024-11-04T12:00" for line in autumn("a", 100)]
    lines += [f"{line},2024-11-04T09:00" for line in autumn()[::-1]]
    lines += ["a,2024-11-03 01:00,51,2024-11-04T10:00", "a,2024-11-03 01:00,52,2024-11-04T10:00"]
    table = toys.table(tmp_path, "\n".join(["unique_id,ds,y,known_at", *lines]), HOURS)
    for hour, first in (("09:00", [0, 1, 2, 3]), ("10:00", [0, 51, 52, 3]), ("12:00", [100, 101, 102, 103])):
        at = cutoff(f"2024-11-04T{hour}", "H", ZONE)
        np.testing.assert_array_equal(table.panel(at, 1).y[0, :4], first)


def test_rows_in_no_order_are_taken_in_that_of_the_file(tmp_path: Path) -> None:
    day = autumn()
    lines = [day[5], day[1], day[2], *day[6:], day[0], *day[3:5]]
    table = toys.table(tmp_path, "\n".join(["unique_id,ds,y", *lines]), HOURS)
    np.testing.assert_array_equal(table.truth(), [np.arange(25)])


def test_equal_values_of_the_two_hours_are_no_repeat(tmp_path: Path) -> None:
    rows = "\n".join(["unique_id,ds,y", *(line.rsplit(",", 1)[0] + ",7" for line in autumn())])
    np.testing.assert_array_equal(toys.table(tmp_path, rows, HOURS).truth(), [[7] * 25])


def test_one_row_of_the_repeated_hour_is_the_first_and_told(tmp_path: Path) -> None:
    rows = "\n".join(["unique_id,ds,y", *autumn()[:2], *autumn()[3:]])
    table = toys.table(tmp_path, rows, HOURS)
    np.testing.assert_array_equal(table.truth()[0, :4], [0, 1, np.nan, 3])
    told = " ".join(table.notes)
    assert "1 time a series has one row" in told
    assert "taken for the first" in told
    assert "series a, 2024-11-03 01:00, line 3" in told


def test_a_third_row_contradicts_the_second(tmp_path: Path) -> None:
    rows = "\n".join(["unique_id,ds,y", *autumn(), "a,2024-11-03 01:00,99"])
    table = toys.table(tmp_path, rows, HOURS)
    np.testing.assert_array_equal(table.truth()[0, :4], [0, 1, np.nan, 3])
    assert "1 cell left out" in " ".join(table.notes)


def test_a_vintage_of_each_hour_stays_with_it(tmp_path: Path) -> None:
    """Reported at 04:00, both revised at 09:00: each time the two rows are the two hours."""
    lines = [f"{line},2024-11-03T23:59" for line in autumn()]
    lines += ["a,2024-11-03 01:00,11,2024-11-04T09:00", "a,2024-11-03 01:00,12,2024-11-04T09:00"]
    table = toys.table(tmp_path, "\n".join(["unique_id,ds,y,known_at", *lines]), HOURS)
    np.testing.assert_array_equal(table.truth()[0, :4], [0, 11, 12, 3])


def test_what_became_known_in_the_repeated_hour_is_known_at_its_later_meaning(tmp_path: Path) -> None:
    rows = """
        unique_id,ds,y,known_at
        a,2024-11-02T23:00,1,2024-11-03T00:00
        a,2024-11-03T00:00,2,2024-11-03T01:10
    """
    table = toys.table(tmp_path, rows, HOURS)
    early, late = (cutoff(f"2024-11-03T01:30{offset}", "H", ZONE) for offset in ("-04:00", "-05:00"))
    np.testing.assert_array_equal(table.panel(early, 1).y, [[1, np.nan, np.nan]])
    np.testing.assert_array_equal(table.panel(late, 1).y, [[1, 2, np.nan, np.nan]])


def test_an_hour_that_the_clock_never_shows_is_left_out_and_told_as_that(tmp_path: Path) -> None:
    hours = [f"a,2024-03-10T{hour:02}:00,{hour}" for hour in range(24)]
    table = toys.table(tmp_path, "\n".join(["unique_id,ds,y", *hours]), HOURS)
    np.testing.assert_array_equal(table.truth(), [[0, 1, *range(3, 24)]])
    told = " ".join(table.notes)
    assert "1 row left out: the clock of America/Montreal never shows that time" in told
    assert "series a, 2024-03-10T02:00, line 4" in told
    assert "differ" not in told


def test_hours_with_an_offset_are_what_they_say(tmp_path: Path) -> None:
    rows = """
        unique_id,ds,y
        a,2024-11-03T00:00-04:00,0
        a,2024-11-03T01:00-05:00,2
        a,2024-11-03T01:00-04:00,1
    """
    table = toys.table(tmp_path, rows, HOURS)
    np.testing.assert_array_equal(table.truth(), [[0, 1, 2]])
    assert "twice" not in " ".join(table.notes)


def test_a_row_without_a_time_is_refused_there_too(tmp_path: Path) -> None:
    rows = "\n".join(["unique_id,ds,y", *autumn(), "a,,7"])
    with pytest.raises(CareGridError, match="is empty") as refused:
        toys.table(tmp_path, rows, HOURS)
    assert refused.value.where == "series.csv, line 27, ds"
