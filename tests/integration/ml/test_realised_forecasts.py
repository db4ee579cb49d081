"""What came of forecasts, read from a real PostgreSQL: by hand, for panels and instants, and bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from ml import due, metrics
from ml.tracking.registry import Registered
from ml.warehouse import realised
from tests.integration.ml.test_training_and_scoring import CORE

pytestmark = pytest.mark.integration

AS_OF = datetime(2024, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)
QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)
SERIES = """
insert into core.dim_series (series_id, feed, measure, grain, timezone)
values (%s, 'wards', 'occupied', %s, 'UTC')
"""
VALUE = "insert into core.fct_usage values (%s, %s, %s, %s, %s, %s, %s, 1, %s)"
RUN = """
insert into model_output.run (run_id, kind, model_name, model_version, made_at, as_of, known_at_cut,
    code_version, lock_sha256, load_ids, parameters)
values (%s, %s, 'caregrid-forecast', %s, %s, %s, %s, '', '', '{}', %s)
"""
FORECAST = "insert into model_output.forecast values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"


@pytest.fixture
def core(warehouse: Any) -> Iterator[Any]:
    """An empty core, and a cursor that may write what models say."""
    with warehouse.connect("owner") as connection, connection.cursor() as cursor:
        cursor.execute(CORE)
        yield cursor


def _value(cursor: Any, series: int, start: datetime, value: float, *, length: timedelta = DAY,
           known: datetime | None = None, units: int | None = None, current: bool = True,
           status: str = "reported") -> None:  # fmt: skip
    end = start + length
    cursor.execute(VALUE, (series, start, end, known or end, value, status, units, current))


def _run(
    cursor: Any, name: str, cut: datetime, version: str = "1", kind: str = "score", **parameters: Any
) -> None:
    cursor.execute(RUN, (name, kind, version, cut, cut, cut, json.dumps(parameters)))


def _say(cursor: Any, name: str, series: int, start: datetime, lead: int, values: tuple[float, ...],
         cut: datetime, length: timedelta = DAY) -> None:  # fmt: skip
    for level, value in zip(QUANTILES, values, strict=True):
        cursor.execute(FORECAST, (name, series, start, start + length, lead, level, value, cut, cut))


SAID = (1.0, 4.0, 10.0, 16.0, 19.0)


def test_scores_and_coverage_by_hand_and_whose_truth_counts(core: Any) -> None:
    cut = AS_OF - 10 * DAY
    for series in (1, 2):
        core.execute(SERIES, (series, "day"))
    _run(core, "a", cut, panels={"2": 4.0})
    _run(core, "other version", cut, version="2")
    _run(core, "training", cut, kind="train")
    for lead in range(1, 11):
        start = cut + (lead - 1) * DAY
        for name in ("a", "other version"):
            _say(core, name, 1, start, lead, SAID, cut)
        _value(core, 1, start, 12.0 if lead == 1 else 20.0)
        _value(core, 1, start, 99.0, current=False)
    _say(core, "a", 2, cut, 1, SAID, cut)
    # Three of four units reported 9; all would have reported 12.
    _value(core, 2, cut, 9.0, units=3)
    # Known before the forecast was made, not reported, and not known yet: no truth.
    for lead, how in ((2, {"known": cut}), (4, {"status": "missing"}), (8, {"known": AS_OF + DAY})):
        _say(core, "a", 2, cut + (lead - 1) * DAY, lead, SAID, cut)
        _value(core, 2, cut + (lead - 1) * DAY, 12.0, **how)  # type: ignore[arg-type]
    found = realised.realised(core.connection, "1", AS_OF)
    assert set(found) == {"day"}
    cells = found["day"]
    told = sorted(zip(cells.series_id, cells.lead, cells.score.round(9), cells.covered, strict=True))
    near, far = (
        float(metrics.weighted_interval_score(np.array([truth]), np.array([SAID]), QUANTILES)[0])
        for truth in (12.0, 20.0)
    )
    assert told == [
        (1, 1, round(near, 9), 1.0), (1, 2, round(far, 9), 0.0), (1, 4, round(far, 9), 0.0),
        (1, 8, round(far, 9), 0.0), (2, 1, round(near, 9), 1.0),
    ]  # fmt: skip
    assert set(cells.origin.tolist()) == {int(cut.timestamp())}
    assert realised.realised(core.connection, "3", AS_OF) == {}


def test_the_newest_instant_speaks_for_its_hour(core: Any) -> None:
    cut, hour = AS_OF - DAY, timedelta(hours=1)
    core.execute(SERIES, (1, "instant"))
    _run(core, "a", cut)
    _say(core, "a", 1, cut, 1, SAID, cut, hour)
    for minute, value in ((5, 90.0), (50, 10.0), (65, 90.0)):
        _value(core, 1, cut + timedelta(minutes=minute), value, length=timedelta(0))
    cells = realised.realised(core.connection, "1", AS_OF)["hour"]
    assert (cells.lead.tolist(), cells.covered.tolist()) == ([1], [1.0])


def test_much_is_read_in_part(core: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realised, "MOST_RUNS", 3)
    monkeypatch.setattr(realised, "MOST_SERIES", 2)
    cuts = [AS_OF - number * DAY for number in range(12, 2, -1)]
    for series in range(1, 6):
        core.execute(SERIES, (series, "day"))
        for number in range(14):
            _value(core, series, cuts[0] + number * DAY, 10.0)
    for number, cut in enumerate(cuts):
        _run(core, f"run {number}", cut)
        # The same knowledge once more: one of the two is looked at.
        _run(core, f"run {number} again", cut)
        for series in range(1, 6):
            for name in (f"run {number}", f"run {number} again"):
                _say(core, name, series, cut, 1, SAID, cut)
    cells = realised.realised(core.connection, "1", AS_OF)["day"]
    assert sorted(set(cells.origin.tolist())) == [int(cuts[at].timestamp()) for at in (0, 4, 9)]
    assert len(set(cells.series_id.tolist())) == 2
    assert len(cells.score) == 6


def test_forecasts_that_come_true_worse_than_in_the_back_test_ask_for_a_training(core: Any) -> None:
    """Twelve origins, 60 series, one day ahead; the back-test of version 1 lost as much, that of 2 half."""
    cuts = [AS_OF - number * DAY for number in range(14, 2, -1)]
    for series in range(60):
        core.execute(SERIES, (series, "day"))
    for version, loss in (("1", 1.0), ("2", 0.5)):
        _run(core, f"train {version}", cuts[0], version, "train")
        for metric, value in (("scaled_interval_score_at_1", loss), ("scaled_interval_score", 9.0)):
            core.execute(
                "insert into model_output.backtest values (%s, 'caregrid', 'day', %s, %s, 900, 30)",
                (f"train {version}", metric, value),
            )
        for number, cut in enumerate(cuts):
            _run(core, f"{version} {number}", cut, version)
            core.execute(
                """insert into model_output.forecast
                   select %s, series_id, %s, %s, 1, level, value, %s, %s from core.dim_series,
                   unnest(%s::float8[], %s::float8[]) as said (level, value)""",
                (f"{version} {number}", cut, cut + DAY, cut, cut, list(QUANTILES), list(SAID)),
            )
    draws = np.random.default_rng(1)
    for cut in cuts:
        for series in range(60):
            _value(core, series, cut, float(draws.choice([3.0, 6.0, 9.0, 11.0, 14.0])))
    tags = {"as_of": (AS_OF - 2 * DAY).isoformat(), "series_by_grain": json.dumps({"day": 60})}
    cells = realised.realised(core.connection, "1", AS_OF)["day"]
    unit = float(cells.score.mean())

    class Steady:
        """Series whose naive error is the mean score, and features that did not move."""

        grain, feed = "day", "wards"
        fitted = type("Model", (), {"shifts": lambda self, panel: []})()
        panel = type(
            "Shown", (), {"ids": tuple(map(str, range(60))), "season": 1, "width": 2,
                          "y": np.tile([0.0, unit], (60, 1))},
        )()  # fmt: skip

    one, two = (
        due.why(core.connection, Registered(version, "run", tags), AS_OF, None, lambda: [Steady()])  # type: ignore[list-item]
        for version in ("1", "2")
    )
    assert one is None
    assert "decay: the interval score per day is 2.00 of the back-test's over 720 values" in str(two)
