"""Where the truth moved most, and what alarms would have caught: worked by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import metrics
from ml.evaluation import decisions, steepest
from ml.evaluation.reading import read
from tests.unit.ml.evaluation import tables

pytestmark = pytest.mark.unit

LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)


def test_the_steepest_tenth_is_of_changes_since_the_cutoff_by_the_series_own_scale() -> None:
    # 10 steps ahead of two series; `small` moves 1 about 2, `large` 100 about 2000, so both matter alike
    said = {(name, step): (size - 2, size - 1, size, size + 1, size + 2)
            for name, size in (("small", 2), ("large", 2000)) for step in range(1, 11)}  # fmt: skip
    values = {("small", step): 2.0 for step in range(0, 11)} | {
        ("large", step): 2000 for step in range(0, 11)
    }
    values |= {("small", 4): 3.0, ("large", 7): 1900.0}
    cells = read(tables.forecasts({"m": (LEVELS, said)}), tables.truth(values))
    moved = steepest.changes(cells, tables.truth(values))
    # each series has one move, as large as any by its own spread
    spread = np.std([3.0] + [2.0] * 10)
    assert np.flatnonzero(moved).tolist() == [6, 13]
    assert moved[[6, 13]] == pytest.approx([-1 / spread, 1 / spread])
    found = {
        row["part"]: row for row in steepest.table(cells, tables.truth(values), "m").iter_rows(named=True)
    }
    # a tenth of 20 cells: the rise to 3, within the 95 % interval [0, 4]; the fall to 1900, far outside
    assert found[steepest.STEEP]["n"] == 2
    assert found[steepest.STEEP]["cov95"] == 0.5
    assert (found[steepest.RISES]["n"], found[steepest.RISES]["cov95"]) == (1, 1)
    assert (found[steepest.FALLS]["n"], found[steepest.FALLS]["cov95"]) == (1, 0)
    assert found[steepest.OTHERS]["n"] == 18


def test_without_truth_before_the_cutoff_there_is_no_steepest_tenth() -> None:
    said = {("x", 1): (0, 1, 2, 3, 4)}
    known = tables.truth({("x", 1): 2})
    cells = read(tables.forecasts({"m": (LEVELS, said)}), known)
    assert steepest.table(cells, known, "m").is_empty()


def test_the_probability_of_a_shortage_lies_on_lines_between_quantiles() -> None:
    said = np.array([[10.0, 20, 30, 40, 50]])
    for capacity, above in (
        (30.0, 0.5), (35.0, 1 - 0.625), (20.0, 0.75), (5.0, 1 - 0.0125), (50.0, 0.0125), (99.0, 0.0125),
    ):  # fmt: skip
        found = metrics.probability_above(np.array([capacity]), said, LEVELS)
        assert found[0] == pytest.approx(above)
    # counts: half of the mass and more at 3, so that more than 3 has a quarter
    ties = np.array([[1.0, 3, 3, 3, 6]])
    assert metrics.probability_above(np.array([3.0]), ties, LEVELS)[0] == pytest.approx(0.25)
    assert np.isnan(metrics.probability_above(np.array([np.nan]), said, LEVELS)[0])


@given(
    st.lists(st.floats(0, 100), min_size=5, max_size=5).map(sorted),
    st.lists(st.floats(-10, 110), min_size=2, max_size=2).map(sorted),
)
def test_a_higher_capacity_is_never_likelier_to_be_exceeded(said: list[float], held: list[float]) -> None:
    low, high = metrics.probability_above(np.array(held), np.array([said, said]), LEVELS)
    assert 0 < high <= low < 1


def test_alarms_by_hand() -> None:
    # capacity 10; medians 12, 12, 8, 8 against truth 11, 9, 11, 9: caught, needless, missed, quiet
    said = {("x", 1): (2, 11, 12, 13, 22), ("x", 2): (2, 11, 12, 13, 22),
            ("y", 1): (2, 7, 8, 9, 18), ("y", 2): (2, 7, 8, 9, 18)}  # fmt: skip
    known = tables.truth({("x", 1): 11, ("x", 2): 9, ("y", 1): 11, ("y", 2): 9})
    held = pl.DataFrame(
        [(name, tables.CUTOFF, 10.0) for name in ("x", "y")],
        schema=["unique_id", "cutoff", "capacity"], orient="row",
    )  # fmt: skip
    cells = read(tables.forecasts({"m": (LEVELS, said)}), known, None, held)
    found = decisions.table(cells)
    at = {(row["horizon"], row["cost_ratio"]): row for row in found.iter_rows(named=True)}
    half = at[("all", 0.5)]
    assert (half["n"], half["shortages"], half["alarms"]) == (4, 2, 2)
    assert (half["caught"], half["missed"], half["needless"]) == (1, 1, 1)
    # spent (2 · 0.5 + 1) / 4 = 0.5; always or never acting costs 0.5 as well: no value
    assert half["value"] == pytest.approx(0)
    # y's P(> 10) is 1 - (.75 + .225 / 9) = .225: at a cost of 0.2 both are acted upon, which is always acting
    assert at[("all", 0.2)]["alarms"] == 4
    assert at[("all", 0.2)]["value"] == pytest.approx(0)
    assert at[("all", 0.3)]["alarms"] == 2
    # spent (2 · 0.3 + 1) / 4 = 0.4; climate 0.3; perfect 0.15: worse than always acting
    assert at[("all", 0.3)]["value"] == pytest.approx((0.3 - 0.4) / (0.3 - 0.15))
    assert (at[("1", 0.5)]["caught"], at[("1", 0.5)]["missed"]) == (1, 1)
    assert at[("1", 0.5)]["value"] is None
    assert at[("1", 0.5)]["reason"] == "value: every period was short"


def test_perfect_alarms_are_worth_all_and_no_capacity_is_no_table() -> None:
    assert metrics.relative_economic_value(3, 0, 0, 7, 0.2) == pytest.approx(1)
    said = {("x", 1): (0, 1, 2, 3, 4)}
    cells = read(tables.forecasts({"m": (LEVELS, said)}), tables.truth({("x", 1): 2}))
    assert decisions.table(cells).is_empty()
    assert decisions.table(cells).columns == list(decisions.COLUMNS)
