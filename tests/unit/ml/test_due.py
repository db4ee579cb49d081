"""Why a champion is due to be replaced: age, growth of what there is to forecast, decay, and drift."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from ml import due
from ml.due import Watched
from ml.recipe import FittedCareGrid
from ml.tracking.registry import Registered
from ml.warehouse import forecasting
from ml.warehouse.data import Frames
from ml.warehouse.inputs import Inputs
from ml.warehouse.realised import Realised
from ml.warehouse.settings import DEMO
from tests.unit.ml.answers import Answers
from tests.unit.ml.frames import frame, spines, wave

pytestmark = pytest.mark.unit

NOW = datetime(2024, 7, 1, tzinfo=UTC)
COUNTS: list[tuple[Any, ...]] = [("day", 10)]
RUNS: list[tuple[Any, ...]] = [("run", NOW)]
USUAL: list[tuple[Any, ...]] = [
    ("day", "scaled_interval_score_at_1", 0.5),
    ("day", "scaled_interval_score_at_2", 1.0),
]
SMALL = replace(
    DEMO,
    grains={
        grain: replace(one, configuration=replace(one.configuration, rows=3000, rounds=3))
        for grain, one in DEMO.grains.items()
    },
)


def _model(version: str = "1", hours: float = 24, series: int = 10) -> Registered:
    tags = {
        "as_of": (NOW - timedelta(hours=hours)).isoformat(), "serves": "day", "settings": SMALL.as_json(),
        "series_by_grain": json.dumps({"day": series}),
    }  # fmt: skip
    return Registered(version, "run", tags)


def _cells(count: int, held: float = 0.8, loss: float = 1.0) -> list[tuple[Any, ...]]:
    """Return cells of 20 origins and 10 series one and two days ahead; the naive error of series n is n."""
    found: list[tuple[Any, ...]] = []
    for at in range(count):
        series, lead, origin = at % 10 + 1, 1 + at // 10 % 2, NOW - timedelta(days=at // 20 % 20)
        usual = 0.5 if lead == 1 else 1.0
        found.append(("day", origin, series, lead, loss * usual * series, at < held * count))
    return found


@pytest.mark.parametrize(
    ("hours", "counts", "cells", "why"),
    [
        (24, COUNTS, [], None),
        (8 * 24, COUNTS, [], "days old"),
        (24, [("day", 20)], [], "20 series per day where the newest model knew 10"),
        (24, [("hour", 1)], [], "1 series per hour"),
        (24, COUNTS, _cells(600, held=0.5), "drift: the 80 % interval held 50% of 600 values per day"),
        (24, COUNTS, _cells(600, held=1.0), "drift: the 80 % interval held 100%"),
        (24, COUNTS, _cells(600), None),
        (24, COUNTS, _cells(499, held=0.5), None),
    ],
)
def test_age_growth_and_coverage_ask_for_a_new_model(
    hours: float, counts: list[tuple[Any, ...]], cells: list[tuple[Any, ...]], why: str | None
) -> None:
    said = due.why(Answers(counts, RUNS if cells else [], cells, USUAL), _model(hours=hours), NOW)
    assert said is None if why is None else why in str(said)


def test_a_refused_challenger_is_not_asked_the_same_again_within_a_day() -> None:
    drifted = (RUNS, _cells(600, held=0.5))
    champion = _model(hours=100)
    assert due.why(Answers([("day", 20)], *drifted), champion, NOW, _model("2", 2, 20)) is None
    assert "drift" in str(due.why(Answers([("day", 20)], *drifted), champion, NOW, _model("2", 30, 20)))


def test_a_champion_of_today_is_not_asked_for_drift() -> None:
    """What is hard now was hard for it as well: asked at once, it would train without end."""
    worse = (COUNTS, RUNS, _cells(800, loss=2.0), USUAL)
    assert (
        due.why(Answers(*worse), _model(hours=23), NOW, None, lambda: pytest.fail("read too early")) is None
    )
    assert due.why(Answers(*worse), _model(hours=25), NOW, None, lambda: [_known({})]) is not None


def test_a_champion_that_cannot_be_loaded_is_replaced_at_once_but_not_asked_for_all_day() -> None:
    young, damage = _model(hours=2), lambda: "the champion cannot be loaded"
    unread = lambda: pytest.fail("there is nothing to watch")  # noqa: E731
    assert due.why(Answers(COUNTS, []), young, NOW, None, unread, damage) == damage()
    refused, unasked = _model("2", 1), lambda: pytest.fail("the models were fetched")
    assert due.why(Answers(COUNTS, []), young, NOW, refused, unread, unasked) is None
    tomorrow = NOW + timedelta(days=1)
    assert due.why(Answers(COUNTS, []), young, tomorrow, refused, unread, damage) == damage()


def test_the_models_are_not_fetched_where_age_or_growth_asks_already() -> None:
    unasked = lambda: pytest.fail("the models were fetched")  # noqa: E731
    assert "days old" in str(due.why(Answers(COUNTS), _model(hours=8 * 24), NOW, damage=unasked))
    assert "20 series" in str(due.why(Answers([("day", 20)]), _model(), NOW, damage=unasked))


class _Unmoved:
    """A model whose features have not moved."""

    def shifts(self, panel: Any) -> list[Any]:
        return []


def _known(columns: dict[int, np.ndarray]) -> Watched:
    """Return series 1 to 10 whose seasonal naive error is their number, beside other columns."""
    steps = {number: np.repeat([0.0, float(number)], [7, 7]) for number in range(1, 11)} | columns
    grid = spines(frame(steps), SMALL)[0].as_known(None)
    shown = forecasting.panel_of(grid, np.arange(len(steps)), SMALL.grains["day"])
    return Watched("day", "feed", _Unmoved(), shown)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("loss", "why"), [(1.0, None), (1.05, None), (1.3, "per day is 1.30 of the back-test's")]
)
def test_losses_in_units_of_series_and_lead_are_held_against_the_back_test(
    loss: float, why: str | None
) -> None:
    said = due.why(
        Answers(COUNTS, RUNS, _cells(800, loss=loss), USUAL), _model(), NOW, None, lambda: [_known({})]
    )
    assert said is None if why is None else why in str(said)


def test_decay_by_hand() -> None:
    origin = np.repeat(np.arange(20), 40)
    even = Realised(
        origin, np.tile([1, 2], 400), np.tile([1, 1, 2, 2], 200), np.tile([1.0, 4.0, 3.0, 12.0], 200),
        np.full(800, np.nan),
    )  # fmt: skip
    expected, scale = {"day": {1: 0.5, 2: 1.5}}, {1: 1.0, 2: 4.0}
    found = due.decays({"day": even}, expected, scale)["day"]
    # 1 / 1 / 0.5, 4 / 4 / 0.5, 3 / 1 / 1.5, 12 / 4 / 1.5: all are two.
    assert found.ratio == pytest.approx(2.0)
    assert found.low == pytest.approx(2.0)
    assert found.is_decayed
    assert due.decays({"day": even}, {}, scale)["day"].reason.startswith("0 forecasts of 0 origins")
    half = due.decays({"day": even}, expected, {1: 1.0})["day"]
    assert (half.cells, half.ratio) == (400, None)


@pytest.fixture(scope="module")
def wards() -> dict[int, np.ndarray]:
    """Values of 20 wards over 420 days."""
    return {number: wave(420, 30.0 + 10 * number, seed=number) for number in range(1, 21)}


@pytest.fixture(scope="module")
def fitted(wards: dict[int, np.ndarray]) -> FittedCareGrid:
    """The model of all but the last 20 days."""
    found = forecasting.learn(spines(_until(wards, 400), SMALL)[0].as_known(None), SMALL)
    assert found is not None
    return found


def _until(columns: dict[int, np.ndarray], days: int) -> Frames:
    return frame({number: values[:days] for number, values in columns.items()}, country_code="DE")


def _watch(columns: dict[int, np.ndarray], fitted: FittedCareGrid, days: int = 406) -> Iterator[Watched]:
    data = _until(columns, days)
    inputs = Inputs(NOW, [1], "", spines(data, SMALL), data.series())
    return due.watch(inputs, _model(), {("day", inputs.spines[0].feed): fitted})


def test_features_that_moved_since_training_are_found_in_what_would_be_forecast(
    wards: dict[int, np.ndarray], fitted: FittedCareGrid
) -> None:
    feed = spines(_until(wards, 9), SMALL)[0].feed
    found = list(
        due.watch(
            Inputs(NOW, [1], "", spines(_until(wards, 406), SMALL), None), _model(), {("day", feed): fitted}
        )
    )
    assert [(one.grain, one.feed, one.panel.width) for one in found] == [("day", feed, 406)]
    assert due.why(Answers(COUNTS, []), _model(), NOW, None, lambda: found) is None
    moved = {
        number: np.where(np.arange(420) >= 400, values * 1.5, values) for number, values in wards.items()
    }
    said = due.why(Answers(COUNTS, []), _model(), NOW, None, lambda: _watch(moved, fitted))
    assert f"day {feed} " in str(said)
    assert "features are not as in training" in str(said)


def test_a_grain_the_champion_does_not_serve_is_not_watched(
    wards: dict[int, np.ndarray], fitted: FittedCareGrid
) -> None:
    inputs = Inputs(NOW, [1], "", spines(_until(wards, 406), SMALL), None)
    feed = inputs.spines[0].feed
    keeps = Registered("1", "run", {**_model().tags, "serves": "hour"})
    assert list(due.watch(inputs, keeps, {("day", feed): fitted})) == []
    assert list(due.watch(inputs, _model(), {("hour", feed): fitted})) == []
