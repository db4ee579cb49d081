"""Short, broken or strange input gets a forecast that says how it was made, or a reason; never NaN."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.panel import Floats, Panel
from ml.recipe import FittedCareGrid
from tests.unit.ml.recipe import panels

pytestmark = pytest.mark.unit
NOTHING = np.nan


def asked(known: Panel) -> tuple[FittedCareGrid, Floats]:
    """Return the fitted model and its quantiles."""
    fitted = panels.small(rows=3_000, rounds=20).fit(known)
    return fitted, fitted.predict(known, panels.LEVELS)


def sound(known: Panel, fitted: FittedCareGrid, said: Floats) -> None:
    """Demand numbers in order and not negative, or a reason, for every series."""
    for row, name in enumerate(known.ids):
        if name in fitted.reasons:
            assert np.isnan(said[row]).all()
        else:
            assert np.isfinite(said[row]).all(), name
            assert (np.diff(said[row], axis=-1) >= 0).all(), name
            assert (said[row] >= 0).all(), name


def test_strange_series_stand_beside_plain_ones_without_harm() -> None:
    y, _, _ = panels.census(12, 260)
    plain = panels.panel(y[:6], 14)
    y[6, :] = 40.0  # constant
    y[7, :] = 0.0
    y[8, :-3] = NOTHING  # three points
    y[9, 100:130] = NOTHING  # a gap
    y[10, 200:] = NOTHING  # ended
    y[11, 130:] += 80  # a ward opened
    known = panels.panel(y, 14)
    fitted, said = asked(known)
    sound(known, fitted, said)
    assert set(fitted.reasons) == {"s10"}
    assert "60 periods old" in fitted.reasons["s10"]
    assert fitted.how["s08"].startswith("3 values")
    # What is constant is forecast constant, give or take a little.
    middle = said[..., panels.LEVELS.index(0.5)]
    assert np.abs(middle[6] - 40).max() < 4
    assert middle[7].max() < 1
    assert np.abs(middle[11].mean() - y[11, -28:].mean()) < 20
    _, alone = asked(plain)
    assert np.abs(middle[:6] - alone[..., panels.LEVELS.index(0.5)]).mean() < 4


def test_a_table_too_short_for_models_goes_on_with_its_level() -> None:
    known = panels.panel(np.array([[10.0, 12.0, 11.0]]), 5)
    fitted, said = asked(known)
    sound(known, fitted, said)
    assert "too short" in fitted.how["s00"]
    assert 5 < said[0, 0, panels.LEVELS.index(0.5)] < 17
    assert said[0, -1, -1] - said[0, -1, 0] > said[0, 0, -1] - said[0, 0, 0]


def test_one_value_is_enough_and_none_has_a_reason() -> None:
    y = np.full((2, 30), NOTHING)
    y[0, -1] = 7.0
    known = panels.panel(y, 5)
    fitted, said = asked(known)
    sound(known, fitted, said)
    assert set(fitted.reasons) == {"s01"}


def test_a_series_of_one_value_is_as_uncertain_as_others_of_its_size() -> None:
    y, _, _ = panels.census(6, 300)
    begun = y.copy()
    begun[5, :-1] = NOTHING
    fitted, said = asked(panels.panel(begun, 7))
    assert fitted.how["s05"].startswith("1 value: mostly by what other series do · 只有 1 个值")
    # In units of what counting alone lets values of a size vary by.
    width = (said[..., -1] - said[..., 0]).mean(axis=1) / np.sqrt(np.nanmean(y, axis=1))
    assert width[5] > 0.8 * np.median(width[:5])


def test_a_late_publication_makes_the_forecast_longer() -> None:
    y, _, _ = panels.census(5, 300)
    late = y.copy()
    late[:2, -6:] = NOTHING
    known = panels.panel(late, 7)
    fitted, said = asked(known)
    sound(known, fitted, said)
    assert fitted.how["s00"].startswith("from the last value, 6 periods before the cutoff · 从最后一个值起算")
    width = said[..., -1] - said[..., 0]
    assert width[:2, 0].mean() > width[2:, 0].mean()


def test_clocks_may_change_and_capacity_may_be_none() -> None:
    y, _, _ = panels.census(3, 24 * 30, season=24)
    clock = np.zeros((3, y.shape[1] + 24), dtype=np.int64)
    clock[:, 400:] = 1
    held = np.zeros(y.shape)
    known = panels.panel(y, 24, "H", clock=clock, capacity=held)
    fitted, said = asked(known)
    sound(known, fitted, said)


def test_further_signals_may_have_holes_or_nothing_at_all() -> None:
    y, _, _ = panels.census(4, 200)
    holes = y.copy()
    holes[:, ::3] = NOTHING
    known = panels.panel(
        y, 7, past={"visits": holes, "none": np.full(y.shape, NOTHING)},
        ahead={"planned": np.ones((4, 207))}, static={"region": np.array(list("aabb"), dtype=object)},
    )  # fmt: skip
    fitted, said = asked(known)
    sound(known, fitted, said)


@given(st.data())
@settings(max_examples=12, deadline=None)
def test_whatever_is_missing_every_series_gets_numbers_or_a_reason(data: st.DataObject) -> None:
    frequency = data.draw(st.sampled_from(["D", "W", "H", "M"]))
    series, periods = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 90))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    y = np.round(rng.gamma(2, 10, (series, periods)))
    y[rng.random(y.shape) < data.draw(st.sampled_from([0.0, 0.3, 0.95]))] = NOTHING
    step = "D" if frequency == "M" else frequency
    made = panels.panel(y, 4, step)
    known = Panel(frequency, made.ids, made.times, 4, made.cutoff, y)
    fitted, said = asked(known)
    sound(known, fitted, said)


def test_a_model_of_constants_alone_gives_others_an_interval_and_leaves_its_own_narrow() -> None:
    """Where nothing was ever missed nothing is known of errors: not that there are none."""
    constants = np.repeat([[40.0], [7.0], [1000.0], [0.0]], 400, axis=1)
    fitted = panels.small(2000, 10).fit(panels.panel(constants, 7))
    own = fitted.predict(panels.panel(constants, 7), (0.025, 0.5, 0.975))
    assert np.allclose(own[:, :, 1], constants[:, :1])
    assert (own[:, :, 2] - own[:, :, 0] < 0.1 * np.maximum(constants[:, :1], 1)).all()
    y, _, _ = panels.census(4, 400)
    moving = replace(panels.panel(y, 7), ids=("w", "x", "y", "z"))
    said = fitted.predict(moving, (0.025, 0.5, 0.975))
    assert (said[:, :, 2] - said[:, :, 0] > np.diff(y, axis=1).std(axis=1)[:, None]).all()
