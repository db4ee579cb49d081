"""The parts of the census beside tables worked by hand and other implementations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from ml.census.counts import poisson_binomial, quantiles_of, survivors_and_arrivals
from ml.census.lengths import hazard_of, kaplan_meier
from ml.census.stays import OPEN, Stays

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("seed", range(5))
def test_the_census_is_conserved(seed: int) -> None:
    rng = np.random.default_rng(seed)
    begin = rng.integers(0, 50, 400)
    end = np.where(rng.uniform(size=400) < 0.2, OPEN, begin + rng.integers(0, 9, 400))
    of, moments = Stays(np.full(400, "w"), begin, end), np.arange(-1, 70)
    census = of.census(moments)
    begun = np.array([((begin > t - 1) & (begin <= t)).sum() for t in moments])
    ended = np.array([((end > t - 1) & (end <= t)).sum() for t in moments])
    assert (census[1:] == census[:-1] + begun[1:] - ended[1:]).all()
    assert (census == [((begin <= t) & (end > t)).sum() for t in moments]).all()
    assert census[0] == 0
    assert census[-1] == (end == OPEN).sum()


def test_kaplan_meier_beside_a_table_by_hand() -> None:
    # Two leave at 3, one of six still there at 3 counts as at risk then; the two at 8 are still there.
    lengths = np.array([3.0, 3.0, 3.0, 5.0, 8.0, 8.0])
    left = np.array([True, True, False, True, False, False])
    ages, leaving = kaplan_meier(lengths, left, np.full(6, -1.0), np.ones(6))
    assert ages.tolist() == [3.0, 5.0]
    np.testing.assert_allclose(leaving, [2 / 6, 1 / 3])
    np.testing.assert_allclose(np.cumprod(1 - leaving), [2 / 3, 4 / 9])
    # The first came under observation at a length of 4: nobody knows of those like him who left before.
    ages, leaving = kaplan_meier(
        np.array([6.0, 3.0, 6.0]), np.full(3, True), np.array([4.0, -1, -1]), np.ones(3)
    )
    np.testing.assert_allclose(leaving, [1 / 2, 1.0])
    # A stay that counts twice is two stays.
    ages, leaving = kaplan_meier(lengths[2:], left[2:], np.full(4, -1.0), np.array([1.0, 2.0, 1.0, 1.0]))
    np.testing.assert_allclose(leaving, [2 / 4])


@pytest.mark.parametrize("seed", range(4))
def test_kaplan_meier_beside_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths, left = rng.integers(0, 30, 300).astype(float), rng.uniform(size=300) < 0.7
    ages, leaving = kaplan_meier(lengths, left, np.full(300, -1.0), np.ones(300))
    other = stats.ecdf(stats.CensoredData(uncensored=lengths[left], right=lengths[~left])).sf
    np.testing.assert_allclose(np.cumprod(1 - leaving), other.evaluate(ages), atol=1e-12)


def test_the_hazard_follows_kaplan_meier_and_ends_in_a_constant_rate() -> None:
    rng = np.random.default_rng(1)
    lengths, left = rng.exponential(40, 5000), rng.uniform(size=5000) < 0.8
    hazard = hazard_of(lengths, left, np.full(5000, -1.0), np.ones(5000))
    ages, leaving = kaplan_meier(lengths, left, np.full(5000, -1.0), np.ones(5000))
    body = ages <= hazard.tail
    np.testing.assert_allclose(np.exp(-hazard.at(ages[body])), np.cumprod(1 - leaving)[body], rtol=1e-9)
    assert (left & (lengths > hazard.tail)).sum() == 20
    step = hazard.at(hazard.tail + np.array([0.0, 10, 1000, 1010]))
    assert step[1] - step[0] == pytest.approx(step[3] - step[2])
    # Departures beyond, over the hours that all together stayed beyond.
    beyond = np.maximum(lengths - hazard.tail, 0).sum()
    assert hazard.rate == pytest.approx(20 / beyond)


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_poisson_binomial_beside_every_outcome(count: int) -> None:
    chances = np.random.default_rng(count).uniform(size=count)
    chances[:1] = 0.0
    expected = np.zeros(count + 1)
    for outcome in itertools.product((0, 1), repeat=count):
        happens = np.array(outcome, dtype=bool)
        expected[happens.sum()] += np.prod(np.where(happens, chances, 1 - chances))
    np.testing.assert_allclose(poisson_binomial(chances), expected, atol=1e-14)


def test_poisson_binomial_beside_scipy() -> None:
    chances = np.random.default_rng(3).beta(0.5, 0.5, 300)
    other = stats.poisson_binom(chances).pmf(np.arange(301))
    np.testing.assert_allclose(poisson_binomial(chances), other, atol=1e-13)


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 0.1), (7.3, 0.0), (7.3, 0.2), (150.0, 0.05), (0.4, 2.0)])
def test_survivors_and_arrivals_beside_a_plain_convolution(mean: float, spread: float) -> None:
    chances = np.random.default_rng(5).uniform(size=40)
    made = survivors_and_arrivals(chances, mean, spread)
    at = np.arange(len(made))
    came = stats.nbinom(1 / spread, 1 / (1 + spread * mean)) if spread * mean else stats.poisson(mean)
    plain = np.convolve(poisson_binomial(chances), came.pmf(at))[: len(made)]
    # What lies beyond the counts told apart wraps around.
    np.testing.assert_allclose(made, plain, atol=1e-8)
    levels = (0.01, 0.25, 0.5, 0.975)
    assert quantiles_of(made, levels).tolist() == [int((plain.cumsum() < one).sum()) for one in levels]
