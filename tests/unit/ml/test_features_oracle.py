"""Fast features against slow loops, and against the future: nothing after the origin may reach them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import features
from ml.features import FeatureMaker
from ml.settings import DEMO
from tests.unit.ml.frames import frame, spines

pytestmark = pytest.mark.unit
GRAIN = DEMO.grains["day"]

holes = st.lists(st.one_of(st.none(), st.integers(0, 200)), min_size=40, max_size=90).filter(
    lambda values: values[0] is not None and values[-1] is not None
)


def _maker(values: np.ndarray) -> FeatureMaker:
    return FeatureMaker(spines(frame({1: values}))[0].as_known(None), GRAIN, ["occupied"], power=1)


def _array(values: list[int | None]) -> np.ndarray:
    return np.array([np.nan if value is None else float(value) for value in values])


@given(holes, st.data())
@settings(max_examples=60, deadline=None)
def test_rows_equal_slow_loops(values: list[int | None], data: st.DataObject) -> None:
    y = _array(values)
    maker = _maker(y)
    origin = data.draw(st.integers(14, len(y) - 1))
    horizon = data.draw(st.integers(1, GRAIN.horizon))
    made = maker.rows(np.array([0]), np.array([origin]), np.array([horizon]))
    level, scale = made.level[0], made.scale[0]

    def mean(window: int) -> float:
        part = y[max(0, origin + 1 - window) : origin + 1]
        seen = part[~np.isnan(part)]
        return float(seen.mean()) if len(seen) else np.nan

    def at_position(back: int) -> float:
        """The last value at the target's weekday, `back` weeks before the newest up to the origin."""
        column = origin + horizon - 7 * (-(-horizon // 7) + back)
        while column >= 0 and np.isnan(y[column]):
            column -= 7
        return float(y[column]) if column >= 0 else np.nan

    expected_level = next(found for found in map(mean, (GRAIN.anchor, 7, len(y))) if not np.isnan(found))
    assert level == pytest.approx(expected_level)
    said = dict(zip(maker.names, made.x[0], strict=True))
    close = {"nan_ok": True, "rel": 1e-4, "abs": 1e-4}
    for back in range(4):
        assert said[f"season_{back + 1}"] == pytest.approx((at_position(back) - level) / scale, **close)
    for window in GRAIN.windows:
        assert said[f"mean_{window}"] == pytest.approx((mean(window) - level) / scale, **close)
    seen = np.flatnonzero(~np.isnan(y[: origin + 1]))
    assert said["last"] == pytest.approx((y[seen[-1]] - level) / scale, **close)
    assert said["age_of_last"] == origin - seen[-1]


@given(holes, st.data())
@settings(max_examples=60, deadline=None)
def test_no_feature_sees_past_the_origin(values: list[int | None], data: st.DataObject) -> None:
    y = _array(values)
    origin = data.draw(st.integers(10, len(y) - 2))
    later = data.draw(
        st.lists(st.integers(0, 10_000), min_size=len(y) - 1 - origin, max_size=len(y) - 1 - origin)
    )
    changed = y.copy()
    changed[origin + 1 :] = later
    steps = np.arange(1, GRAIN.horizon + 1)
    rows = [
        _maker(one).rows(np.zeros(len(steps), int), np.full(len(steps), origin), steps)
        for one in (y, changed)
    ]
    assert np.array_equal(rows[0].x, rows[1].x, equal_nan=True)
    assert np.array_equal(rows[0].level, rows[1].level)
    assert np.array_equal(rows[0].scale, rows[1].scale)


def test_holidays_come_from_the_country_of_the_place() -> None:
    new_year = np.array(["2024-01-01", "2024-07-01", "2024-07-02"], dtype="datetime64[D]")
    maker = FeatureMaker(spines(frame({1: np.ones(20)}, country_code="CA"))[0].as_known(None), GRAIN, [])
    holiday, distance = maker._holidays(np.zeros(3, int), new_year)
    assert holiday.tolist() == [1.0, 1.0, 0.0]
    assert distance.tolist() == [0.0, 0.0, 1.0]
    unknown = FeatureMaker(spines(frame({1: np.ones(20)}))[0].as_known(None), GRAIN, [])
    assert np.isnan(unknown._holidays(np.zeros(3, int), new_year)[0]).all()
    assert len(features.public_holidays("XX", 2024, 2024)) == 0
