"""The written rule, clause by clause, and why a champion is due."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ml import due, promotion
from ml.eligibility import LeftOut, left_out
from ml.registry import Registered
from ml.scores import Score
from ml.settings import DEMO, replace
from tests.unit.ml.answers import Answers
from tests.unit.ml.frames import frame, spines, wave

pytestmark = pytest.mark.unit


def _scores(
    grain: str = "day", loss: float = 0.8, covered: float = 0.95, cells: int = 900, origins: int = 5
) -> list[Score]:
    return [
        Score("caregrid", grain, "relative_loss", loss, cells, origins),
        Score("caregrid", grain, "coverage_80", 0.8, cells, origins),
        Score("caregrid", grain, "coverage_95", covered, cells, origins),
    ]


def test_the_first_that_beats_seasonal_naive_is_promoted() -> None:
    verdict = promotion.decide(_scores())
    assert (verdict.answer, verdict.serves) == ("promoted", ("day",))


@pytest.mark.parametrize(
    ("scores", "answer", "why"),
    [
        (_scores(loss=1.0), "refused", "1.000 of seasonal naive"),
        (_scores(covered=0.8), "refused", "coverage_95 is 0.800"),
        (_scores(cells=100), "not enough evidence", "100 cells"),
        (_scores(origins=4), "not enough evidence", "4 origins"),
        ([], "not enough evidence", "no grain"),
    ],
)
def test_what_is_not_promoted_says_why(scores: list[Score], answer: str, why: str) -> None:
    verdict = promotion.decide(scores)
    assert verdict.answer == answer
    assert why in verdict.reason
    assert verdict.serves == ()


def test_a_bad_grain_is_kept_back_and_named_and_keeps_back_no_other() -> None:
    verdict = promotion.decide(_scores("day") + _scores("hour", loss=1.3))
    assert (verdict.answer, verdict.serves) == ("promoted", ("day",))
    assert "hour" in verdict.reason


@pytest.mark.parametrize(
    ("ours", "theirs", "answer"),
    [
        ({"day": 0.79}, {"day": 0.80}, "promoted"),
        ({"day": 0.795}, {"day": 0.80}, "refused"),
        ({"day": 0.60, "hour": 0.85}, {"day": 0.80, "hour": 0.80}, "refused"),
        ({"day": 0.80, "hour": 0.80}, {"day": 0.80}, "promoted"),
    ],
)
def test_a_challenger_must_gain_and_lose_in_no_grain(
    ours: dict[str, float], theirs: dict[str, float], answer: str
) -> None:
    scores = [
        [score for grain, loss in one.items() for score in _scores(grain, loss)] for one in (ours, theirs)
    ]
    assert promotion.decide(scores[0], scores[1], tuple(theirs)).answer == answer


def test_the_same_recipe_on_newer_data_takes_over_but_may_drop_no_grain() -> None:
    fresh = promotion.decide(_scores(), _scores(), ("day",), same_recipe=True)
    assert fresh.answer == "promoted"
    drops = promotion.decide(_scores(), _scores(), ("day", "hour"), same_recipe=True)
    assert drops.answer == "refused"
    assert "hour" in drops.reason


@pytest.mark.parametrize(
    ("age", "counts", "realised", "why"),
    [
        (1, [("day", 10)], [], None),
        (8, [("day", 10)], [], "days old"),
        (1, [("day", 20)], [], "20 series per day where the newest model knew 10"),
        (1, [("hour", 1)], [], "1 series per hour"),
        (1, [("day", 10)], [("day", 600, 0.5)], "drift"),
        (1, [("day", 10)], [("day", 499, 0.5)], None),
    ],
)
def test_age_growth_and_drift_ask_for_a_new_model(
    age: int, counts: list[tuple[str, int]], realised: list[tuple[str, int, float]], why: str | None
) -> None:
    now = datetime(2024, 7, 1, tzinfo=UTC)
    tags = {"as_of": (now - timedelta(days=age)).isoformat(), "series_by_grain": json.dumps({"day": 10})}
    said = due.why(Answers(counts, realised), Registered("1", "run", tags), now)
    assert said is None if why is None else why in str(said)


def test_a_refused_challenger_is_not_asked_the_same_again_within_a_day() -> None:
    now = datetime(2024, 7, 1, tzinfo=UTC)

    def model(version: str, hours: int, series: int) -> Registered:
        tags = {
            "as_of": (now - timedelta(hours=hours)).isoformat(),
            "series_by_grain": json.dumps({"day": series}),
        }
        return Registered(version, "run", tags)

    drifted = [("day", 600, 0.5)]
    champion = model("1", 100, 10)
    assert due.why(Answers([("day", 20)], drifted), champion, now, model("2", 2, 20)) is None
    assert "drift" in str(due.why(Answers([("day", 20)], drifted), champion, now, model("2", 30, 20)))


def test_every_series_left_out_has_its_reason() -> None:
    columns = {1: wave(60), 2: wave(13), 3: wave(20), 4: wave(60), 5: wave(60), 6: wave(60) * float("nan")}
    data = frame(
        columns,
        statistic=["snapshot", "snapshot", "snapshot", "cumulative", "snapshot", "snapshot"],
        is_forecast=[True, True, True, True, False, True],
    )
    quarter = frame({7: wave(3)}).series().with_columns(grain=replace_grain())
    import polars as pl

    series = pl.concat([data.series(), quarter])
    found = left_out(series, [one.as_known(None) for one in spines(data)], DEMO)
    assert found == [
        LeftOut(2, "fewer_than_two_seasons", "13 observed of 14 days needed"),
        LeftOut(3, "ended", "last value 40 days before the feed's newest"),
        LeftOut(4, "cumulative", "a running total has no seasons; its differences would"),
        LeftOut(6, "no_value", "no reported value within the history that is read"),
        LeftOut(7, "grain_not_forecast", "values per quarter are too few for two seasons"),
    ]
    assert replace(DEMO, seed=1).fingerprint() != DEMO.fingerprint()


def replace_grain() -> Any:
    """Return the grain that no model forecasts."""
    import polars as pl

    return pl.lit("quarter")
