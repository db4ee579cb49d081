"""The spine: gaps stay open, seasons go by time, what is late is told, a panel is today's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from caregrid.feeds import load_feed
from caregrid.mapping import inspect_file, map_batch, read
from caregrid.paths import ROOT, feeds_base

from ml.backtest.naive import SeasonalNaive
from ml.panel import Panel
from ml.recipe.revisions import nowcast
from ml.warehouse.data import Frames
from ml.warehouse.spine import Grid
from tests.unit.ml.frames import FIRST, frame, spines, wave

pytestmark = pytest.mark.unit
CASE = """ED-A: 2024-01-01..2024-01-28 daily, Monday 100 to Sunday 160, without the 23rd to the 25th;
ED-B: the same plus 5, complete. (Case 34: Nixtla/mlforecast issue 458, skforecast issue 329.)"""


def _case_34() -> dict[int, np.ndarray]:
    week = np.arange(100.0, 170.0, 10.0)
    complete = np.tile(week, 4)
    broken = complete.copy()
    broken[22:25] = np.nan
    return {1: broken, 2: complete + 5}


def _all(grid: Grid, horizon: int = 7) -> Panel:
    return grid.panel(np.arange(len(grid.units)), {}, horizon)


def _naive_week(data: Frames) -> list[list[float]]:
    said = SeasonalNaive().predict(_all(spines(data)[0].as_known(None)), (0.5,))
    return [row.tolist() for row in said[:, :, 0]]


def _micros(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def test_seasonal_naive_steps_over_a_gap_by_weeks_not_rows() -> None:
    found = _naive_week(frame(_case_34()))
    assert found[0] == [100, 110, 120, 130, 140, 150, 160], CASE
    assert found[1] == [105, 115, 125, 135, 145, 155, 165], CASE


def test_leaving_one_series_out_changes_no_other() -> None:
    both = _case_34()
    assert _naive_week(frame(both))[1] == _naive_week(frame({2: both[2]}))[0]


def test_a_gap_stays_open() -> None:
    grid = spines(frame(_case_34()))[0].as_known(None)
    assert np.isnan(grid.y[0, 22:25]).all()
    assert (~np.isnan(grid.y)).sum() == 2 * 28 - 3
    assert _all(grid).width == 28


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
    said = _naive_week(Frames(pl.DataFrame({"series_id": [1, 2], "grain": ["day", "day"]}), values))
    true_week = np.arange(100.0, 170.0, 10.0)
    assert np.abs(np.array(said) - np.array([true_week, true_week + 5])).max() == 0


@pytest.mark.parametrize("change", [datetime(2024, 3, 31, tzinfo=UTC), datetime(2024, 10, 27, tzinfo=UTC)])
def test_a_panel_of_hours_knows_the_clock_of_each_place(change: datetime) -> None:
    """Hours count in UTC; beside them stands how far each place's clock is ahead, also past a change."""
    data = frame(
        {1: np.ones(24 * 20), 2: np.ones(24 * 20)}, grain="hour", first=change - timedelta(days=19),
        timezone=["Europe/Berlin", "Asia/Hong_Kong"],
    )  # fmt: skip
    panel = _all(spines(data)[0].as_known(None), 48)
    assert panel.clock is not None
    told = [datetime.fromtimestamp(int(stamp), UTC) for stamp in panel.times.astype(np.int64)]
    for row, zone in enumerate(("Europe/Berlin", "Asia/Hong_Kong")):
        ahead = [moment.astimezone(ZoneInfo(zone)).utcoffset() for moment in told]
        assert [timedelta(hours=int(hours)) for hours in panel.clock[row]] == ahead
    assert len(set(panel.clock[0].tolist())) == 2


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


def test_the_targets_of_a_late_publication_follow_it_and_an_archive_ends_where_it_ends() -> None:
    days = {1: wave(60), 2: wave(60)}
    prompt, late, later, archive = (
        Frames(
            frame(days).series(),
            frame(days)._values.with_columns(known_at=pl.col("known_at") + timedelta(days=lag)),
        )
        for lag in (0, 9, 20, 400)
    )
    panels = [_all(spines(data)[0].as_known(None), 14) for data in (prompt, late, later, archive)]
    assert [panel.width for panel in panels] == [60, 69, 80, 60]
    assert [panel.horizon for panel in panels] == [14] * 4
    assert np.isnan(panels[1].y[:, 60:]).all()


def test_weeks_carry_their_last_day_and_months_their_first() -> None:
    sunday = datetime(2024, 1, 7, tzinfo=UTC)
    weekly = _all(spines(frame({1: wave(40)}, grain="week", first=sunday))[0].as_known(None), 2)
    assert weekly.times[0] == np.datetime64("2024-01-13")
    assert weekly.times[-1] - weekly.times[0] == np.timedelta64(41 * 7, "D")
    starts = [datetime(2022 + month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in range(30)]
    months = Frames(
        pl.DataFrame({"series_id": [1], "grain": ["month"]}),
        pl.DataFrame({"series_id": [1] * 30, "period_start": starts, "value": wave(30)}),
    )
    monthly = _all(spines(months)[0].as_known(None), 1)
    assert monthly.times[-1] == np.datetime64("2024-07-01")


def test_a_panel_of_reporting_units_is_todays_panel() -> None:
    """Case 22: 100 hospitals at 84 beds each, of which 60 report from May on: a rate and not a fall."""
    ends = [
        datetime(2024, 4, 21, tzinfo=UTC),
        datetime(2024, 4, 28, tzinfo=UTC),
        datetime(2024, 5, 5, tzinfo=UTC),
        datetime(2024, 5, 12, tzinfo=UTC),
        datetime(2024, 11, 10, tzinfo=UTC),
    ]
    starts = [end - timedelta(weeks=1) for end in ends]
    data = Frames(
        pl.DataFrame({"series_id": [1], "grain": ["week"], "place_level": ["panel"]}),
        pl.DataFrame({
            "series_id": [1] * 5, "period_start": starts, "period_end": ends,
            "value": [8400.0, 8350.0, 5010.0, 4960.0, 8600.0], "reporting_units": [100, 100, 60, 60, 101],
        }),
    )  # fmt: skip
    at_may = spines(data)[0].as_known(_micros(datetime(2024, 5, 13, tzinfo=UTC)))
    known = at_may.y[0][~np.isnan(at_may.y[0])]
    assert known.tolist() == pytest.approx([5040.0, 5010.0, 5010.0, 4960.0])
    assert at_may.units.tolist() == [60.0]
    today = spines(data)[0].as_known(None)
    assert (today.y[0][~np.isnan(today.y[0])] / 101).round(2).tolist() == [84.0, 83.5, 83.5, 82.67, 85.15]
    versions = _all(today, 1).versions
    assert versions is not None
    assert sorted((versions.value / 101).round(2).tolist()) == [82.67, 83.5, 83.5, 84.0, 85.15]


def test_a_daily_first_report_is_corrected_at_its_own_period_and_no_other() -> None:
    """A day is told at half on the next morning and whole a day later: the newest alone is not final yet."""
    days = 90
    truth = np.round(100 + 10 * np.sin(np.arange(days) * 2 * np.pi / 7))
    parts = []
    for number in range(1, 6):
        starts = [FIRST + timedelta(days=day) for day in range(days)]
        ends = [start + timedelta(days=1) for start in starts]
        for after, share in ((timedelta(hours=6), 0.5), (timedelta(hours=30), 1.0)):
            parts.append(pl.DataFrame({
                "series_id": [number] * days, "period_start": starts, "period_end": ends,
                "known_at": [end + after for end in ends], "value": np.round(truth * share),
            }))  # fmt: skip
    data = Frames(pl.DataFrame({"series_id": range(1, 6), "grain": ["day"] * 5}), pl.concat(parts))
    cut = _micros(FIRST + timedelta(days=days, hours=7))
    panel = _all(spines(data)[0].as_known(cut))
    assert panel.y[0, -1] == np.round(truth[-1] / 2)
    corrected = nowcast(panel, 7)
    assert np.array_equal(corrected[:, :-1], panel.y[:, :-1])
    assert corrected[:, -1] == pytest.approx(np.full(5, truth[-1]), rel=0.05)


def test_a_bulk_tells_nothing_of_revisions_and_what_came_after_it_does() -> None:
    days = 200
    starts = [FIRST + timedelta(days=day) for day in range(days)]
    ends = [start + timedelta(days=1) for start in starts]
    known = [ends[120]] * 120 + [end + timedelta(hours=6) for end in ends[120:]]
    data = Frames(
        pl.DataFrame({"series_id": [1], "grain": ["day"]}),
        pl.DataFrame({"series_id": [1] * days, "period_start": starts, "period_end": ends,
                      "known_at": known, "value": np.arange(float(days))}),
    )  # fmt: skip
    assumed = spines(data)[0].with_assumed_vintages()
    assert assumed.vintages_assumed
    versions = _all(assumed.as_known(None)).versions
    assert versions is not None
    assert sorted(versions.column.tolist()) == list(range(120, days))


def test_a_history_published_at_once_is_taken_as_known_period_by_period() -> None:
    starts = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(120)]
    ends = [start + timedelta(days=1) for start in starts]
    known = [datetime(2024, 5, 4, tzinfo=UTC)] * 120
    data = Frames(
        pl.DataFrame({"series_id": [1], "grain": ["day"]}),
        pl.DataFrame({"series_id": [1] * 120, "period_start": starts, "period_end": ends, "known_at": known,
                      "value": np.arange(120.0)}),
    )  # fmt: skip
    found = spines(data)[0]
    middle = _micros(datetime(2024, 2, 10, tzinfo=UTC))
    assert found.as_known(middle).observed[0] == 0
    assumed = found.with_assumed_vintages()
    assert assumed.vintages_assumed
    # The newest day ended on 30 April and was known on 4 May: four days after its end.
    assert assumed.as_known(middle).observed[0] == 36
    daily = spines(frame({1: np.arange(120.0)}))[0]
    assert daily.with_assumed_vintages() is daily
