"""Scores of joint paths: by hand, against slow oracles, and on paths whose dependence is known."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from ml import metrics
from ml.evaluation import joint
from ml.evaluation.reading import read
from tests.unit.ml.evaluation import tables

pytestmark = pytest.mark.unit

LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)
PATHS, STEPS, NAMES = 200, 7, ("east", "west")


def test_energy_score_by_hand() -> None:
    # truth (0, 0); paths (3, 4) and (0, 0): distances 5 and 0, their own 5: 2.5 - 5/2
    assert metrics.energy_score(np.zeros(2), np.array([[3.0, 4.0], [0, 0]])) == pytest.approx(0.0)
    # in one dimension it is the fair CRPS: mean |x - y| - mean over pairs |x - x'| / 2
    assert metrics.energy_score(np.array([1.0]), np.array([[0.0], [2.0], [6.0]])) == pytest.approx(
        (1 + 1 + 5) / 3 - (2 + 6 + 4) / 3 / 2
    )


def test_variogram_score_by_hand() -> None:
    # truth (0, 4): |0 - 4|^0.5 = 2; paths apart by 1 and 9: mean 2; and by 0 and 1: mean 0.5
    assert metrics.variogram_score(np.array([0.0, 4]), np.array([[0.0, 1], [0, 9]])) == pytest.approx(0)
    assert metrics.variogram_score(np.array([0.0, 4]), np.array([[5.0, 5], [0, 1]])) == pytest.approx(2.25)
    assert np.isnan(metrics.variogram_score(np.zeros(1), np.zeros((3, 1))))


@given(
    numbers.arrays(float, (6, 3), elements=st.floats(-100, 100)),
    numbers.arrays(float, 3, elements=st.floats(-100, 100)),
)
def test_energy_score_is_the_slow_one(paths: np.ndarray, truth: np.ndarray) -> None:
    to_truth = np.mean([np.linalg.norm(path - truth) for path in paths])
    apart = np.mean([np.linalg.norm(one - two) for one, two in itertools.combinations(paths, 2)])
    assert metrics.energy_score(truth, paths) == pytest.approx(to_truth - apart / 2, abs=1e-9)


def made(together: bool) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return forecasts, paths, truth and capacity of a walk common to two places, over 30 cutoffs.

    The paths have the right marginals in either case; their steps and places hang together or do not.
    """
    random = np.random.default_rng(3)
    cutoffs = [tables.CUTOFF + number * 20 * tables.DAY for number in range(30)]
    spread = np.sqrt(np.arange(1, STEPS + 1))
    rows, drawn, known, held = [], [], [], []
    for cutoff in cutoffs:
        truth = 50 + np.cumsum(random.normal(size=STEPS))
        walk = 50 + np.cumsum(random.normal(size=(PATHS, STEPS)), axis=1)
        for name in NAMES:
            if not together:
                walk = 50 + random.normal(size=(PATHS, STEPS)) * spread
            known.append(tables.truth({(name, step + 1): truth[step] for step in range(STEPS)}, cutoff))
            cells = {
                (name, step + 1): tuple(50 + spread[step] * np.array([-1.96, -0.674, 0, 0.674, 1.96]))
                for step in range(STEPS)
            }
            rows.append(tables.forecasts({"m": (LEVELS, cells)}, cutoff))
            drawn += [
                (cutoff, "m", path, name, cutoff + (step + 1) * tables.DAY, walk[path, step])
                for path in range(PATHS) for step in range(STEPS)
            ]  # fmt: skip
            held.append((name, cutoff, 52.0))
    paths = pl.DataFrame(drawn, schema=list(joint.COLUMNS), orient="row")
    capacity = pl.DataFrame(held, schema=["unique_id", "cutoff", "capacity"], orient="row")
    return pl.concat(rows), paths, pl.concat(known), capacity


@pytest.fixture(scope="module", params=[True, False], ids=["together", "apart"])
def scored(request: pytest.FixtureRequest) -> tuple[bool, joint.Joint]:
    rows, paths, truth, capacity = made(request.param)
    return request.param, joint.score(paths, read(rows, truth, None, capacity), "D")


def test_dependence_is_worth_something_where_it_is_there(scored: tuple[bool, joint.Joint]) -> None:
    together, found = scored
    ratio = {(row["over"], row["score"]): row["ratio"] for row in found.scores.iter_rows(named=True)}
    assert set(ratio) == set(itertools.product((joint.STEPS, joint.PLACES), ("energy", "variogram")))
    if together:
        assert max(ratio.values()) < 1
        # two places that move as one: their difference is 0, which the shuffled paths never say
        assert ratio[joint.PLACES, "variogram"] < 0.2
    else:
        assert min(ratio.values()) > 0.9


def test_any_step_over_capacity_is_told_better_by_paths(scored: tuple[bool, joint.Joint]) -> None:
    together, found = scored
    of = {row["within"]: row for row in found.events.iter_rows(named=True)}
    assert set(of) == {1, 7}
    # one step ahead there is nothing to hang together
    assert of[1]["brier"] == pytest.approx(of[1]["brier_marginal"])
    assert of[7]["n"] == 30 * len(NAMES)
    if together:
        assert of[7]["said"] < of[7]["said_marginal"]
        assert of[7]["skill"] > 0
    else:
        assert of[7]["said"] == pytest.approx(of[7]["said_marginal"], abs=0.05)


def test_an_event_is_judged_on_the_steps_that_are_known() -> None:
    # of four paths two are over at some step, each step by itself in one
    drawn = np.array([[[1.0, 3.0]], [[3.0, 1.0]], [[1.0, 1.0]], [[1.0, 1.0]]])
    capacity = np.array([2.0])
    for truth, said, alone, event in (
        ([[1.0, 1.0]], 0.5, 1 - 0.75**2, 0), ([[3.0, 1.0]], 0.5, 1 - 0.75**2, 1),
        # half of the steps: whether seen or not, the other step counts for nobody
        ([[3.0, np.nan]], 0.25, 0.25, 1), ([[1.0, np.nan]], 0.25, 0.25, 0),
    ):  # fmt: skip
        found = joint._event(drawn, np.array(truth), capacity, 2)
        assert [one.tolist() for one in found[:3]] == [[said], [pytest.approx(alone)], [event]]
    assert [len(one) for one in joint._event(drawn, np.full((1, 2), np.nan), capacity, 2)] == [0] * 4
    assert [len(one) for one in joint._event(drawn, np.ones((1, 2)), np.array([np.nan]), 2)] == [0] * 4
    gone = drawn.copy()
    gone[0, 0, 1] = np.nan
    assert [len(one) for one in joint._event(gone, np.ones((1, 2)), capacity, 2)] == [0] * 4
    assert [len(one) for one in joint._event(gone, np.array([[1.0, np.nan]]), capacity, 2)] == [1] * 4


def test_an_event_without_any_case_says_so() -> None:
    rows, paths, truth, capacity = made(True)
    late = truth.filter(pl.col("ds") == pl.col("ds").min().over("unique_id"))
    found = joint.score(paths, read(rows, late, None, capacity), "D").events
    row = found.filter(pl.col("within") == 7).row(0, named=True)
    assert (row["n"], row["brier"]) == (0, None)
    assert "half of its steps known" in row["reason"]
    assert joint.score(paths, read(rows, truth), "D").events.is_empty()


def test_paths_that_miss_what_they_promise_are_told() -> None:
    rows, paths, truth, capacity = made(True)
    total = paths.filter(pl.col("unique_id") == "west").with_columns(
        unique_id=pl.lit("both"), value=2 * pl.col("value")
    )
    whole = rows.filter(pl.col("unique_id") == "west").with_columns(
        unique_id=pl.lit("both"), value=2 * pl.col("value")
    )
    seen = truth.filter(pl.col("unique_id") == "west").with_columns(
        unique_id=pl.lit("both"), y=2 * pl.col("y")
    )
    cells = read(pl.concat([rows, whole]), pl.concat([truth, seen]), None, capacity)
    parts = {"both": list(NAMES)}

    def checks(given: pl.DataFrame) -> dict[str, float]:
        return dict(joint.score(given, cells, "D", parts).checks.select("check", "value").iter_rows())

    good = checks(pl.concat([paths, total]))
    adds_up = next(name for name in good if name.startswith("largest difference"))
    assert good[adds_up] < 1e-12
    assert good["fewest paths of a cutoff"] == PATHS
    assert [good[name] for name in good if name.startswith(("forecast cells", "cells with", "values"))] == [
        0
    ] * 3
    broken = checks(
        pl.concat([paths.filter(pl.col("unique_id") == "west"), total.with_columns(pl.col("value") - 200)])
    )
    assert broken["forecast cells without any path"] == 30 * STEPS
    assert broken["values below 0"] == 30 * STEPS * PATHS
    # half of the cutoffs have no paths
    some = paths.filter(pl.col("cutoff") < pl.lit(tables.CUTOFF + 15 * 20 * tables.DAY))
    assert checks(some)["forecast cells without any path"] == 15 * STEPS * 3 + 15 * STEPS
    shifted = checks(pl.concat([paths, total.with_columns(pl.col("value") + 1)]))
    # one unit too many, of which the smallest total makes the largest share
    assert shifted[adds_up] == pytest.approx(1 / (total["value"].min() + 1))
