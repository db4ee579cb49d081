"""The libraries' models behind our two entry points: their own numbers, complete series, and reasons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.backtest import classical, peer
from ml.panel import WHOLE_QUANTILES, Panel
from tests.unit.ml.backtest.toys import STEP

pytestmark = pytest.mark.unit
NAN = float("nan")


def panel(frequency: str, y: np.ndarray, horizon: int) -> Panel:
    times = np.datetime64("2023-01-02", "s") + np.arange(y.shape[1] + horizon) * STEP[frequency]
    return Panel(frequency, tuple(f"s{row}" for row in range(len(y))), times, horizon, 0, y)


def season(periods: int, series: int = 1, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 20 + 5 * np.sin(2 * np.pi * np.arange(periods) / 7) + rng.normal(0, 1, (series, periods))


def test_the_recent_values_are_complete_and_a_late_end_is_counted() -> None:
    values, gap = classical.last_complete(np.array([NAN, 2, NAN, NAN, 8, 9, NAN, NAN]), "W")
    np.testing.assert_allclose(values, [2, 4, 6, 8, 9])
    assert gap == 2
    values, gap = classical.last_complete(np.arange(3000.0), "H")
    assert len(values) == 8 * 7 * 24
    assert values[-1] == 2999
    assert classical.last_complete(np.full(4, NAN), "D")[1] == 4


@given(st.lists(st.integers(1, 199), min_size=1, max_size=8, unique=True))
def test_a_quantile_is_the_bound_of_its_central_interval(numbers: list[int]) -> None:
    quantiles = tuple(sorted(number / 200 for number in numbers))
    said = {"mean": [0.0]}
    for level in classical.levels_of(quantiles):
        said |= {f"lo-{level}": [-float(level)], f"hi-{level}": [float(level)]}
    made = classical.from_levels(said, quantiles)[0]
    np.testing.assert_allclose(made, [(2 * level - 1) * 100 for level in quantiles], atol=1e-6)


def test_the_hubs_levels_are_eleven_intervals() -> None:
    assert classical.levels_of(WHOLE_QUANTILES) == [10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98]


@pytest.mark.parametrize("kind", ["AutoETS", "AutoTheta"])
def test_the_numbers_are_the_librarys_own(kind: str) -> None:
    models = pytest.importorskip("statsforecast.models")
    y = season(140)
    late = y.copy()
    late[0, -2:] = NAN
    model = classical.StatsForecast("it", kind)
    for given_, shift in ((panel("D", y, 5), 0), (panel("D", late, 5), 2)):
        said = model.fit(given_).predict(given_, (0.025, 0.5, 0.975))[0]
        library = getattr(models, kind)(season_length=7)
        wanted = library.forecast(y=y[0, : 140 - shift], h=5 + shift, level=[95])
        np.testing.assert_array_equal(said[:, 0], np.maximum(wanted["lo-95"][shift:], 0))
        np.testing.assert_array_equal(said[:, 1], wanted["mean"][shift:])
        np.testing.assert_array_equal(said[:, 2], wanted["hi-95"][shift:])


def test_one_series_that_cannot_be_done_leaves_the_others_alone() -> None:
    pytest.importorskip("statsforecast")
    y = season(80, series=5)
    y[1, :77] = NAN  # three points
    y[2, 40:] = NAN  # ended long ago
    y[3] = 4.0  # constant
    y[4, ::2] = 0.0
    given_ = panel("D", y, 3)
    model = classical.auto_theta()
    said = model.fit(given_).predict(given_, WHOLE_QUANTILES)
    assert np.isfinite(said[[0, 3, 4]]).all()
    assert np.isnan(said[[1, 2]]).all()
    assert model.reasons["s1"].startswith("fewer than 5 values")
    assert "ended 40 periods before" in model.reasons["s2"]
    assert (said[[0, 3, 4]] >= 0).all()
    assert (np.diff(said[[0, 3, 4]], axis=2) >= 0).all()


def test_the_answers_to_the_same_panel_are_kept_and_to_another_made_anew() -> None:
    pytest.importorskip("statsforecast")
    first, second = panel("D", season(60), 3), panel("D", season(60, seed=2), 3)
    model = classical.auto_theta()
    one = model.predict(first, (0.5,))
    assert model.predict(first, (0.5,)) is one
    assert (model.predict(second, (0.5,)) != one).any()
    np.testing.assert_array_equal(model.predict(first, (0.5,)), one)


@pytest.mark.parametrize(("frequency", "periods"), [("H", 500), ("D", 300), ("W", 120)])
def test_the_plain_peer_answers_every_series_that_is_long_enough(frequency: str, periods: int) -> None:
    pytest.importorskip("mlforecast")
    y = season(periods, series=5)
    y[1, : periods - 30] = NAN
    y[2, : periods // 2] = NAN
    y[3, 50:53] = NAN
    y[3, -1:] = NAN
    y[4, periods // 2 :] = NAN
    given_ = panel(frequency, y, 3)
    model = peer.MLForecastPeer()
    said = model.fit(given_).predict(given_, WHOLE_QUANTILES)
    assert np.isfinite(said[[0, 3]]).all()
    assert np.isnan(said[[1, 4]]).all()
    assert set(model.reasons) >= {"s1", "s4"}
    assert (np.diff(said[[0, 3]], axis=2) >= 0).all()
    # It learned something of the season: better than the mean, though nobody tuned it.
    middle = said[0, :, WHOLE_QUANTILES.index(0.5)]
    at = np.arange(periods, periods + 3)
    assert np.abs(middle - (20 + 5 * np.sin(2 * np.pi * at / 7))).mean() < 3


def test_the_plain_peer_says_when_nothing_is_long_enough() -> None:
    pytest.importorskip("mlforecast")
    given_ = panel("D", season(20, series=2), 5)
    model = peer.MLForecastPeer()
    assert np.isnan(model.fit(given_).predict(given_, (0.5,))).all()
    assert set(model.reasons) == {"s0", "s1"}
