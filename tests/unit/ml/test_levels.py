"""Levels rise at once and fall late; overload means what the source's own values allow it to mean."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import levels
from ml.levels import OVER_CAPACITY, UNDER_RESERVE, Hysteresis, State

pytestmark = pytest.mark.unit
RULE = Hysteresis()


def walk(probabilities: Iterable[float], rule: Hysteresis, state: State | None = None) -> list[int]:
    """Return the level after each run."""
    now, found = state or State(), []
    for probability in probabilities:
        now = levels.step(now, float(probability), rule)
        found.append(now.level)
    return found


def test_a_level_rises_at_once_and_falls_after_three_runs_below() -> None:
    said = [0.05, 0.7, 0.45, 0.45, 0.45, 0.2, 0.2, 0.2, 0.05, 0.05, 0.05]
    assert walk(said, RULE) == [1, 4, 4, 4, 3, 3, 3, 2, 2, 2, 1]


def test_a_value_between_the_thresholds_holds_and_starts_the_count_anew() -> None:
    assert walk([0.7, 0.4, 0.4, 0.55, 0.4, 0.4, 0.4], RULE) == [4, 4, 4, 4, 4, 4, 3]
    # Not yet reached, it is not held either.
    assert walk([0.55, 0.6], RULE) == [3, 3]


def test_from_nothing_to_nothing_falls_all_the_way() -> None:
    assert walk([0.9, 0.0, 0.0, 0.0], RULE) == [4, 4, 4, 1]


def test_a_run_without_a_probability_changes_nothing() -> None:
    assert walk([0.9, 0.0, np.nan, 0.0, np.nan, 0.0], RULE) == [4, 4, 4, 4, 4, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(1, 4))
def test_no_level_is_lower_than_its_threshold_and_none_falls_early(said: list[float], runs: int) -> None:
    rule = Hysteresis(runs=runs)
    found = walk(said, rule)
    for at, (probability, level) in enumerate(zip(said, found, strict=True)):
        assert level >= 1 + sum(probability >= high for high in rule.up)
        if at and level < found[at - 1]:
            for left in range(level, found[at - 1]):
                window = said[max(0, at - runs + 1) : at + 1]
                assert len(window) == runs
                assert max(window) < rule.down[left - 1]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40), st.integers(0, 39))
def test_a_walk_may_be_broken_off_and_taken_up_again(said: list[float], cut: int) -> None:
    cut = min(cut, len(said) - 1)
    state = State()
    for probability in said[:cut]:
        state = levels.step(state, probability, RULE)
    assert walk(said[cut:], RULE, state) == walk(said, RULE)[cut:]


def test_noise_around_a_threshold_flickers_far_less() -> None:
    said = np.clip(0.35 + np.random.default_rng(1).normal(0, 0.04, 400), 0, 1)
    plain = (said >= 0.35).astype(int)
    held = np.array(walk(said, RULE))
    assert (np.diff(plain) != 0).sum() > 100
    assert (np.diff(held) != 0).sum() <= 4


@pytest.mark.parametrize(
    "thresholds",
    [
        {"up": (0.3, 0.2, 0.6)}, {"down": (0.2, 0.3, 0.5)}, {"runs": 0}, {"up": (0.15, 0.35, 1.2)},
        {"down": (0.0, 0.2, 0.5)},
    ],
)  # fmt: skip
def test_thresholds_that_contradict_each_other_are_refused(thresholds: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="thresholds must ascend"):
        Hysteresis(**thresholds)  # type: ignore[arg-type]


def _occupied(rows: int = 8, periods: int = 200, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.round(80 + np.cumsum(rng.normal(0, 1.5, (rows, periods)), axis=1).clip(-30, 30))


def test_occupied_plus_free_means_a_reserve() -> None:
    occupied = _occupied()
    free = np.random.default_rng(2).integers(0, 20, occupied.shape[0])[:, None] + np.round(
        np.random.default_rng(3).normal(8, 1, occupied.shape)
    )
    found = levels.definition(occupied, occupied + free.clip(0))
    assert (found.name, found.reserve) == (UNDER_RESERVE, 0.1)
    assert "moves with what is occupied" in found.reason


@pytest.mark.parametrize(
    ("capacity", "words"),
    [
        # Fixed and ample; moving for reasons of its own; exceeded once.
        (np.full((8, 200), 150.0), "does not move with"),
        (150 + np.round(np.random.default_rng(4).normal(0, 3, (8, 200))), "does not move with"),
        (np.where(np.arange(200) == 77, 20.0, _occupied() + 9), "values were over capacity"),
    ],
)
def test_a_capacity_of_its_own_can_be_exceeded(capacity: np.ndarray, words: str) -> None:
    found = levels.definition(_occupied(), capacity)
    assert (found.name, found.reserve) == (OVER_CAPACITY, 0.0)
    assert words in found.reason


def test_few_values_do_not_tell() -> None:
    occupied = _occupied(1, 40)
    found = levels.definition(occupied, occupied + 5)
    assert found.name == OVER_CAPACITY
    assert "40 values are too few" in found.reason


def test_overload_by_hand_under_either_definition() -> None:
    occupied = np.array([89.0, 90.0, 91.0, 101.0, np.nan, 1.0, 0.0])
    capacity = np.array([100.0, 100.0, 100.0, 100.0, 100.0, 0.0, 0.0])
    reserve = levels.Definition(UNDER_RESERVE, 0.1, "")
    plain = levels.Definition(OVER_CAPACITY, 0.0, "")
    expected = {reserve: [0, 0, 1, 1, np.nan, 1, 0], plain: [0, 0, 0, 1, np.nan, 1, 0]}
    for rule, over in expected.items():
        assert np.array_equal(levels.is_over(occupied, capacity, rule), over, equal_nan=True)


def test_a_verification_tells_its_skill_and_refuses_a_diagram_of_few_events() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(2000)
    event = (rng.random(2000) < truth).astype(float)
    found = levels.verify(truth, event, {"half": np.full(2000, 0.5)})
    # Of uniform probabilities the Brier score is 1/6, that of one half 1/4.
    assert found["brier_skill_vs_half"] == pytest.approx(1 / 3, abs=0.04)
    assert found["refused"] is None
    few = levels.verify(truth[:60], np.append(np.ones(49), np.zeros(11)), {"half": np.full(60, 0.5)})
    assert few["reliability"] is None
    assert "49 events" in str(few["refused"])
    none = levels.verify(truth, np.zeros(2000), {"half": np.full(2000, 0.5)})
    assert none["brier_skill_vs_half"] is None
