"""What a run shows, by hand: means over the cells that all models have, and never too many children."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from ml.evaluation.cells import Cells, Model
from ml.tracking import runs
from ml.tracking.run_figures import stepped
from ml.warehouse import tested

pytestmark = pytest.mark.unit


def back_test_of(models: dict[str, tuple[list[int], list[float]]], feed: str = "beds") -> tested.Tested:
    """Return a back-test of one series, two cutoffs and two horizons: {model: (cells, interval scores)}."""
    made = {
        name: Model((0.5,), np.array(code), {"wis": np.array(wis), "point": np.full(len(code), 12.0)})
        for name, (code, wis) in models.items()
    }
    cutoffs = np.array(["2024-01-01", "2024-01-08"], dtype="datetime64[us]")
    times = np.array(["2024-01-02", "2024-01-03", "2024-01-09", "2024-01-10"], dtype="datetime64[us]")
    every = np.arange(4)
    cells = Cells(
        ("a",), cutoffs, 2, every, times, np.full(4, 10.0), np.full(4, 2.0), np.full(4, np.nan), made
    )
    return tested.Tested("day", feed, [0, 1], cells, pl.DataFrame(), assumed=False)


def test_means_by_horizon_and_cutoff_are_over_shared_cells() -> None:
    # Cells 0 … 3 are (cutoff, horizon) = (1, 1), (1, 2), (2, 1), (2, 2); the other model lacks the last.
    one = back_test_of(
        {"caregrid": ([0, 1, 2, 3], [1.0, 2.0, 3.0, 90.0]), "other": ([0, 1, 2], [4.0, 6.0, 8.0])}
    )
    # A second feed, which the other model has not.
    two = back_test_of({"caregrid": ([0, 1, 2, 3], [5.0, 6.0, 7.0, 8.0])}, "wards")
    found = {(point.model, point.name, point.step): point.value for point in stepped([one, two])}
    assert found["caregrid", "day.wis", 1] == pytest.approx((1 + 3 + 5 + 7) / 4)
    assert found["caregrid", "day.wis", 2] == pytest.approx((2 + 6 + 8) / 3)
    assert found["other", "day.wis", 1] == pytest.approx((4 + 8) / 2)
    assert found["other", "day.wis", 2] == pytest.approx(6)
    assert found["other", "day.scaled_wis", 2] == pytest.approx(3)
    assert found["caregrid", "day.fold_wis", 1] == pytest.approx((1 + 2 + 5 + 6) / 4)
    assert found["caregrid", "day.fold_wis", 2] == pytest.approx((3 + 7 + 8) / 3)
    assert found["caregrid", "day.mae", 1] == pytest.approx(2)
    # No model has intervals: nothing is shown of their coverage.
    assert not [name for _, name, _ in found if "coverage" in name]


def test_at_most_twenty_models_get_a_run_and_ours_is_the_first() -> None:
    many = {f"model {number:02}": ([0], [1.0]) for number in range(30)}
    children = runs._children([back_test_of(many | {"caregrid": ([0], [1.0])})])
    assert len(children) == runs.MOST_CHILDREN == 20
    assert children[0] == "caregrid"
