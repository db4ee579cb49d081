"""Overload probabilities against closed forms, counts by hand, and the past they must not reach beyond."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from ml import eligibility, exceedance, fitting, origins, overload
from ml.features import FeatureMaker
from ml.settings import DEMO
from tests.unit.ml.frames import frame, spines, wave

pytestmark = pytest.mark.unit
LEVELS = DEMO.quantiles


@given(st.floats(5, 500), st.floats(0.5, 50), st.floats(-3.5, 3.5))
def test_normal_quantiles_give_the_normal_probability(mean: float, spread: float, distance: float) -> None:
    forecast = norm.ppf(LEVELS, mean, spread)[None, :]
    capacity = np.array([mean + distance * spread])
    score = exceedance.exceedance_score(forecast, capacity, LEVELS, is_count=False)
    assert score[0] == pytest.approx(distance, abs=1e-3)


def test_half_a_bed_above_capacity_begins_an_overload() -> None:
    forecast = norm.ppf(LEVELS, 20.5, 1.0)[None, :]
    assert exceedance.exceedance_score(forecast, np.array([20.0]), LEVELS)[0] == pytest.approx(0.0, abs=1e-4)


def test_a_certain_forecast_gives_a_certain_answer() -> None:
    flat = np.full((2, len(LEVELS)), 10.0)
    score = exceedance.exceedance_score(flat, np.array([8.0, 12.0]), LEVELS)
    said = exceedance.within_horizon(score[:, None], 0.0, 1)
    assert said[:, 0].tolist() == [1.0, 0.0]


def test_independent_periods_multiply_and_equal_ones_do_not() -> None:
    score = np.full((1, 6), norm.ppf(0.8))
    apart = exceedance.within_horizon(score, 0.0, 7)[0]
    together = exceedance.within_horizon(score, 0.999, 7)[0]
    assert apart == pytest.approx(1 - 0.8 ** np.arange(1, 7), abs=0.04)
    assert together == pytest.approx(np.full(6, 0.2), abs=0.05)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=12), st.floats(0, 0.99))
@settings(deadline=None)
def test_a_longer_horizon_is_never_safer(scores: list[float], correlation: float) -> None:
    said = exceedance.within_horizon(np.array([scores]), correlation, 3)[0]
    assert (np.diff(said) >= 0).all()
    assert ((said >= 0) & (said <= 1)).all()


def test_past_share_by_hand() -> None:
    """Capacity 10, over every fourth day: of three days below it, two have an overload within two days."""
    demand = np.tile([11.0, 5.0, 5.0, 5.0], 200)[None, :]
    capacity = np.full(demand.shape, 10.0)
    free = overload.past_share(demand, capacity, np.array([False]), (1, 2, 4))[0]
    over = overload.past_share(demand, capacity, np.array([True]), (1, 2, 4))[0]
    assert free == pytest.approx([1 / 3, 2 / 3, 1.0], abs=0.01)
    assert over == pytest.approx([0.0, 0.0, 1.0], abs=0.02)


def test_events_need_half_of_the_window() -> None:
    spine = spines(frame({1: np.ones(20)}))[0]
    demand = np.array([[0, 12, np.nan, np.nan, np.nan, 3], [0, 5, np.nan, np.nan, np.nan, 3]], dtype=float)
    capacity = np.full(demand.shape, 10.0)
    happened, told = overload.events(spine, demand, capacity, np.array([0, 0]), (1, 4))
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
    assert eligibility.capacity_pairs(spines(data)[0]) == {0: 3}


def _pairs(over: bool) -> dict[str, object]:
    """Return eight wards; where not `over`, the source counts both together and demand never exceeds."""
    demand = {number: wave(300, 100.0, seed=number) for number in range(1, 9)}
    capacity = {
        number + 100: np.maximum(np.full(300, 110.0), 0 if over else demand[number]) for number in range(1, 9)
    }
    return {
        "columns": {**demand, **capacity}, "place_id": [*range(8), *range(8)], "unit": "beds",
        "measure": ["occupied"] * 8 + ["capacity"] * 8, "is_forecast": [True] * 8 + [False] * 8,
    }  # fmt: skip


def test_a_capacity_that_always_holds_its_demand_gets_no_alarm() -> None:
    data = frame(**_pairs(over=False))  # type: ignore[arg-type]
    grid = spines(data)[0].as_known(None)
    model = fitting.fit([grid], DEMO, 4000)
    assert model is not None
    maker = FeatureMaker(grid, DEMO.grains["day"], model.measures)
    demand, capacity = overload.pairs(maker, np.arange(8))
    said = overload.assess(model, maker, demand, capacity, grid.last[demand], 1)
    assert said.raw.max() > 0.2
    assert overload.probability(said, model.risk_weights["frame"]).max() < 0.05


def test_risks_of_a_weekly_wave_beat_both_references() -> None:
    """Demand crosses capacity with the weekday: a list of who is over now knows nothing of tomorrow."""
    test = origins.run(spines(frame(**_pairs(over=True))), DEMO)  # type: ignore[arg-type]
    event = np.concatenate([one.event for one in test.risks])
    loss = {
        name: np.mean((np.concatenate([one.probability[name] for one in test.risks]) - event) ** 2)
        for name in test.risks[0].probability
    }
    assert 0.1 < event.mean() < 0.95
    assert loss[origins.OURS] < loss[origins.PERSISTENCE]
    assert loss[origins.OURS] < loss[origins.PAST_SHARE]
