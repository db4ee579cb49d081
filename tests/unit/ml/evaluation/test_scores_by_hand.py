"""Two models, two series, two horizons, worked by hand; and what has no answer says so."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from caregrid.errors import CareGridError

from ml.evaluation import scores
from ml.evaluation.reading import read
from tests.unit.ml.evaluation import tables

pytestmark = pytest.mark.unit

TRUTH = {("x", 1): 10, ("x", 2): 12, ("y", 1): 0, ("y", 2): 4}
A = {("x", 1): (8, 10, 12), ("x", 2): (13, 14, 16), ("y", 1): (0, 1, 2), ("y", 2): (2, 4, 5)}
# b says nothing of y two days ahead, and speaks of the 95 % interval.
B = {("x", 1): (6, 9, 11, 12, 15), ("x", 2): (7, 10, 12, 13, 18), ("y", 1): (0, 0, 0, 1, 3)}
SAID = {"a": ((0.25, 0.5, 0.75), A), "b": ((0.025, 0.25, 0.5, 0.75, 0.975), B)}

# Twice the mean pinball loss. a: x1 2(.25·2 + 0 + .25·2)/3 = 2/3; x2 2(.75·1 + .5·2 + .25·4)/3 = 11/6;
# y1 2(0 + .5 + .25·2)/3 = 2/3; y2 2(.25·2 + 0 + .25·1)/3 = 1/2.
WIS_A = {("x", 1): 2 / 3, ("x", 2): 11 / 6, ("y", 1): 2 / 3, ("y", 2): 1 / 2}
# b: x1 2(.025·4 + .25·1 + .5·1 + .25·2 + .025·5)/5 = .59; x2 2(.125 + .5 + 0 + .25 + .15)/5 = .41;
# y1 2(0 + 0 + 0 + .25 + .075)/5 = .13.
WIS_B = {("x", 1): 0.59, ("x", 2): 0.41, ("y", 1): 0.13}


def rows(baseline: str = "a", **more: Any) -> dict[tuple[str, str], dict[str, Any]]:
    table = scores.score_table(
        tables.forecasts(SAID), tables.truth(TRUTH), tables.history({"x": 2, "y": 0.5}), baseline, **more
    )
    return {(row["model"], row["horizon"]): row for row in table.iter_rows(named=True)}


def test_the_first_model_by_hand() -> None:
    found = rows()[("a", "all")]
    assert found["n"] == 4
    assert found["wis"] == pytest.approx(sum(WIS_A.values()) / 4)
    # errors of the median: 0, +2, +1, 0
    assert found["mae"] == pytest.approx(3 / 4)
    assert found["rmse"] == pytest.approx(math.sqrt(5 / 4))
    assert found["bias"] == pytest.approx(3 / 4)
    # 0/10, 2/12, 0/4; y one day ahead was 0
    assert found["mape"] == pytest.approx((2 / 12) / 3)
    assert found["mape_left_out"] == 1
    # 0/2, 2/2, 1/.5, 0/.5
    assert found["mase"] == pytest.approx(3 / 4)
    # x2 was 12, below the 13 of the lower quartile; y1 was 0, which is the edge
    assert found["cov50"] == pytest.approx(3 / 4)
    assert found["cov80"] is found["cov95"] is found["width95"] is None
    assert "cov80: the model gives no quantiles 0.1 and 0.9" in found["reason"]
    assert "cov95, width95: the model gives no quantiles 0.025 and 0.975" in found["reason"]


def test_the_log_score_by_hand() -> None:
    # x1 of a: quantiles log 9, log 11, log 13 against log 11
    x1 = 2 * (0.25 * (math.log(11) - math.log(9)) + 0.25 * (math.log(13) - math.log(11))) / 3
    # y1: quantiles log 1, log 2, log 3 against log 1
    y1 = 2 * (0.5 * math.log(2) + 0.25 * math.log(3)) / 3
    assert rows()[("a", "1")]["wis_log1p"] == pytest.approx((x1 + y1) / 2)


def test_the_second_model_and_its_ratio_by_hand() -> None:
    found = rows()[("b", "all")]
    assert found["n"] == 3
    assert found["wis"] == pytest.approx(sum(WIS_B.values()) / 3)
    assert found["mae"] == pytest.approx(1 / 3)
    assert found["cov50"] == found["cov95"] == 1
    # 15 - 6, 18 - 7, 3 - 0
    assert found["width95"] == pytest.approx(23 / 3)
    # a's fourth cell does not count in the ratio
    assert found["n_common"] == 3
    ratio = sum(WIS_B.values()) / (2 / 3 + 11 / 6 + 2 / 3)
    assert found["rwis"] == pytest.approx(ratio)
    # of two models: sqrt(1 · r) / sqrt(1 · 1/r) = r
    assert found["rwis_pairwise"] == pytest.approx(ratio)


def test_each_horizon_stands_alone() -> None:
    found = rows()
    assert [key for key in found if key[0] == "b"] == [("b", "all"), ("b", "1"), ("b", "2")]
    assert found[("a", "1")]["wis"] == pytest.approx(2 / 3)
    assert found[("a", "2")]["wis"] == pytest.approx((11 / 6 + 1 / 2) / 2)
    assert found[("b", "2")]["n"] == 1
    assert found[("b", "2")]["rwis"] == pytest.approx(0.41 / (11 / 6))


def test_pairwise_is_the_geometric_mean_over_all_opponents() -> None:
    # c has one cell with a (x1) and none else
    c = {"c": ((0.25, 0.5, 0.75), {("x", 1): (10, 10, 13)})}
    table = scores.score_table(tables.forecasts(SAID | c), tables.truth(TRUTH), None, "a")
    found = {row["model"]: row for row in table.filter(pl.col("horizon") == "all").iter_rows(named=True)}
    wis_c = 2 * (0.25 * 3) / 3
    b_a = sum(WIS_B.values()) / (2 / 3 + 11 / 6 + 2 / 3)
    c_a, c_b = wis_c / (2 / 3), wis_c / 0.59
    theta = {
        "a": (1 / b_a / c_a) ** (1 / 3), "b": (b_a / c_b) ** (1 / 3), "c": (c_a * c_b) ** (1 / 3),
    }  # fmt: skip
    for name, value in theta.items():
        assert found[name]["rwis_pairwise"] == pytest.approx(value / theta["a"])
    assert found["b"]["n_common_pairwise"] == 1


def test_nothing_that_cannot_be_computed_is_a_number(tmp_path: Path) -> None:
    table = scores.score_table(
        tables.forecasts(SAID), tables.truth(dict.fromkeys(TRUTH, 0)), tables.history({"x": 0}), "absent"
    )
    table.write_csv(tmp_path / "scores.csv")
    text = (tmp_path / "scores.csv").read_text().lower()
    assert "nan" not in text
    assert "inf" not in text
    for row in table.iter_rows(named=True):
        assert row["mape"] is row["mase"] is row["rwis"] is row["rwis_pairwise"] is None
        assert "there are no forecasts of the baseline absent" in row["reason"]
        assert "every truth is 0" in row["reason"]


def test_names_and_times_may_be_of_other_types() -> None:
    plain = scores.score_table(tables.forecasts(SAID), tables.truth(TRUTH), tables.history({"x": 2}), "a")
    numbered = {"x": 7, "y": 11}

    def other(frame: pl.DataFrame) -> pl.DataFrame:
        times = [name for name in ("ds", "cutoff") if name in frame.columns]
        return frame.with_columns(
            pl.col("unique_id").replace_strict(numbered, return_dtype=pl.Int64),
            pl.col(times).dt.cast_time_unit("ms").dt.replace_time_zone("UTC"),
        )

    given = (tables.forecasts(SAID), tables.truth(TRUTH), tables.history({"x": 2}))
    forecasts = other(given[0]).with_columns(
        pl.col("model").cast(pl.Categorical), pl.col("value").cast(pl.Float32)
    )
    found = scores.score_table(
        forecasts, other(given[1]).with_columns(pl.col("y").cast(pl.Int32)), other(given[2]), "a"
    )
    assert found.drop("reason").columns == plain.drop("reason").columns
    for name in ("n", "wis", "mase", "rwis"):
        assert found[name].to_list() == pytest.approx(plain[name].to_list(), rel=1e-6)


def test_where_nothing_is_empty_there_is_no_reason() -> None:
    levels = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
    full = {"full": (levels, {("x", 1): range(7), ("x", 2): range(7)}), "thin": ((0.5,), {("x", 1): (9,)})}
    table = scores.score_table(tables.forecasts(full), tables.truth(TRUTH), tables.history({"x": 2}), "full")
    assert table.filter(pl.col("model") == "full")["reason"].to_list() == [None] * 3
    assert all(table.filter(pl.col("model") == "thin")["reason"].to_list())


def test_a_perfect_baseline_gives_no_ratio() -> None:
    exact = {"exact": ((0.25, 0.5, 0.75), {key: (value,) * 3 for key, value in TRUTH.items()})}
    table = scores.score_table(tables.forecasts(SAID | exact), tables.truth(TRUTH), None, "exact")
    found = table.filter((pl.col("model") == "a") & (pl.col("horizon") == "all")).row(0, named=True)
    assert found["rwis"] is None
    assert "its score is 0 there" in found["reason"]


def test_cells_without_truth_or_with_a_level_missing_are_left_out_and_counted() -> None:
    rows = tables.forecasts(SAID)
    # the upper quartile of a's x1 is missing, that of x2 is no number
    broken = rows.filter(
        ~((pl.col("model") == "a") & (pl.col("quantile") == 0.75) & (pl.col("ds") == rows["ds"].min())
          & (pl.col("unique_id") == "x"))
    ).with_columns(
        pl.when((pl.col("model") == "a") & (pl.col("quantile") == 0.75) & (pl.col("value") == 16))
        .then(float("inf")).otherwise(pl.col("value")).alias("value")
    )  # fmt: skip
    known = {key: value for key, value in TRUTH.items() if key != ("y", 1)}
    cells = read(broken, tables.truth(known))
    assert cells.models["a"].incomplete == 2
    assert cells.models["a"].without_truth == cells.models["b"].without_truth == 1
    assert len(cells.models["a"].code) == 1
    assert len(cells.models["b"].code) == 2


def test_the_poisson_floor_is_for_counts_of_events_only() -> None:
    assert rows()[("a", "all")]["poisson_floor"] is None
    found = rows(counts_of_events=True)[("a", "1")]["poisson_floor"]
    # a count of mean 10 has median 10: 2 · 10 · P(Y = 10); of mean 0 nothing is uncertain
    expected = 2 * 10 * math.exp(-10) * 10**10 / math.factorial(10)
    assert found == pytest.approx(expected / 2)


@pytest.mark.parametrize("change", ["twice", "other time", "no column", "horizon 0"])
def test_tables_that_contradict_themselves_are_refused(change: str) -> None:
    rows = tables.forecasts(SAID)
    if change == "twice":
        rows = pl.concat([rows, rows.head(1)])
    elif change == "other time":
        moved = pl.col("ds") + pl.when(pl.col("model") == "b").then(tables.DAY * 10).otherwise(tables.DAY * 0)
        rows = rows.with_columns(moved.alias("ds"))
    elif change == "no column":
        rows = rows.drop("horizon")
    else:
        rows = rows.with_columns(pl.col("horizon") - 1)
    late = {("x", 11): 1.0, ("y", 11): 1.0, ("x", 12): 1.0}
    with pytest.raises(CareGridError) as refused:
        read(rows, tables.truth(TRUTH | late))
    assert refused.value.fix


def test_batches_of_cutoffs_give_the_same_table(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, known, errors = [], [], []
    for number in range(4):
        cutoff = tables.CUTOFF + number * 10 * tables.DAY
        parts.append(tables.forecasts(SAID, cutoff).with_columns(pl.col("value") + number))
        known.append(tables.truth(TRUTH, cutoff))
        errors.append(tables.history({"x": 2, "y": 3}, cutoff))
    given = (pl.concat(parts), pl.concat(known), pl.concat(errors))
    at_once = scores.score_table(*given, "a")
    monkeypatch.setattr("ml.evaluation.reading.MOST_ROWS", 20)
    monkeypatch.setattr("ml.evaluation.reading.DENSE", 1)
    assert scores.score_table(*given, "a").equals(at_once)
    assert at_once.filter(pl.col("horizon") == "all")["n"].to_list() == [16, 12]
