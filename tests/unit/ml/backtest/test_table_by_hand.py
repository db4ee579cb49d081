"""What a table knows at a cutoff, against examples worked by hand: vintages, lags, weeks, refusals."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from caregrid.errors import CareGridError
from hypothesis import given
from hypothesis import strategies as st

from ml.backtest.building import Meaning
from ml.backtest.reading import read
from ml.backtest.times import cutoff
from tests.unit.ml.backtest import toys

pytestmark = pytest.mark.unit
NAN = float("nan")
# One state, weeks that end on Saturdays; the first week is revised twice, the second once, late.
VINTAGES = """
    unique_id,ds,y,known_at,share
    01,2024-01-06,10,2024-01-06,0.1
    01,2024-01-06,14,2024-01-13,0.1
    01,2024-01-13,20,2024-01-13,0.2
    01,2024-01-06,15,2024-01-20,
    01,2024-01-20,30,2024-01-20,0.3
    01,2024-01-13,26,2024-02-03T12:00,0.25
"""


@pytest.mark.parametrize(
    ("at", "known"),
    [
        ("2024-01-06", [10]),
        # By the thirteenth the first week had been revised for the first time.
        ("2024-01-13", [14, 20]),
        ("2024-01-19", [14, 20]),
        ("2024-01-20", [15, 20, 30]),
        # The cutoff is past a week that nobody had reported: it stands as a gap, and no row moves up.
        ("2024-01-27", [15, 20, 30, NAN]),
        # At noon of that day; a cutoff that names the day knows all that was published on it.
        ("2024-02-03", [15, 26, 30, NAN, NAN]),
        ("2024-02-03T11:59", [15, 20, 30, NAN, NAN]),
    ],
)
def test_the_newest_version_known_by_the_cutoff_is_seen(tmp_path: Path, at: str, known: list[float]) -> None:
    table = toys.table(tmp_path, VINTAGES, Meaning("W"))
    panel = table.panel(cutoff(at, "W"), 2)
    np.testing.assert_array_equal(panel.y, [known])
    assert panel.ids == ("01",)
    assert panel.versions is not None
    assert (panel.versions.known <= panel.cutoff).all()
    assert not table.vintages_assumed


def test_targets_are_the_weeks_after_the_cutoff_and_carry_their_last_day(tmp_path: Path) -> None:
    table = toys.table(tmp_path, VINTAGES, Meaning("W"))
    for at in ("2024-01-20", "2024-01-24"):
        panel = table.panel(cutoff(at, "W"), 2)
        assert panel.times[panel.width :].astype(str).tolist() == [
            "2024-01-27T00:00:00",
            "2024-02-03T00:00:00",
        ]


def test_a_further_column_is_known_when_its_row_was(tmp_path: Path) -> None:
    table = toys.table(tmp_path, VINTAGES, Meaning("W"))
    # The revision of the sixth on the twentieth tells no share: what was told before stays.
    np.testing.assert_array_equal(table.panel(cutoff("2024-01-20", "W"), 1).past["share"], [[0.1, 0.2, 0.3]])
    np.testing.assert_array_equal(
        table.panel(cutoff("2024-02-10", "W"), 1).past["share"], [[0.1, 0.25, 0.3, NAN, NAN, NAN]]
    )


def test_truth_is_the_newest_version_or_that_of_a_day(tmp_path: Path) -> None:
    table = toys.table(tmp_path, VINTAGES, Meaning("W"))
    np.testing.assert_array_equal(table.truth(), [[15, 26, 30]])
    np.testing.assert_array_equal(table.truth(cutoff("2024-01-13", "W").known), [[14, 20, NAN]])
    assert table.frame(table.truth()).rows()[1][0] == "01"


def test_a_late_publication_makes_the_forecast_longer_never_shorter(tmp_path: Path) -> None:
    rows = "unique_id,ds,y\n" + "\n".join(f"a,2024-03-{day:02},{day}" for day in range(1, 11))
    for lag, newest in (("0", 8), ("1", 7), ("3", 5)):
        table = toys.table(tmp_path, rows, Meaning("D", lag=int(lag) * 86_400_000_000))
        panel = table.panel(cutoff("2024-03-08", "D"), 2)
        known = panel.y[0][~np.isnan(panel.y[0])]
        assert known[-1] == newest
        assert panel.width == 8  # days that were not yet published stand as gaps
        assert panel.times[panel.width :].astype("datetime64[D]").astype(str).tolist() == [
            "2024-03-09",
            "2024-03-10",
        ]
        assert table.vintages_assumed
        assert panel.versions is None
        assert "assumed" in table.notes[0]


def test_without_vintages_a_lag_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(CareGridError, match="--publication-lag") as refused:
        toys.table(tmp_path, "unique_id,ds,y\na,2024-03-01,1", Meaning("D"))
    assert "series.csv" in str(refused.value)


def test_what_is_known_in_advance_reaches_over_the_targets_and_nothing_else_does(tmp_path: Path) -> None:
    lines = "\n".join(f"a,2024-03-{day:02},{day},{day % 2},{day * 10}" for day in range(1, 11))
    rows = "unique_id,ds,y,holiday,sick\n" + lines
    table = toys.table(tmp_path, rows, Meaning("D", lag=0, ahead=("holiday",)))
    panel = table.panel(cutoff("2024-03-08", "D"), 4)
    np.testing.assert_array_equal(panel.ahead["holiday"][0, 6:], [1, 0, 1, 0, NAN, NAN])
    np.testing.assert_array_equal(panel.past["sick"], [[10, 20, 30, 40, 50, 60, 70, 80]])


def test_capacity_and_statics_are_those_known_by_the_cutoff(tmp_path: Path) -> None:
    rows = """
        unique_id,ds,y,beds,region,population
        b,2024-03-01,1,20,north,100
        a,2024-03-01,5,30,south,200
        b,2024-03-02,2,22,west,110
        a,2024-03-02,6,,south,200
    """
    table = toys.table(tmp_path, rows, Meaning("D", lag=0, capacity="beds"))
    panel = table.panel(cutoff("2024-03-01", "D"), 1)
    assert panel.ids == ("a", "b")
    assert panel.static["region"].tolist() == ["south", "north"]
    np.testing.assert_array_equal(panel.static["population"], [200, 100])
    assert not panel.past
    later = table.panel(cutoff("2024-03-02", "D"), 1)
    assert later.static["region"].tolist() == ["south", "west"]
    assert later.capacity is not None
    np.testing.assert_array_equal(later.capacity, [[30, NAN], [20, 22]])


def test_what_a_table_reaches_back_to_only_later_is_no_news_at_the_cutoff(tmp_path: Path) -> None:
    """A history that is published after the cutoff changes nothing, not even the panel's length."""
    rows = """
        unique_id,ds,y,known_at
        a,2024-03-01,1,2024-03-01
        a,2024-03-02,2,2024-03-02
        a,2020-01-01,9,2024-03-09
        b,2024-03-01,9,2024-03-09
    """
    panel = toys.table(tmp_path, rows, Meaning("D")).panel(cutoff("2024-03-02", "D"), 1)
    assert panel.ids == ("a",)
    np.testing.assert_array_equal(panel.y, [[1, 2]])


def test_repeats_count_once_and_contradictions_are_left_out_and_told(tmp_path: Path) -> None:
    rows = """
        unique_id,ds,y
        a,2024-03-01,1
        a,2024-03-01,1
        a,2024-03-02,2
        a,2024-03-02,3
        a,2024-03-03,4
        a,2024-03-04,-1
        a,2024-03-05,5
        a,2024-03-06,1e300
    """
    table = toys.table(tmp_path, rows, Meaning("D", lag=0))
    np.testing.assert_array_equal(table.truth(), [[1, NAN, 4, NAN, 5]])
    told = " ".join(table.notes)
    assert "1 cell left out: several rows" in told
    assert "1 row left out: exact repeats" in told
    assert "2 rows left out: y is negative, or more than can be counted" in told
    assert "line 7" in told


def test_rows_of_one_version_may_each_tell_a_part(tmp_path: Path) -> None:
    """A signal that comes in rows of its own contradicts no value; what it tells twice is told."""
    rows = """
        unique_id,ds,known_at,y,share
        a,2024-03-01,2024-03-01,1,
        a,2024-03-01,2024-03-01,,0.5
        a,2024-03-02,2024-03-02,,0.6
        a,2024-03-02,2024-03-02,2,
        a,2024-03-03,2024-03-03,3,0.7
        a,2024-03-03,2024-03-03,3,0.8
        a,2024-03-04,2024-03-04,4,0.9
        a,2024-03-04,2024-03-04,5,
        a,2024-03-04,2024-03-04,,0.9
        a,2024-03-05,2024-03-05,6,
    """
    table = toys.table(tmp_path, rows, Meaning("D"))
    panel = table.panel(cutoff("2024-03-05", "D"), 1)
    np.testing.assert_array_equal(panel.y, [[1, 2, 3, NAN, 6]])
    np.testing.assert_array_equal(panel.past["share"], [[0.5, 0.6, 0.8, 0.9, NAN]])
    told = " ".join(table.notes)
    assert "1 cell left out: several rows" in told
    assert "1 cell where several rows" in told
    assert "in line 6" in told
    assert "exact repeats" not in told


def test_words_for_nothing_are_empty_numbers_but_names_stay_names(tmp_path: Path) -> None:
    rows = """
        unique_id,ds,y,beds,country_code
        NA,2024-03-01,3,NA,NA
        NA,2024-03-02,NA,4,NA
        b,2024-03-01,5,,
        ,2024-03-02,NA,,
    """
    table = toys.table(tmp_path, rows, Meaning("D", lag=0))
    panel = table.panel(cutoff("2024-03-02", "D"), 1)
    assert panel.ids == ("NA", "b")
    np.testing.assert_array_equal(panel.y, [[3, NAN], [5, NAN]])
    np.testing.assert_array_equal(panel.past["beds"], [[NAN, 4], [NAN, NAN]])
    assert panel.static["country_code"].tolist() == ["NA", ""]


def test_the_repeated_hour_of_a_clock_change_stays_two_hours(tmp_path: Path) -> None:
    """By the clock 01:00 comes twice; with the offset written it is two rows, 25 hours make that day."""
    hours = [f"a,2024-11-03T{hour:02}:00-04:00,{hour}" for hour in range(2)]
    hours += [f"a,2024-11-03T{hour:02}:00-05:00,{hour + 10}" for hour in range(1, 24)]
    rows = "unique_id,ds,y\n" + "\n".join(hours)
    from ml.backtest.building import build
    from ml.backtest.times import zone_named

    zone = zone_named("America/Montreal")
    path = toys.written(tmp_path, rows)
    table = build(read(path, zone=zone), Meaning("H", lag=0, zone=zone), "series.csv")
    panel = table.panel(cutoff("2024-11-03T23:00", "H", zone), 2)
    assert panel.width == 25
    assert not np.isnan(panel.y).any()
    assert panel.clock is not None
    assert panel.clock[0].tolist() == [-4] * 2 + [-5] * 25
    # Written without the offset, the two values of 01:00 contradict each other and neither is taken.
    plain = "unique_id,ds,y\n" + "\n".join(line.replace("-04:00", "").replace("-05:00", "") for line in hours)
    told = toys.table(tmp_path, plain, Meaning("H", lag=0))
    assert "several rows of one unique_id" in " ".join(told.notes)
    assert np.isnan(told.truth()[0, 1])


@pytest.mark.parametrize(
    ("rows", "frequency", "said"),
    [
        ("id,ds,y\na,2024-03-01,1", "D", "no column unique_id"),
        ("unique_id,ds,y", "D", "has no rows"),
        ("unique_id,ds,y\na,2024-03-01,1\na,first of March,2", "D", "line 3, ds: 'first of March'"),
        ("unique_id,ds,y\na,2024-03-01,1\na,2024-03-02,many", "D", "line 3, y: 'many'"),
        ("unique_id,ds,y\na,2024-03-01,1\n,2024-03-02,2", "D", "line 3, unique_id: is empty"),
        ("unique_id,ds,y\na,2024-03-01,1\na,,2", "D", "line 3, ds: is empty"),
        ("unique_id,ds,y\na,2024-03-01,\na,2024-03-02,", "D", "no row has a value"),
        ("unique_id,ds,y\na,2024-03-01,1\na,2024-03-02,2\na,2024-03-02T06:00,3", "D", "line 4, ds"),
        ("unique_id,ds,y\na,2024-03-02,1\na,2024-03-09,2\na,2024-03-11,3", "W", "weeks on Saturday"),
        (
            "unique_id,ds,y\n" + "\n".join(f"a,2024-03-{day:02},1" for day in range(1, 30, 7)),
            "D",
            "7 days apart",
        ),
        ("unique_id,ds,y\n" + "a,2024-03-01,1\na,2024-03-01,2\n" * 2, "D", "contradict each other"),
        ("unique_id,ds,y\na,2024-03-01,1\na,0001-03-01,1", "H", "check the first and the last ds"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_the_place(
    tmp_path: Path, rows: str, frequency: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.backtest.building.MOST_CELLS", 1_000_000)
    with pytest.raises(CareGridError) as refused:
        toys.table(tmp_path, rows, Meaning(frequency, lag=0))
    assert said in str(refused.value)
    assert refused.value.fix
    assert "series.csv" in refused.value.where


@pytest.mark.parametrize("option", ["ahead", "static", "hierarchy", "capacity"])
def test_a_named_column_must_be_there(tmp_path: Path, option: str) -> None:
    value = "beds" if option == "capacity" else ("beds",)
    with pytest.raises(CareGridError, match="no further column 'beds'"):
        toys.table(tmp_path, "unique_id,ds,y\na,2024-03-01,1", Meaning("D", lag=0, **{option: value}))  # type: ignore[arg-type]


def test_csv_gzip_and_parquet_say_the_same(tmp_path: Path) -> None:
    plain = toys.written(tmp_path, VINTAGES)
    packed = tmp_path / "series.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    told = read(plain)
    assert read(packed).equals(told)
    parquet = tmp_path / "series.parquet"
    told.with_columns(
        pl.from_epoch("ds", time_unit="us").cast(pl.Date), pl.from_epoch("known_at", time_unit="us")
    ).drop("line").write_parquet(parquet)
    assert read(parquet).drop("line").equals(told.drop("line"))
    assert told["unique_id"].unique().to_list() == ["01"]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 14), st.integers(0, 50)),
        min_size=1,
        max_size=60,
        unique_by=lambda row: row[:3],
    ),
    st.integers(0, 16),
)
def test_a_panel_is_what_a_slow_reading_of_the_rows_says(
    rows: list[tuple[int, int, int, int]], at: int
) -> None:
    """Of each cell the version with the largest known_at up to the cutoff, and no period after it."""
    day = 86_400_000_000
    frame = pl.DataFrame(
        {
            "unique_id": [f"s{row[0]}" for row in rows],
            "ds": [row[1] * day for row in rows],
            "y": [float(row[3]) for row in rows],
            "known_at": [row[2] * day for row in rows],
            "line": list(range(2, 2 + len(rows))),
        }
    )
    # Every day is somebody's, so that no hole looks like another frequency.
    steady = pl.DataFrame(
        {
            "unique_id": ["z"] * 10,
            "ds": [number * day for number in range(10)],
            "y": [1.0] * 10,
            "known_at": [number * day for number in range(10)],
            "line": [0] * 10,
        }
    )
    panel = toys.made(pl.concat([frame, steady]), "D").panel(cutoff(f"1970-01-{at + 1:02}", "D"), 3)
    wanted: dict[tuple[str, int], tuple[int, int]] = {}
    for series, period, known, value in rows:
        key = (f"s{series}", period)
        if known <= at and period <= at and (key not in wanted or known > wanted[key][0]):
            wanted[key] = (known, value)
    first = int(panel.times[0].astype("datetime64[D]").astype(int))
    assert set(panel.ids) == {key[0] for key in wanted} | {"z"}
    for number, name in enumerate(panel.ids):
        for column in range(panel.width):
            told = wanted.get((name, first + column))
            if name != "z":
                np.testing.assert_equal(panel.y[number, column], float(told[1]) if told else NAN)
    assert panel.times[panel.width].astype("datetime64[D]").astype(int) == at + 1
