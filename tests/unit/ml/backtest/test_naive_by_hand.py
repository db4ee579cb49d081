"""The forecasts that any model must beat, against examples worked by hand and against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.backtest import naive
from ml.panel import Panel
from tests.unit.ml.backtest.toys import STEP

pytestmark = pytest.mark.unit
LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)
NAN = float("nan")


def panel(frequency: str, y: list[list[float]], horizon: int, start: str = "2024-01-01") -> Panel:
    values = np.array(y, dtype=float)
    times = np.datetime64(start, "s") + np.arange(values.shape[1] + horizon) * STEP[frequency]
    ids = tuple(f"s{row}" for row in range(len(values)))
    return Panel(frequency, ids, times, horizon, 0, values)


@given(st.lists(st.one_of(st.just(NAN), st.floats(-50, 50)), max_size=40), st.integers(1, 9))
def test_quantiles_are_numpys_without_the_missing(values: list[float], fewest: int) -> None:
    made = naive.quantiles_of(np.array([values]), LEVELS, fewest)[0]
    known = [value for value in values if value == value]
    if len(known) < fewest:
        assert np.isnan(made).all()
    else:
        np.testing.assert_allclose(made, np.quantile(known, LEVELS), atol=1e-9)


@given(st.lists(st.one_of(st.just(NAN), st.integers(0, 9)), min_size=1, max_size=40), st.integers(1, 8))
def test_a_gap_is_stepped_over_season_by_season(values: list[float], season: int) -> None:
    filled, age = naive.seasonally_filled(np.array([values], dtype=float), season)
    for at in range(len(values)):
        back = [place for place in range(at, -1, -season) if values[place] == values[place]]
        np.testing.assert_equal(filled[0, at], float(values[back[0]]) if back else NAN)
        if back:
            assert age[0, at] == at - back[0]


def test_the_last_value_stays_the_middle_and_its_spread_is_that_of_its_own_leads() -> None:
    # Steps of +1 and -1 by turns: one period ahead it errs by 1 always, two periods ahead never.
    given_ = panel("D", [[10 + at % 2 for at in range(30)]], 2)
    said = naive.LastValue().fit(given_).predict(given_, LEVELS)
    np.testing.assert_allclose(said[0, 0], [10, 10, 11, 12, 12])
    np.testing.assert_allclose(said[0, 1], [11] * 5)


def test_a_value_that_came_late_errs_as_over_the_whole_way() -> None:
    """The last day is missing: its step ahead is two periods from the last value, which never errs."""
    given_ = panel("D", [[10 + at % 2 for at in range(30)] + [NAN]], 2)
    said = naive.LastValue().fit(given_).predict(given_, LEVELS)
    np.testing.assert_allclose(said[0, 0], [11] * 5)
    np.testing.assert_allclose(said[0, 1], [10, 10, 11, 12, 12])


def test_the_seasonal_naive_takes_the_newest_same_weekday() -> None:
    weeks = [[day + 10 * week for week in range(10) for day in range(7)]]
    weeks[0][-1] = NAN
    given_ = panel("D", weeks, 8)
    point = naive.SeasonalNaive().fit(given_).predict(given_, (0.5,))[0, :, 0]
    np.testing.assert_allclose(point, [90, 91, 92, 93, 94, 95, 86, 90])


def test_with_less_than_a_year_of_weeks_the_seasonal_naive_is_the_last_value() -> None:
    given_ = panel("W", [list(range(40))], 3)
    np.testing.assert_array_equal(
        naive.SeasonalNaive().fit(given_).predict(given_, LEVELS),
        naive.LastValue().fit(given_).predict(given_, LEVELS),
    )


def test_climatology_looks_at_past_years_around_the_target_only() -> None:
    # Three years of weeks: 5 in the seven weeks around New Year, 1 in all others.
    given_ = panel("W", [[1.0] * 156], 2, start="2021-01-03")
    times = given_.times[:156]
    targets = given_.times[156:]
    days = np.abs((targets[0] - times) / np.timedelta64(1, "D"))
    near = np.abs(days - np.round(days / 365.25) * 365.25) <= naive.CLIMATE_DAYS
    given_.y[0, near] = 5.0
    given_.y[0, days < 100] = 9.0
    said = naive.Climatology().fit(given_).predict(given_, LEVELS)
    np.testing.assert_allclose(said[0, 0], [5] * 5)


def test_climatology_of_hours_is_the_same_hour_of_the_week() -> None:
    given_ = panel("H", [[at % 168 for at in range(168 * 9)]], 48)
    said = naive.Climatology().fit(given_).predict(given_, LEVELS)
    np.testing.assert_allclose(said[0], np.repeat(np.arange(48.0)[:, None], 5, axis=1))


@pytest.mark.parametrize("model", [naive.LastValue(), naive.SeasonalNaive(), naive.Climatology()])
@pytest.mark.parametrize("frequency", ["H", "D", "W"])
def test_three_points_get_no_answer_and_long_series_one_that_never_crosses_nor_falls_below_nothing(
    model: naive.LastValue, frequency: str
) -> None:
    rng = np.random.default_rng(3)
    y = rng.poisson(1.0, (4, 400)).astype(float)
    y[1, :397] = NAN
    y[2, rng.random(400) < 0.4] = NAN
    y[3] = 7.0
    given_ = panel(frequency, y.tolist(), 5)
    said = model.fit(given_).predict(given_, LEVELS)
    assert np.isnan(said[1]).all()
    assert (np.diff(said[[0, 2, 3]], axis=2) >= 0).all()
    assert (said[[0, 2, 3]] >= 0).all()
    np.testing.assert_allclose(said[3], 7.0)
