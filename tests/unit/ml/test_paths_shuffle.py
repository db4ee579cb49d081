"""Joint paths: the marginals stay what they were, and what used to be high together is high together."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import paths
from ml.panel import WHOLE_QUANTILES, Panel

pytestmark = pytest.mark.unit
COUNT = 200


def panel(y: np.ndarray, horizon: int = 4, frequency: str = "D") -> Panel:
    step = {"H": np.timedelta64(1, "h"), "D": np.timedelta64(1, "D"), "W": np.timedelta64(7, "D")}[frequency]
    times = np.datetime64("2022-01-01", "s") + np.arange(y.shape[1] + horizon) * step
    return Panel(frequency, tuple(f"s{row}" for row in range(len(y))), times, horizon, 0, y)


def normal(series: int, horizon: int, middle: float = 100.0, sd: float = 10.0) -> np.ndarray:
    levels = [middle + sd * NormalDist().inv_cdf(level) for level in WHOLE_QUANTILES]
    return np.tile(np.array(levels), (series, horizon, 1))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def test_places_and_leads_that_went_together_do_so_in_the_paths() -> None:
    rng = np.random.default_rng(1)
    shocks = rng.standard_normal((3, 600))
    shocks[1] = shocks[0] + 0.3 * rng.standard_normal(600)  # a neighbour; the third is a stranger
    walk = shocks.cumsum(axis=1)
    given_ = panel(100 + 3 * (walk - np.linspace(walk[:, :1], walk[:, -1:], 600, axis=1)[:, :, 0]))
    drawn = paths.shuffle(given_, normal(3, 4), WHOLE_QUANTILES, COUNT, 1)
    assert drawn.shape == (COUNT, 3, 4)
    assert drawn.dtype == np.float32
    assert correlation(drawn[:, 0, 3], drawn[:, 1, 3]) > 0.7
    assert abs(correlation(drawn[:, 0, 3], drawn[:, 2, 3])) < 0.4
    assert correlation(drawn[:, 0, 2], drawn[:, 0, 3]) > 0.6
    # The sum of the two that go together spreads wider than independence would have it.
    assert drawn[:, :2, 3].sum(axis=1).std() > 1.25 * np.sqrt(2) * drawn[:, 0, 3].std()


@given(st.integers(100, 260), st.integers(1, 3), st.integers(0, 5))
def test_the_marginals_stay_what_they_were(count: int, series: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    said = np.sort(rng.uniform(0, 50, (series, 2, len(WHOLE_QUANTILES))), axis=2)
    drawn = paths.shuffle(panel(rng.poisson(20, (series, 90)) * 1.0, 2), said, WHOLE_QUANTILES, count, seed)
    assert (drawn >= 0).all()
    inner = np.array(WHOLE_QUANTILES[2:-2])
    back = paths.quantiles_of_paths(drawn, tuple(inner))
    # Between two levels of the paths lies at most what lies between the neighbouring quantiles.
    step = np.diff(said, axis=2).max(axis=2, keepdims=True)
    assert (np.abs(back - said[:, :, 2:-2]) <= step + 1e-3).all()
    ordered = np.sort(drawn, axis=0)
    again = paths.shuffle(panel(rng.poisson(20, (series, 90)) * 1.0, 2), said, WHOLE_QUANTILES, count, seed)
    np.testing.assert_array_equal(ordered, np.sort(again, axis=0))


def test_a_normal_marginal_is_continued_as_one_beyond_its_outermost_quantiles() -> None:
    drawn = paths.shuffle(panel(np.ones((1, 5)), 1), normal(1, 1), WHOLE_QUANTILES, COUNT, 1)
    wanted = [100 + 10 * NormalDist().inv_cdf(float(level)) for level in paths.levels_of_paths(COUNT)]
    np.testing.assert_allclose(np.sort(drawn[:, 0, 0]), wanted, rtol=1e-5)


def test_the_same_seed_gives_the_same_paths_and_another_one_others() -> None:
    rng = np.random.default_rng(2)
    given_ = panel(rng.poisson(9, (2, 60)) * 1.0)
    first, again, other = (
        paths.shuffle(given_, normal(2, 4), WHOLE_QUANTILES, COUNT, seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("frequency", ["H", "D", "W"])
def test_gaps_constants_and_no_past_at_all_give_paths_without_nan(frequency: str) -> None:
    rng = np.random.default_rng(3)
    y = rng.poisson(9, (5, 400)) * 1.0
    y[0] = 4.0
    y[1, 100:] = np.nan
    y[2] = np.nan
    y[3, rng.random(400) < 0.5] = np.nan
    for given_ in (panel(y, 4, frequency), panel(y[:, :3], 4, frequency), panel(y[:, :0], 4, frequency)):
        drawn = paths.shuffle(given_, normal(5, 4), WHOLE_QUANTILES, COUNT, 1)
        assert np.isfinite(drawn).all()


def test_a_series_without_a_past_of_its_own_goes_with_the_others() -> None:
    rng = np.random.default_rng(4)
    common = rng.standard_normal(500)
    y = 100 + 10 * (common + 0.2 * rng.standard_normal((6, 500)))
    y[5] = np.nan
    drawn = paths.shuffle(panel(y), normal(6, 4), WHOLE_QUANTILES, COUNT, 1)
    assert correlation(drawn[:, 5, 1], drawn[:, 0, 1]) > 0.7


def test_series_beyond_one_chunk_are_ordered_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """The common errors are gathered over all chunks before the first is ordered."""
    rng = np.random.default_rng(5)
    y = 100 + 10 * (rng.standard_normal(300) + 0.1 * rng.standard_normal((6, 300)))
    monkeypatch.setattr(paths, "CHUNK", 2)
    drawn = paths.shuffle(panel(y), normal(6, 4), WHOLE_QUANTILES, COUNT, 1)
    assert correlation(drawn[:, 0, 0], drawn[:, 5, 0]) > 0.8


def test_too_few_paths_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        paths.shuffle(panel(np.ones((1, 9))), normal(1, 4), WHOLE_QUANTILES, 20, 1)
