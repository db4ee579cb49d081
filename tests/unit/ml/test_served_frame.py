"""Frames as people send them: what is answered, by which model, and how what cannot be is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml.panel import Panel
from ml.recipe.model import FittedCareGrid
from ml.tracking.served import QUANTILES, answer, input_example
from ml.tracking.served_frame import Models, panels
from tests.unit.ml.recipe.panels import census, panel, small

pytestmark = pytest.mark.unit
HORIZON = 5


def fitted(series: int, frequency: str = "D", season: int = 7, periods: int = 400) -> FittedCareGrid:
    """Return a model of so many series."""
    y, _, _ = census(series, periods, season=season)
    return small(2000, 10).fit(
        panel(y, HORIZON, frequency, static={"measure": np.array(["occupied"] * series)})
    )


@pytest.fixture(scope="module")
def models() -> Models:
    """Models of two feeds per day, and one per hour, week and month."""
    y, _, _ = census(3, 60, season=12)
    days = panel(y, HORIZON)
    months = Panel("M", days.ids, days.times, HORIZON, days.cutoff, y)
    return {
        ("day", "few"): fitted(2),
        ("day", "many"): fitted(4),
        ("hour", "emergency"): fitted(2, "H", 24, 700),
        ("week", "visits"): fitted(3, "W", 52, 160),
        ("month", "activity"): small(2000, 10).fit(months),
    }


def frame(ds: Any, grain: str | None = None, name: str = "new", **more: Any) -> pd.DataFrame:
    """Return one series with a value per given time."""
    at = np.arange(len(ds))
    made = pd.DataFrame({"unique_id": name, "ds": ds, "y": 50.0 + at % 7, **more})
    return made if grain is None else made.assign(grain=grain)


DAYS = pd.date_range("2024-01-01", periods=60, freq="D")


def test_an_unknown_series_per_day_is_answered_for_the_days_after_the_newest(models: Models) -> None:
    said = answer(models, frame(DAYS))
    assert list(said.columns) == ["unique_id", "ds", "horizon", "quantile", "value"]
    assert len(said) == HORIZON * len(QUANTILES) == HORIZON * 23
    assert said["ds"].min() == pd.Timestamp("2024-03-01")
    assert said["ds"].max() == pd.Timestamp("2024-03-05")
    assert (said["value"] >= 0).all()
    spread = said.pivot_table(index="ds", columns="quantile", values="value")
    assert (spread.diff(axis=1).iloc[:, 1:] >= 0).all().all()


@pytest.mark.parametrize(
    ("grain", "ds", "first", "last"),
    [
        ("hour", pd.date_range("2024-03-30", periods=72, freq="h"), "2024-04-02T00:00", "2024-04-02T04:00"),
        ("week", pd.date_range("2023-01-01", periods=80, freq="7D"), "2024-07-14", "2024-08-11"),
        ("month", pd.date_range("2022-01-01", periods=30, freq="MS"), "2024-07-01", "2024-11-01"),
    ],
)
def test_every_grain_goes_on_by_its_own_steps(
    grain: str, ds: Any, first: str, last: str, models: Models
) -> None:
    said = answer(models, frame(ds, grain))
    assert said["ds"].min() == pd.Timestamp(first)
    assert said["ds"].max() == pd.Timestamp(last)
    assert said["horizon"].max() == HORIZON


def test_the_named_feed_answers_else_the_one_that_learned_from_most_series(models: Models) -> None:
    whole = frame(DAYS)
    assert next(panels(whole, models)).feed == "many"
    named = pd.concat([whole.assign(feed="few"), frame(DAYS, name="other")])
    assert [(one.feed, one.panel.ids) for one in panels(named, models)] == [
        ("many", ("other",)),
        ("few", ("new",)),
    ]


def test_a_gap_is_no_value_and_no_shift(models: Models) -> None:
    whole = frame(DAYS)
    holed = next(panels(whole.drop(index=range(10, 14)), models)).panel
    assert holed.width == 60
    assert np.flatnonzero(np.isnan(holed.y[0])).tolist() == [10, 11, 12, 13]
    assert holed.y[0, 14] == whole["y"][14]
    # A row whose y is empty is a period too: targets lie after it.
    late = whole.copy()
    late.loc[58:, "y"] = np.nan
    assert answer(models, late)["ds"].min() == pd.Timestamp("2024-03-01")


def test_hours_follow_the_clock_of_their_zone_over_its_change(models: Models) -> None:
    hours = pd.date_range("2024-03-30", periods=72, freq="h")
    both = pd.concat(
        [
            frame(hours, "hour", "berlin", timezone="Europe/Berlin"),
            frame(hours, "hour", "taipei", timezone="Asia/Taipei"),
        ]
    )
    made = next(panels(both, models)).panel
    assert made.clock is not None
    # Europe/Berlin puts its clocks forward at 01:00 UTC on 31 March 2024.
    assert made.clock[0, [24, 25]].tolist() == [1, 2]
    assert set(made.clock[1].tolist()) == {8}
    assert next(panels(frame(hours, "hour"), models)).panel.clock is None


def test_capacity_and_texts_reach_the_model(models: Models) -> None:
    made = frame(
        DAYS, capacity=np.where(np.arange(60) > 5, 64.0, np.nan), country_code="DE", measure="occupied"
    )
    found = next(panels(made, models)).panel
    assert found.capacity is not None
    assert np.isnan(found.capacity[0, :6]).all()
    assert (found.capacity[0, 6:] == 64).all()
    assert {name: values.tolist() for name, values in found.static.items()} == {
        "measure": ["occupied"],
        "country_code": ["DE"],
    }


def test_a_model_of_one_country_keeps_its_holidays_where_the_frame_names_none() -> None:
    y, _, _ = census(3, 400)
    of_germany = small(2000, 10).fit(panel(y, HORIZON, static={"country_code": np.array(["DE"] * 3)}))
    home: Models = {("day", "beds"): of_germany}
    unnamed = answer(home, frame(DAYS))
    assert unnamed.equals(answer(home, frame(DAYS, country_code="DE")))
    assert next(panels(frame(DAYS, country_code="FR"), home)).panel.static["country_code"].tolist() == ["FR"]


def test_the_answer_is_the_models_own(models: Models) -> None:
    asked = next(panels(frame(DAYS), models))
    values = models["day", "many"].predict(asked.panel, QUANTILES)
    assert np.array_equal(answer(models, frame(DAYS))["value"].to_numpy(), values.ravel())


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (frame(DAYS).drop(columns="y"), "lacks y: give unique_id, ds and y"),
        (frame(DAYS[:0]), "no rows"),
        (frame(DAYS, "year"), "new: grain 'year' is none of hour, day, week, month"),
        (frame(DAYS, feed="nobody"), "new: no model of feed 'nobody'.*few, many"),
        (frame([*DAYS[:9], DAYS[0]]), "new: two rows tell of the same ds"),
        (frame(DAYS + pd.Timedelta(hours=5)), "new: ds is no day.*without a time of day"),
        (frame([*pd.date_range("2024-01-07", periods=9, freq="7D"), DAYS[59]], "week"), "new: ds is no week"),
        (frame(DAYS).assign(y=-1.0), "new: y is negative"),
        (frame(DAYS).assign(y=1e300), "new: y is negative, or more than can be counted"),
        (frame(DAYS, capacity=-4.0), "new: capacity is negative"),
        (frame(DAYS, capacity=np.inf), "new: capacity is negative, or more than can be counted"),
        (frame(DAYS).assign(y=np.nan), "new: no y is known"),
        (frame(DAYS).assign(unique_id=None), "unique_id is empty in 60 rows"),
        (frame(DAYS, measure=["a"] * 30 + ["b"] * 30), "new: measure changes within a series"),
        (frame(DAYS, "hour", timezone="Moon"), "new: timezone 'Moon'"),
        (frame([pd.Timestamp("1702-01-01"), *DAYS], "hour", "old"), "old: ds lies .* before the newest"),
        (pd.concat([frame(DAYS), frame(DAYS - pd.Timedelta(days=900), name="shut")]), "shut: ended"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_by_name(broken: pd.DataFrame, told: str, models: Models) -> None:
    with pytest.raises(ValueError, match=told):
        answer(models, broken)


def test_a_grain_without_a_model_says_which_there_are(models: Models) -> None:
    with pytest.raises(ValueError, match="new: no model of grain hour is here: give values per day"):
        answer({("day", "few"): models["day", "few"]}, frame(DAYS, "hour"))


def test_the_example_of_every_grain_is_answered(models: Models) -> None:
    for grain in ("hour", "day", "week", "month"):
        own = {key: one for key, one in models.items() if key[0] == grain}
        assert len(answer(own, input_example(own))) == HORIZON * 23
