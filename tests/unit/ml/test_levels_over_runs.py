"""A level follows from the run before, and only where that run knew less of the feed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ml.scoring import _levelled
from ml.warehouse.output import RiskRow

pytestmark = pytest.mark.unit
NOW = datetime(2024, 7, 1, tzinfo=UTC)


def risk(probability: float, known_at: datetime) -> RiskRow:
    return RiskRow(1, 1, 24, NOW, 10.0, 2, probability, False, known_at, 10.0, "occupied over capacity")


def after(probabilities: list[tuple[float, int]]) -> list[int]:
    """Return the level after each run of (probability, hours since the first at which the feed was heard)."""
    found: list[RiskRow] = []
    for probability, hours in probabilities:
        before = (found[-1].level, list(found[-1].runs_below), found[-1].known_at) if found else None
        found.append(_levelled(risk(probability, NOW + timedelta(hours=hours)), before))
    return [one.level for one in found]


def test_a_level_is_reached_at_once_and_left_after_three_calmer_runs() -> None:
    assert after([(0.9, 0), (0.05, 1), (0.05, 2), (0.05, 3)]) == [4, 4, 4, 1]


def test_runs_that_know_nothing_new_of_the_feed_do_not_count() -> None:
    assert after([(0.9, 0), (0.05, 1), (0.05, 1), (0.05, 1), (0.05, 2)]) == [4, 4, 4, 4, 4]
    assert after([(0.05, 0), (0.9, 0)]) == [1, 1]
