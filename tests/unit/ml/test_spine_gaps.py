"""The spine: gaps stay open, lags go by time and by the local clock, silences keep the season's positions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from caregrid.feeds import load_feed
from caregrid.mapping import inspect_file, map_batch, read
from caregrid.paths import ROOT, feeds_base
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import baselines, spine
from ml.data import Frames
from ml.features import FeatureMaker
from ml.periods import period_bounds
from ml.settings import DEMO
from tests.unit.ml.frames import frame, spines

pytestmark = pytest.mark.unit
CASE = """ED-A: 2024-01-01..2024-01-28 daily, Monday 100 to Sunday 160, without the 23rd to the 25th;
ED-B: the same plus 5, complete. (Case 34: Nixtla/mlforecast issue 458, skforecast issue 329.)"""


def _case_34() -> dict[int, np.ndarray]:
    week = np.arange(100.0, 170.0, 10.0)
    complete = np.tile(week, 4)
    broken = complete.copy()
    broken[22:25] = np.nan
    return {1: broken, 2: complete + 5}


def _naive_week(columns: dict[int, np.ndarray]) -> dict[int, list[float]]:
    found = spines(frame(columns))[0]
    maker = FeatureMaker(found.as_known(None), DEMO.grains["day"], [], power=1)
    rows = np.arange(len(columns))
    points, _ = baselines.quantile_forecasts(maker, "seasonal_naive", rows, 27, 7, DEMO.quantiles)
    return {series_id: points[row].tolist() for row, series_id in enumerate(columns)}


def test_seasonal_naive_steps_over_a_gap_by_weeks_not_rows() -> None:
    found = _naive_week(_case_34())
    assert found[1] == [100, 110, 120, 130, 140, 150, 160], CASE
    assert found[2] == [105, 115, 125, 135, 145, 155, 165], CASE


def test_a_baseline_refuses_values_that_were_made_smaller() -> None:
    maker = FeatureMaker(spines(frame(_case_34()))[0].as_known(None), DEMO.grains["day"], [], power=0.5)
    with pytest.raises(ValueError, match="power 1"):
        baselines.seasonal_naive(maker, np.array([0]), np.array([27]), np.array([1]))


def test_leaving_one_series_out_changes_no_other() -> None:
    both = _case_34()
    assert _naive_week(both)[2] == _naive_week({2: both[2]})[2]


def test_the_gap_is_reported_and_not_filled() -> None:
    found = spines(frame(_case_34()))[0]
    grid = found.as_known(None)
    days = (datetime(2024, 1, 23, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert spine.gaps(grid).rows() == [(1, days, days + 2, 3)]
    assert np.isnan(grid.y[0, 22:25]).all()
    assert not np.isnan(grid.y[1]).any()


def test_case_34_through_its_own_feed() -> None:
    """The file of the case, where it lies beside the mirror of the feeds: from its bytes to the forecast."""
    path = feeds_base().parent / "cases" / "34-gaps-shift-lags" / "series.csv"
    if not path.is_file():
        pytest.skip("the cases are not beside the mirror of the feeds")
    feed = load_feed(ROOT / "tests" / "data" / "cases" / "case_34_gaps.yml")
    (source,), (output,) = feed.sources.values(), feed.outputs
    context = inspect_file(feed, source, path, file_name=path.name)
    mapped = [map_batch(feed, output, batch, context) for batch in read(source, path)]
    assert [len(one.rejects) for one in mapped] == [0]
    numbers = {"ED-A": 1, "ED-B": 2}
    values = mapped[0].rows.select(
        pl.col("code").replace_strict(numbers, return_dtype=pl.Int64).alias("series_id"),
        "period_start",
        "period_end",
        "value",
    )
    assert values.height == 53
    found = spines(Frames(pl.DataFrame({"series_id": [1, 2], "grain": ["day", "day"]}), values))[0]
    grid = found.as_known(None)
    days = (datetime(2024, 1, 23, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert spine.gaps(grid).rows() == [(1, days, days + 2, 3)]
    maker = FeatureMaker(grid, DEMO.grains["day"], [], power=1)
    points, _ = baselines.quantile_forecasts(maker, "seasonal_naive", np.arange(2), 27, 7, DEMO.quantiles)
    true_week = np.arange(100.0, 170.0, 10.0)
    assert np.abs(points - np.array([true_week, true_week + 5])).mean() == 0


@pytest.mark.parametrize("change", [datetime(2024, 3, 31, tzinfo=UTC), datetime(2024, 10, 27, tzinfo=UTC)])
def test_lags_of_hours_follow_the_local_clock_over_a_change(change: datetime) -> None:
    """Three weeks of hours whose value is the local hour of the week: seasonal naive must be perfect."""
    zone = ZoneInfo("Europe/Berlin")
    first = change - timedelta(days=18)
    starts = [first + timedelta(hours=number) for number in range(21 * 24)]
    values = [
        start.astimezone(zone).weekday() * 24.0 + start.astimezone(zone).hour for start in starts
    ]  # fmt: skip
    series = pl.DataFrame({"series_id": [1], "grain": ["hour"], "timezone": ["Europe/Berlin"]})
    found = spines(
        Frames(
            series, pl.DataFrame({"series_id": [1] * len(starts), "period_start": starts, "value": values})
        )
    )
    maker = FeatureMaker(found[0].as_known(None), DEMO.grains["hour"], [], power=1)
    # Origin: just before the change; the targets of the next day lie after it.
    origin = int((change - first).total_seconds() // 3600)
    steps = np.arange(1, 49)
    said = baselines.seasonal_naive(maker, np.zeros(48, int), np.full(48, origin), steps)
    truth = np.array(values)[origin + steps]
    wrong = np.flatnonzero(said != truth)
    # The hour that a week before did not exist, or existed twice, may take its neighbour; no other.
    assert len(wrong) <= 1
    assert np.abs(said - truth).max() <= 1


def test_instants_are_snapped_to_their_hour_and_the_newest_speaks_for_it() -> None:
    stamps = [
        datetime(2024, 1, 1, 10, 5, tzinfo=UTC),
        datetime(2024, 1, 1, 10, 45, tzinfo=UTC),
        datetime(2024, 1, 1, 12, 46, tzinfo=UTC),
    ]
    known = [
        datetime(2024, 1, 1, 23, tzinfo=UTC),
        datetime(2024, 1, 1, 11, tzinfo=UTC),
        datetime(2024, 1, 1, 13, tzinfo=UTC),
    ]
    values = pl.DataFrame(
        {"series_id": [1] * 3, "period_start": stamps, "known_at": known, "value": [1.0, 2.0, 3.0]}
    )
    found = spines(Frames(pl.DataFrame({"series_id": [1], "grain": ["instant"]}), values))[0]
    # The value of 10:05 is known last, and still 10:45 speaks for the hour of ten.
    assert found.as_known(None).y[0, [0, 2]].tolist() == [2.0, 3.0]
    assert np.isnan(found.as_known(None).y[0, 1])


@given(
    st.sets(st.integers(0, 3000), min_size=2, max_size=40),
    st.sampled_from([7, 12, 52]),
)
@settings(max_examples=200)
def test_cutting_silences_keeps_every_value_and_its_position(seen: set[int], season: int) -> None:
    periods = np.array(sorted(seen))
    columns = spine.columns_without_silence(periods, season)
    assert set(seen) <= set(columns.tolist())
    at = np.searchsorted(columns, periods)
    assert (columns[at] == periods).all()
    assert ((at - periods) % season == (at[0] - periods[0]) % season).all()
    # What is left of a silence is shorter than the silences that are cut.
    assert (np.diff(at) <= spine.LONG_SILENCE * season).all()


def test_a_late_snapshot_does_not_cost_a_feed_its_history() -> None:
    hours = 24 * 7 * 6
    values = np.concatenate([np.arange(hours, dtype=float), np.full(24 * 400, np.nan), [7.0]])
    found = spines(frame({1: values}, grain="instant"))[0]
    grid = found.as_known(None)
    assert grid.observed[0] > 4 * 168
    assert found.silences == 24 * 400 // 168 * 168
    assert period_bounds("hour", int(found.periods[-1]), "UTC", 0)[0] == datetime(
        2024, 1, 1, tzinfo=UTC
    ) + timedelta(hours=len(values) - 1)


def test_a_history_published_at_once_is_taken_as_known_period_by_period() -> None:
    starts = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(60)]
    ends = [start + timedelta(days=1) for start in starts]
    known = [datetime(2024, 3, 5, tzinfo=UTC)] * 60
    data = Frames(
        pl.DataFrame({"series_id": [1], "grain": ["day"]}),
        pl.DataFrame({"series_id": [1] * 60, "period_start": starts, "period_end": ends, "known_at": known,
                      "value": np.arange(60.0)}),
    )  # fmt: skip
    found = spines(data)[0]
    middle = spine.microseconds(datetime(2024, 2, 10, tzinfo=UTC))
    assert found.as_known(middle).observed[0] == 0
    assumed = found.with_assumed_vintages()
    assert assumed.vintages_assumed
    # The newest day ended on 1 March and was known on the 5th: four days after the end.
    assert assumed.as_known(middle).observed[0] == 36
    daily = spines(frame({1: np.arange(60.0)}))[0]
    assert daily.with_assumed_vintages() is daily
