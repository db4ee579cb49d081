"""Drift by hand and by chance: what has moved is told, and what only differs by the draw is not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from ml import drift
from ml.drift import Decay, Shift

pytestmark = pytest.mark.unit


def test_the_index_by_hand() -> None:
    """Half and half, then a quarter and three: (-0.25) ln(1/2) + 0.25 ln(3/2), but for half a row per bin."""
    known = drift.reference("sex", ["f", "m"] * 50_000)
    now = drift.shift(known, ["f"] * 25_000 + ["m"] * 75_000)
    assert now.index == pytest.approx(0.25 * np.log(2) + 0.25 * np.log(1.5), abs=1e-3)
    assert now.is_major


def test_bins_come_from_the_training_sample_and_hold_a_tenth_each() -> None:
    known = drift.reference("age", np.random.default_rng(1).lognormal(0, 1, 5000))
    assert known.shares[:10] == pytest.approx([0.1] * 10, abs=0.001)
    assert known.shares[10] == 0.0
    assert len(known.edges) == 9


def test_the_same_kind_of_sample_is_no_drift_and_a_shifted_one_is() -> None:
    rng = np.random.default_rng(2)
    known = drift.reference("beds", rng.normal(0, 1, 4000))
    same = [drift.shift(known, rng.normal(0, 1, 600)).index for _ in range(200)]
    assert max(one for one in same if one is not None) < drift.MODERATE
    # By chance alone: (bins - 1)(1 / n + 1 / m).
    expected = 9 * (1 / 600 + 1 / 4000)
    assert np.mean([one for one in same if one is not None]) == pytest.approx(expected, rel=0.25)
    assert drift.shift(known, rng.normal(0.8, 1, 600)).is_major


def test_missing_and_new_values_are_drift_too() -> None:
    rng = np.random.default_rng(3)
    known = drift.reference("beds", rng.normal(0, 1, 2000))
    gone = rng.normal(0, 1, 1000)
    gone[:300] = np.nan
    assert drift.shift(known, gone).is_major
    wards = drift.reference("ward", ["a", "b"] * 500)
    assert drift.shift(wards, ["a", "b", "c"] * 300).is_major
    assert drift.shift(wards, ["a", "b", None, "b", "a"] * 200).is_major
    assert not drift.shift(wards, ["a", "b"] * 400).is_major


@pytest.mark.parametrize("values", [np.full(1000, 5.0), np.full(1000, np.nan), [None] * 1000])
def test_a_constant_or_silent_feature_does_not_move_by_itself(values: Any) -> None:
    known = drift.reference("x", values)
    found = drift.shift(known, values)
    assert found.index == pytest.approx(0.0, abs=1e-9)


def test_a_small_sample_is_not_judged() -> None:
    known = drift.reference("x", np.arange(1000.0))
    assert drift.shift(known, np.zeros(499)).index is None
    assert "499 present rows, 500 are needed" in drift.shift(known, np.zeros(499)).reason
    few = drift.reference("x", np.arange(100.0))
    assert "100 training rows" in drift.shift(few, np.zeros(900)).reason


def test_a_reference_survives_being_kept_as_json() -> None:
    both = [drift.reference("x", np.arange(1000.0)), drift.reference("ward", ["a", None, "b"] * 300)]
    assert drift.from_json(json.loads(json.dumps(drift.as_json(both)))) == both


def _loss(level: float, origins: int = 20, cells: int = 50, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    of_origin = rng.gamma(8, level / 8, origins)
    return (of_origin[:, None] * rng.gamma(4, 0.25, (origins, cells))).ravel(), np.repeat(
        np.arange(origins), cells
    )


def test_decay_is_told_beyond_chance_only() -> None:
    as_before = [drift.decay(*_loss(1.0, seed=seed), 1.0).is_decayed for seed in range(100)]
    assert sum(as_before) <= 3
    worse = [drift.decay(*_loss(2.0, seed=seed), 1.0) for seed in range(20)]
    assert all(one.is_decayed for one in worse)
    assert np.mean([one.ratio for one in worse if one.ratio]) == pytest.approx(2.0, abs=0.2)


def test_neighbouring_origins_that_go_badly_together_are_not_many_proofs() -> None:
    """Losses that are alike from one origin to the next: as many stretches as before are hard by chance."""
    found = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        hard = np.zeros(20)
        for at in range(20):
            hard[at] = (0.7 * hard[at - 1] if at else 0.0) + rng.normal(0, 0.25)
        loss = (np.exp(hard - hard.var() / 2)[:, None] * rng.gamma(4, 0.25, (20, 50))).ravel()
        found += drift.decay(loss, np.repeat(np.arange(20), 50), 1.0).is_decayed
    assert found <= 5


def test_only_the_newest_origins_count() -> None:
    old, origin = _loss(1.0, origins=40)
    new, _ = _loss(3.0, origins=20)
    loss, when = np.concatenate([old, new]), np.concatenate([origin, 40 + np.repeat(np.arange(20), 50)])
    found = drift.decay(loss, when, 1.0, newest=20)
    assert (found.origins, found.cells) == (20, 1000)
    assert found.ratio == pytest.approx(new.mean())


@pytest.mark.parametrize(
    ("origins", "cells", "backtest", "words"),
    [
        (9, 100, 1.0, "900 forecasts of 9 origins"),
        (20, 10, 1.0, "200 forecasts of 20"),
        (20, 50, 0.0, "no loss"),
    ],
)
def test_too_little_that_came_true_is_not_judged(
    origins: int, cells: int, backtest: float, words: str
) -> None:
    found = drift.decay(*_loss(5.0, origins, cells), backtest)
    assert (found.ratio, found.is_decayed) == (None, False)
    assert words in found.reason


@pytest.mark.parametrize(
    ("shifts", "decays", "words"),
    [
        ([Shift("x", 0.2, 900)], {"day": Decay(1.3, 1.05, 900, 20)}, None),
        ([Shift("x", 0.3, 900), Shift("y", 0.9, 900)], {}, "y 0.90, x 0.30"),
        (
            [Shift("x", 0.3, 900)],
            {"day": Decay(1.5, 1.2, 900, 20)},
            "decay: the interval score per day is 1.50",
        ),
        ([Shift("x", None, 3, "3 present rows")], {}, None),
        ([Shift("x", 1.2, 900, "", 0.5)], {}, None),
        ([Shift("x", 1.3, 900, "", 0.5)], {}, "x 1.30 (until then 0.50 at most)"),
    ],
)
def test_one_rule_says_why_a_training_is_due(
    shifts: list[Shift], decays: dict[str, Decay], words: str | None
) -> None:
    said = drift.why(shifts, decays)
    assert said is None if words is None else words in str(said)
