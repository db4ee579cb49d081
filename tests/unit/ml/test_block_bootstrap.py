"""The interval of a mean over cutoffs: by hand, by chance, and where there is too little for one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from ml import bootstrap
from ml.bootstrap import estimate
from tests.unit.ml.duels import duel

pytestmark = pytest.mark.unit


def test_the_value_is_a_ratio_of_sums_over_the_cells_that_are_known() -> None:
    top, bottom = np.array([1.0, 2.0, np.nan, 3.0]), np.array([2.0, 2.0, 5.0, 4.0])
    found = estimate(top, bottom, np.array([0, 0, 1, 2]), 1)
    assert (found.value, found.cells, found.cutoffs) == (pytest.approx(6 / 8), 3, 2)
    assert (found.low, found.high) == (None, None)
    assert estimate(top, np.zeros(4), np.zeros(4, int), 1).value is None


def test_with_few_blocks_it_is_the_interval_of_student_over_means_of_blocks() -> None:
    """Blocks without likeness: t(q - 1) s / sqrt(q), but that blocks overlap and are drawn by chance."""
    ratios = []
    for seed in range(200):
        x = np.random.default_rng(seed).normal(0, 1, 60)
        found = estimate(x, np.ones(60), np.arange(60), 12)
        assert found.low is not None
        assert found.high is not None
        means = x.reshape(5, 12).mean(axis=1)
        ratios.append((found.high - found.low) / 2 / (t.ppf(0.975, 4) * means.std(ddof=1) / np.sqrt(5)))
    assert np.median(ratios) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("cutoffs", "block", "there"),
    [(29, 1, False), (30, 1, True), (30, 15, True), (30, 16, False), (90, 52, False), (104, 52, True)],
)
def test_there_is_no_interval_of_too_few_cutoffs_or_blocks(cutoffs: int, block: int, there: bool) -> None:
    x = np.random.default_rng(1).normal(0, 1, cutoffs)
    found = estimate(x, np.ones(cutoffs), np.arange(cutoffs), block)
    assert found.value == pytest.approx(x.mean())
    assert (found.high is not None) is there
    assert bootstrap.is_enough(cutoffs, block) is there
    if not there:
        assert (found.is_above, found.is_below) == (-np.inf, np.inf)


def test_more_cells_of_the_same_cutoffs_make_nothing_surer() -> None:
    x, cutoff = np.random.default_rng(2).normal(0, 1, 40), np.arange(40)
    once = estimate(x, np.ones(40), cutoff, 3)
    often = estimate(np.repeat(x, 25), np.ones(1000), np.repeat(cutoff, 25), 3)
    assert (often.low, often.high) == (pytest.approx(once.low), pytest.approx(once.high))


def test_numbers_of_cutoffs_tell_their_order_only_and_the_order_of_cells_tells_nothing() -> None:
    x = np.random.default_rng(3).normal(0, 1, 40)
    mixed = np.random.default_rng(4).permutation(40)
    plain = estimate(x, np.ones(40), np.arange(40), 3)
    assert estimate(x[mixed], np.ones(40), (7 * np.arange(40) + 100)[mixed], 3) == plain


def test_what_is_the_same_everywhere_is_certain() -> None:
    found = estimate(np.zeros(40), np.ones(40), np.arange(40), 1)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def _below_by_chance(seeds: int) -> int:
    """Return how often a difference that is none lies below 0."""
    found = 0
    for seed in range(seeds):
        one = duel(seed, cutoffs=45, alike=0.6)
        found += estimate(one.ours - one.theirs, np.ones(len(one.ours)), one.cutoff, 1).is_below < 0
    return found


def test_the_plain_block_bootstrap_would_promote_too_many_and_what_is_added_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _below_by_chance(200) <= 10
    monkeypatch.setattr(bootstrap, "MOST_BLOCKS", 1_000)
    monkeypatch.setattr(bootstrap, "_stretch", lambda blocks, level: 1.0)
    assert _below_by_chance(200) > 20
