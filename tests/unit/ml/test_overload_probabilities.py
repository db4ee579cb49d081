"""Overload read off joint paths, its references by hand, and what it means where a source shows none."""

from __future__ import annotations

import numpy as np
import pytest

from ml import levels
from ml.warehouse import overload, tested
from tests.unit.ml.frames import frame, spines, wave
from tests.unit.ml.test_backtest_of_a_feed import run

pytestmark = pytest.mark.unit


def test_any_period_within_h_is_counted_path_by_path() -> None:
    """Capacity 10: of four paths one is over at the first step, another at the third, one touches ten."""
    data = frame(
        {1: np.array([9.0, 11.0, 9.0, 9.0]), 2: np.full(4, 10.0)}, measure=["occupied", "capacity"],
        is_forecast=[True, False],
    )  # fmt: skip
    grid = spines(data)[0].as_known(None)
    paths = np.array([[[11, 9, 9]], [[9, 9, 12]], [[10, 10, 10]], [[3, 3, 3]]], dtype=np.float32)
    found = overload.assess(grid, np.array([0]), paths, {0: 1}, (1, 2, 3))
    assert found is not None
    assert found.probability.tolist() == [[0.25, 0.25, 0.5]]
    assert found.limit.tolist() == [10.0]
    assert found.over_now.tolist() == [False]
    assert found.definition.name == levels.OVER_CAPACITY
    assert overload.assess(grid, np.array([0]), paths, {}, (1,)) is None


def test_past_share_by_hand() -> None:
    """Over every fourth day: of three days below, two have an overload within two days."""
    state = np.tile([1.0, 0.0, 0.0, 0.0], 200)[None, :]
    free = overload.past_share(state, np.array([False]), (1, 2, 4))[0]
    over = overload.past_share(state, np.array([True]), (1, 2, 4))[0]
    assert free == pytest.approx([1 / 3, 2 / 3, 1.0], abs=0.01)
    assert over == pytest.approx([0.0, 0.0, 1.0], abs=0.02)


def test_events_need_half_of_the_window() -> None:
    state = np.array([[1, np.nan, np.nan, np.nan, 0], [0, np.nan, np.nan, np.nan, 0]])
    happened, told = overload.events(state, (1, 4))
    assert happened.tolist() == [[True, True], [False, False]]
    assert told.tolist() == [[True, True], [True, False]]


def test_pairs_want_the_same_place_thing_dimensions_and_unit() -> None:
    names = ["occupied", "present", "capacity", "staffed_capacity", "occupied", "staffed_capacity"]
    data = frame(
        {number: wave(30) for number in range(1, 7)},
        measure=names,
        place_id=[1, 1, 1, 1, 2, 3],
        service_or_resource="stretcher",
        unit=["beds", "persons", "beds", "beds", "beds", "beds"],
        is_forecast=[True, True, False, False, True, False],
    )
    # Of two capacities the staffed one; persons are not paired with beds, nor place 2 with place 3.
    spine = spines(data)[0]
    assert spine.pairs == {0: 3}
    # Reckoned once, whatever the cuts.
    assert spine.as_known(None).spine.pairs is spine.pairs


def _pairs(holds_all: bool) -> tested.Tested:
    """Return the back-test of twelve wards; where capacity holds all, it is counted as occupied plus free."""
    numbers = list(range(1, 13))
    demand = {number: wave(300, 100.0, seed=number) for number in numbers}
    free = {number: 6 + np.random.default_rng(number).integers(0, 12, 300) for number in numbers}
    capacity = {
        number + 100: demand[number] + free[number] if holds_all else np.full(300, 110.0)
        for number in numbers
    }
    return run(
        frame(
            {**demand, **capacity}, place_id=[*numbers, *numbers], unit="beds",
            measure=["occupied"] * 12 + ["capacity"] * 12, is_forecast=[True] * 12 + [False] * 12,
        )
    )  # fmt: skip


def test_risks_of_a_weekly_wave_beat_both_references() -> None:
    """Demand crosses capacity with the weekday: a list of who is over now knows nothing of tomorrow."""
    risks = _pairs(holds_all=False).risks
    assert risks is not None
    loss = {name: np.mean((said - risks.event) ** 2) for name, said in risks.probability.items()}
    assert 0.1 < risks.event.mean() < 0.95
    assert loss[tested.OURS] < loss[tested.PERSISTENCE]
    assert loss[tested.OURS] < loss[tested.PAST_SHARE]


def test_where_capacity_cannot_be_exceeded_a_reserve_is_asked_for() -> None:
    risks = _pairs(holds_all=True).risks
    assert risks is not None
    # Never over capacity, and yet the reserve of a tenth is short at times.
    assert 0.3 < risks.event.mean() <= 1.0
