"""What of a table cannot be used, or looks odd, is told: no series vanishes, no plan passes in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ml.backtest.building import Meaning
from ml.backtest.command import main
from ml.backtest.times import cutoff
from tests.unit.ml.backtest import toys

pytestmark = pytest.mark.unit
LOST = """
    unique_id,ds,y,known_at
    good,2024-03-01,1,2024-03-02
    good,2024-03-02,2,2024-03-03
    good,2024-03-03,3,2024-03-04
    good,2024-03-04,3,2024-03-05
    minus,2024-03-01,-1,2024-03-02
    minus,2024-03-02,1e300,2024-03-03
    minus,2024-03-03,,2024-03-04
    empty,2024-03-01,,2024-03-02
    never,2024-03-01,4,
    torn,2024-03-01,4,2024-03-02
    torn,2024-03-01,5,2024-03-02
"""


def test_a_series_without_a_usable_value_is_named_with_its_reason(tmp_path: Path) -> None:
    table = toys.table(tmp_path, LOST, Meaning("D"))
    assert table.unusable == {
        "empty": "every y is empty",
        "minus": "every y is negative, or more than can be counted",
        "never": "nothing tells when any of its rows became known",
        "torn": "all of its rows contradict each other",
    }
    assert table.panel(cutoff("2024-03-06", "D"), 1).ids == ("good",)
    assert "4 series have no value that can be used, and no forecast: empty, minus, never, torn" in " ".join(
        table.notes
    )


def test_of_many_lost_series_the_first_are_named(tmp_path: Path) -> None:
    rows = "unique_id,ds,y\ngood,2024-03-01,1\n" + "\n".join(f"s{at},2024-03-01," for at in range(9))
    told = " ".join(toys.table(tmp_path, rows, Meaning("D", lag=0)).notes)
    assert "9 series have no value that can be used, and no forecast: s0, s1, s2, s3, s4 and 4 more" in told


def test_it_stands_in_unanswered_and_on_the_console(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = toys.frame("D", 120).drop("line").with_columns(pl.from_epoch("ds", time_unit="us").dt.date())
    rows = rows.with_columns(pl.when(pl.col("unique_id") != "s02").then(pl.col("y")))
    rows.write_csv(tmp_path / "beds.csv")
    line = [
        "--series",
        str(tmp_path / "beds.csv"),
        "--freq",
        "D",
        "--horizon",
        "7",
        "--publication-lag",
        "1D",
    ]
    line += ["--cutoffs", "2023-04-01,2023-04-08", "--out", str(tmp_path / "out"), "--models", "last_value"]
    assert main(line) == 0
    assert "1 series has no value that can be used, and no forecast: s02" in capsys.readouterr().err
    unanswered = pl.read_csv(tmp_path / "out" / "unanswered.csv", infer_schema=False)
    assert unanswered.rows() == [(None, None, "s02", "14", "every y is empty")]


def test_values_known_before_their_period_begins_are_kept_and_told(tmp_path: Path) -> None:
    rows = """
        unique_id,ds,y,known_at
        a,2024-03-01,1,2024-03-02
        a,2024-03-03,3,2024-03-01
        a,2024-03-02,2,2024-03-02
        a,2024-03-04,4,2024-03-03T23:59
        a,2024-03-05,,2024-03-01
    """
    table = toys.table(tmp_path, rows, Meaning("D"))
    np.testing.assert_array_equal(table.truth(), [[1, 2, 3, 4, np.nan]])
    told = " ".join(table.notes)
    assert "2 values of y known before the period begins" in told
    assert "series a, ds 2024-03-03, known_at 2024-03-01, line 3" in told


@pytest.mark.parametrize(("known", "told"), [("2024-03-03", 0), ("2024-03-02T23:00", 1)])
def test_a_week_begins_six_days_before_its_ds(tmp_path: Path, known: str, told: int) -> None:
    rows = f"unique_id,ds,y,known_at\na,2024-03-09,1,{known}"
    notes = toys.table(tmp_path, rows, Meaning("W")).notes
    assert sum("before the period begins" in note for note in notes) == told


def test_a_capacity_that_cannot_be_is_unknown_and_one_of_zero_holds_nobody_and_both_are_told(
    tmp_path: Path,
) -> None:
    rows = """
        unique_id,ds,y,beds
        a,2024-03-01,1,10
        a,2024-03-02,2,-5
        a,2024-03-03,2,inf
        b,2024-03-01,1,0
        b,2024-03-02,2,0
    """
    table = toys.table(tmp_path, rows, Meaning("D", lag=0, capacity="beds"))
    panel = table.panel(cutoff("2024-03-03", "D"), 1)
    np.testing.assert_array_equal(panel.capacity, [[10, np.nan, np.nan], [0, 0, np.nan]])
    told = " ".join(table.notes)
    assert "2 rows with a capacity (beds) that is negative, or more than can be counted" in told
    assert "taken for unknown (the first: series a, ds 2024-03-02, line 3)" in told
    assert "2 rows with a capacity (beds) of 0: any y above 0 counts as more than can be held" in told


def test_a_forecast_beside_a_capacity_of_zero_is_remarked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = toys.frame("D", 120).drop("line").with_columns(pl.from_epoch("ds", time_unit="us").dt.date())
    rows = rows.with_columns(beds=pl.when(pl.col("unique_id") == "s02").then(0).otherwise(30))
    rows.write_csv(tmp_path / "beds.csv")
    line = ["--series", str(tmp_path / "beds.csv"), "--freq", "D", "--horizon", "7"]
    line += ["--publication-lag", "1D"]
    line += ["--cutoffs", "2023-04-01", "--out", str(tmp_path / "out"), "--capacity", "beds"]
    assert main([*line, "--models", "last_value"]) == 0
    assert "120 rows with a capacity (beds) of 0" in capsys.readouterr().err
    remarks = pl.read_csv(tmp_path / "out" / "remarks.csv", infer_schema=False)
    mine = remarks.filter(pl.col("how").str.contains("capacity is 0"))
    assert mine.select("cutoff", "unique_id").rows() == [("2023-04-01", "s02")]
