"""Scores against tables worked by hand and against slow oracles written from the papers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import metrics

pytestmark = pytest.mark.unit
LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


def test_pinball_by_hand() -> None:
    # truth 10; quantile 0.1 said 8: 0.1 × 2 = 0.2; 0.5 said 11: 0.5 × 1; 0.9 said 14: 0.1 × 4 = 0.4
    found = metrics.pinball(np.array([10.0]), np.array([[8.0, 11.0, 14.0]]), (0.1, 0.5, 0.9))
    assert found.tolist() == [pytest.approx([0.2, 0.5, 0.4])]


def _interval_score_oracle(y: float, quantiles: list[float]) -> float:
    """Bracher et al. 2021, eq. 1 and 2, written out interval by interval."""
    middle = len(LEVELS) // 2
    total = 0.5 * abs(y - quantiles[middle])
    for number in range(middle):
        alpha = 2 * LEVELS[number]
        low, high = quantiles[number], quantiles[-1 - number]
        score = high - low
        if y < low:
            score += 2 / alpha * (low - y)
        if y > high:
            score += 2 / alpha * (y - high)
        total += alpha / 2 * score
    return total / (middle + 0.5)


@given(
    st.floats(-1e3, 1e3),
    st.lists(st.floats(-1e3, 1e3), min_size=len(LEVELS), max_size=len(LEVELS)).map(sorted),
)
def test_weighted_interval_score_is_bracher_s(y: float, quantiles: list[float]) -> None:
    found = metrics.weighted_interval_score(np.array([y]), np.array([quantiles]), LEVELS)
    assert found[0] == pytest.approx(_interval_score_oracle(y, quantiles), rel=1e-9, abs=1e-9)


def test_coverage_counts_both_edges() -> None:
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    said = np.tile([2.0, 2.5, 3.0], (4, 1))
    assert metrics.coverage(truth, said, (0.25, 0.5, 0.75), 0.5) == 0.5
    assert np.isnan(metrics.coverage(truth, said, (0.25, 0.5, 0.75), 0.95))


def test_mean_absolute_scaled_error_leaves_out_what_has_no_scale() -> None:
    truth, point = np.array([10.0, 20.0, 5.0]), np.array([12.0, 17.0, 5.0])
    found = metrics.mean_absolute_scaled_error(truth, point, np.array([4.0, 2.0, 0.0]))
    assert found == pytest.approx((2 / 4 + 3 / 2) / 2)


def test_brier_skill_by_hand() -> None:
    event, said, now = (
        np.array([1.0, 0.0, 1.0, 0.0]),
        np.array([0.8, 0.4, 0.6, 0.1]),
        np.array([1.0, 1.0, 0.0, 0.0]),
    )
    assert metrics.brier(said, event) == pytest.approx((0.04 + 0.16 + 0.16 + 0.01) / 4)
    assert metrics.brier_skill(said, now, event) == pytest.approx(1 - (0.37 / 4) / 0.5)


def test_skill_without_events_is_not_a_number() -> None:
    assert np.isnan(metrics.brier_skill(np.full(4, 0.1), np.full(4, 0.2), np.zeros(4)))


def test_poisson_floor_is_the_mean_distance_from_the_median() -> None:
    mean = np.array([0.0, 0.3, 1.0, 7.5, 7.5, 60.0])
    found = metrics.poisson_absolute_error(mean)
    # summed over the counts themselves, up to where nothing is left
    for value, said in zip(mean, found, strict=True):
        chance = np.array([np.exp(-value + k * np.log(value) - math.lgamma(k + 1)) if value else float(k == 0)
                           for k in range(200)])  # fmt: skip
        middle = int(np.argmax(np.cumsum(chance) >= 0.5 - 1e-12))
        assert said == pytest.approx(float((np.abs(np.arange(200) - middle) * chance).sum()))
    assert found[-1] == pytest.approx(0.8 * np.sqrt(60), rel=0.01)


def test_truth_that_ties_with_quantiles_is_shared_out() -> None:
    # three levels, so bins of width .25; truth below all; between the first two; on the middle one; on all
    below, reached = np.array([0, 1, 1, 0]), np.array([0, 1, 2, 3])
    found = metrics.mass_between_quantiles(below, reached, (0.25, 0.5, 0.75))
    # on the middle one: halves to both sides; on all: 1/6, 1/3, 1/3, 1/6
    assert found == pytest.approx([1 + 1 / 6, 1 + 1 / 2 + 1 / 3, 1 / 2 + 1 / 3, 1 / 6])
    assert found.sum() == pytest.approx(4)


def test_geometric_mean_leaves_out_what_has_no_ratio() -> None:
    ratios = np.array([[[1.0], [4.0], [np.nan]], [[0.25], [1.0], [0.0]], [[np.nan], [np.nan], [np.nan]]])
    found = metrics.geometric_mean_of_ratios(ratios)[:, 0]
    assert found[:2] == pytest.approx([2.0, 0.5])
    assert np.isnan(found[2])
