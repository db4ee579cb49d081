"""What feeds really send: plans, slips, silence without a word, fractions, hours that begin at half past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml.warehouse import eligibility, overload, spine
from ml.warehouse.data import Frames
from ml.warehouse.output import Said
from ml.warehouse.rows import add
from tests.unit.ml.frames import FIRST, frame, spines, wave
from tests.unit.ml.test_forecast_of_a_feed import MIDDLE, SMALL, forecast

pytestmark = pytest.mark.unit
DAY, DAYS = timedelta(days=1), 160


def told(data: Frames, *more: tuple[int, datetime, datetime, float | None]) -> Frames:
    """Return the data with further values (series, the day's start, known_at, value)."""
    known = pl.DataFrame(
        [(one, start, start + DAY, known, value, None, 2) for one, start, known, value in more],
        schema=dict(data._values.schema), orient="row",
    )  # fmt: skip
    return Frames(data.series(), pl.concat([data._values, known]))


def wards(**more: Any) -> Frames:
    """Return six wards of days."""
    return frame({number: wave(DAYS, 40.0 + 10 * number, seed=number) for number in range(1, 7)}, **more)


def test_a_value_of_a_day_far_ahead_takes_no_series_out_of_the_feed() -> None:
    plain = forecast(wards())[1]
    slip = told(wards(), (1, datetime(2099, 1, 1, tzinfo=UTC), FIRST + DAY * DAYS, 5.0))
    made = forecast(slip)[1]
    assert np.array_equal(made.quantiles, plain.quantiles)
    assert "1 values told before their day began are left out · 1 个" in made.remarks[0]
    assert 1 not in made.remarks


def test_a_place_in_a_zone_that_nobody_knows_takes_no_other_out_of_the_feed() -> None:
    plain = forecast(wards())[1]
    zones = ["UTC"] * 6 + ["Mars/Phobos"]
    odd = frame(
        {number: wave(DAYS, 40.0 + 10 * number, seed=number) for number in range(1, 8)}, timezone=zones
    )
    made = forecast(odd)[1]
    assert np.array_equal(made.quantiles, plain.quantiles)
    found = eligibility.left_out(odd.series(), [made.grid], SMALL)
    assert [(one.series_id, one.reason) for one in found] == [(7, "unknown_time_zone")]
    assert "'Mars/Phobos'" in found[0].detail


def test_a_series_of_plans_alone_is_left_out_as_such() -> None:
    data = wards()
    plans = [(9, FIRST + DAY * (DAYS + number), FIRST + DAY * DAYS, 50.0) for number in range(2, 40)]
    data = told(Frames(pl.DataFrame({"series_id": [*range(1, 7), 9]}), data._values), *plans)
    grid = spines(data, SMALL)[0].as_known(None)
    found = eligibility.left_out(data.series(), [grid], SMALL)
    told_ahead = "38 values, each told before its day began · 38 个值，都在其时段开始前公布"
    assert found == [eligibility.LeftOut(9, "no_value", told_ahead)]


def test_days_told_without_a_value_are_forecast_over_and_beyond() -> None:
    """Ten days of all series are taken back: the two weeks that are forecast begin after them."""
    back = [
        (number, FIRST + DAY * day, FIRST + DAY * (DAYS + 1), None)
        for number in range(1, 7)
        for day in range(DAYS - 10, DAYS)
    ]
    made = forecast(told(wards(), *back))[1]
    assert made.grid.newest == DAYS - 11
    assert made.begins == DAYS
    assert made.quantiles.shape[1] == 14


@pytest.mark.parametrize("units", [None, 0])
def test_a_panel_that_stops_telling_its_units_is_taken_to_keep_them(units: int | None) -> None:
    data = wards()
    ends = pl.col("period_start") >= FIRST + DAY * (DAYS - 10)
    counted = data._values.with_columns(reporting_units=pl.when(ends).then(units).otherwise(10.0))
    grid = spines(Frames(data.series(), counted), SMALL)[0].as_known(None)
    assert grid.spine.is_panel.all()
    assert grid.newest == DAYS - 1
    assert grid.units.tolist() == [10.0] * 6
    assert np.array_equal(grid.y, spines(data, SMALL)[0].as_known(None).y)
    shown = grid.panel(np.arange(6), {}, 1).versions
    assert shown is not None
    assert len(shown.value) == 6 * DAYS


def test_where_no_unit_reports_a_zero_is_no_value() -> None:
    data = wards()
    ends = pl.col("period_start") >= FIRST + DAY * (DAYS - 10)
    counted = data._values.with_columns(
        reporting_units=pl.when(ends).then(0.0).otherwise(10.0),
        value=pl.when(ends).then(0.0).otherwise(pl.col("value")),
    )
    grid = spines(Frames(data.series(), counted), SMALL)[0].as_known(None)
    assert grid.newest == DAYS - 11


@pytest.mark.parametrize("value", [1e300, 1e17, float("inf")])
def test_what_nobody_can_count_is_no_value(value: float) -> None:
    columns = {number: wave(DAYS, 40.0 + 10 * number, seed=number) for number in range(1, 4)}
    columns[4] = np.full(DAYS, value)
    columns[5] = np.full(DAYS, 1e12)
    made = forecast(frame(columns, country_code="DE"))[1]
    assert [made.grid.spine.names[row] for row in made.rows] == ["1", "2", "3", "5"]
    assert np.isfinite(made.paths).all()
    assert all(np.isfinite(total.quantiles).all() for total in made.totals)
    assert made.quantiles[3, :, MIDDLE] == pytest.approx(1e12, rel=1e-6)


def test_beds_are_whole_but_shares_and_means_are_not() -> None:
    """Of 0.9, nothing up to 0.9 is too many, where the values themselves are fractions."""
    data = frame(
        {1: np.array([0.75, 0.85]), 2: np.full(2, 0.9)}, measure=["occupied", "capacity"],
        is_forecast=[True, False],
    )  # fmt: skip
    grid = spines(data)[0].as_known(None)
    paths = np.array([[[0.85]], [[0.95]], [[0.6]], [[0.1]]], dtype=np.float32)
    found = overload.assess(grid, np.array([0]), paths, {0: 1}, (1,))
    assert found is not None
    assert found.probability.tolist() == [[0.25]]


def test_a_value_of_long_ago_does_not_make_days_in_which_nothing_shows_a_holiday() -> None:
    columns = {number: wave(220, 60.0 + 5 * number, seed=number) for number in range(1, 7)}
    old = told(frame(columns), (1, datetime(1950, 1, 1, tzinfo=UTC), datetime(1950, 1, 2, tzinfo=UTC), 5.0))
    made = forecast(old)[1]
    assert made.grid.spine.width > 400
    assert not any("holidays" in remark for remark in made.remarks.values())


def test_hours_that_begin_at_half_past_are_forecast_so() -> None:
    """Kolkata's hours begin at half past of UTC's; an instant lies within an hour of UTC wherever it is."""
    hours = timedelta(hours=1)
    first = datetime(2024, 2, 1, tzinfo=UTC)
    one = frame({1: wave(200, season=24), 2: wave(200, season=24, seed=2)}, "hour", first)
    late = timedelta(minutes=30)
    values = one._values.with_columns(pl.col("period_start", "period_end", "known_at") + late)
    data = Frames(one.series().with_columns(timezone=pl.lit("Asia/Kolkata")), values)
    _, made = forecast(data)
    assert made.begins == 200
    said = Said()
    add(said, made, SMALL)
    starts = sorted({row[1] for row in said.forecasts})
    assert starts[0] == first + 200 * hours + late
    assert {row[2] - row[1] for row in said.forecasts} == {hours}
    moments = Frames(
        data.series().with_columns(grain=pl.lit("instant")),
        values.with_columns(period_end=pl.col("period_start")),
    )
    said = Said()
    add(said, forecast(moments)[1], SMALL)
    assert min(row[1] for row in said.forecasts) == first + 200 * hours


def test_two_values_of_one_day_and_moment_give_one_whatever_their_order() -> None:
    data = wards()
    again = [(1, FIRST + DAY * day, FIRST + DAY * (day + 1), 500.0 + day) for day in range(0, DAYS, 3)]
    both = told(data, *again)._values.with_columns(load_id=pl.lit(1, pl.Int64))
    grids = []
    for seed in range(3):
        mixed = Frames(data.series(), both.sample(fraction=1.0, shuffle=True, seed=seed))
        (found,) = spine.build_spines(mixed.series(), mixed._values, {"day": 1000})
        grids.append(found.as_known(None).y)
    assert all(np.array_equal(grid, grids[0]) for grid in grids)
    assert grids[0][0, 0] == 500.0
