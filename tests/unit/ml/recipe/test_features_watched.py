"""The watch for drift: seasons and chance are no news, a definition that changes after training is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml import drift
from ml.panel import Floats, Panel
from ml.recipe import FittedCareGrid, files, watch
from tests.unit.ml.recipe.panels import panel, small

pytestmark = pytest.mark.unit

TRAINED = 900


def _seasonal(series: int = 30, days: int = TRAINED + 60, seed: int = 1) -> Floats:
    """Return counts of places of many sizes with a week, a year, and a level all share that wanders."""
    rng = np.random.default_rng(seed)
    at = np.arange(days)
    together, alone = np.zeros(days), np.zeros((series, days))
    for day in range(1, days):
        together[day] = 0.98 * together[day - 1] + rng.normal(0, 0.01)
        alone[:, day] = 0.95 * alone[:, day - 1] + rng.normal(0, 0.02, series)
    waves = 0.12 * np.sin(2 * np.pi * at / 7) + 0.15 * np.sin(2 * np.pi * at / 365.25)
    size = np.exp(rng.uniform(2.5, 6, series))[:, None]
    return rng.poisson(size * np.exp(waves + together + alone)).astype(float)


def _known(y: Floats, days: int, **more: Any) -> Panel:
    return panel(y[:, :days], 14, static={"country_code": np.full(len(y), "DE")}, **more)


def _fit(y: Floats, days: int = TRAINED, **more: Any) -> FittedCareGrid:
    return small(rows=4_000, rounds=2).fit(_known(y, days, **more))


@pytest.fixture(scope="module")
def seasonal() -> Floats:
    """Two and a half years of 30 series."""
    return _seasonal()


@pytest.fixture(scope="module")
def fitted(seasonal: Floats) -> FittedCareGrid:
    """The model of all but the last 60 days."""
    return _fit(seasonal)


def test_what_follows_the_calendar_or_is_one_for_all_series_is_not_watched(fitted: FittedCareGrid) -> None:
    names = [one.name for one in fitted.references]
    assert {"level_90", "mean_28", "value_0", "swing", "size"} <= set(names)
    assert set(names) < set(fitted.feature_names)
    for unwatched in ("lead", "weekday", "day_of_year", "series", "common_3", "year_ago_common"):
        assert unwatched in fitted.feature_names
        assert unwatched not in names
    assert not [name for name in names if "holiday" in name or name.startswith("static")]


def test_a_signal_that_is_known_in_advance_is_not_watched(seasonal: Floats) -> None:
    ahead = {"closed": np.tile(np.arange(414) % 9 < 2, (30, 1)).astype(float)}
    known = _fit(seasonal, 400, ahead=ahead)
    assert "closed_then" in known.feature_names
    assert not [one.name for one in known.references if one.name.startswith("closed")]


@pytest.mark.parametrize("trained", [600, 690, 780])
def test_a_new_week_of_another_season_is_no_news(seasonal: Floats, trained: int) -> None:
    """Autumn, winter and spring, each new to nobody who saw a year."""
    fitted = _fit(seasonal, trained)
    for days in (4, 5, 6, 7):
        found = fitted.shifts(_known(seasonal, trained + days))
        assert len(found) == len(fitted.references)
        assert all(one.index is not None for one in found)
        assert [one for one in found if one.is_major] == []
        assert drift.why(found, {}) is None


def test_without_the_look_at_earlier_weeks_the_season_would_be_news(
    seasonal: Floats, fitted: FittedCareGrid
) -> None:
    found = fitted.shifts(_known(seasonal, TRAINED + 4))
    assert any(one.index is not None and one.index > drift.MAJOR for one in found)
    assert not any(one.is_major for one in found)


@pytest.mark.parametrize(("share", "factor"), [(1.0, 0.75), (1.0, 1.3), (0.5, 0.5), (0.5, 2.0)])
def test_a_definition_that_changes_after_training_is_told(
    seasonal: Floats, fitted: FittedCareGrid, share: float, factor: float
) -> None:
    """From the first day after training some or all places count other beds than before."""
    changed = seasonal.copy()
    changed[: int(30 * share), TRAINED:] = np.round(changed[: int(30 * share), TRAINED:] * factor)
    found = fitted.shifts(_known(changed, TRAINED + 5))
    assert any(one.is_major for one in found)
    assert "features are not as in training" in str(drift.why(found, {}))


def test_what_training_saw_is_no_news(seasonal: Floats) -> None:
    """The change of definition lies before training: a model that learned from it is not asked to again."""
    changed = seasonal.copy()
    changed[:, TRAINED - 20 :] = np.round(changed[:, TRAINED - 20 :] * 1.5)
    fitted = _fit(changed)
    assert fitted.shifts(_known(changed, TRAINED)) == []
    assert drift.why(fitted.shifts(_known(changed, TRAINED + 5)), {}) is None


@pytest.mark.parametrize(
    ("series", "days", "trained", "words"),
    [
        (30, 3, TRAINED, "3 periods since training hold fewer than 100 values"),
        (30, 60, TRAINED, "of 60 periods before it, 10 are needed"),
        (30, 5, 60, "stretches of 5 periods before it, 10 are needed"),
    ],
)
def test_too_little_is_not_judged(seasonal: Floats, series: int, days: int, trained: int, words: str) -> None:
    if trained == TRAINED and days == 60:
        trained = 600
    found = _fit(seasonal, trained).shifts(_known(seasonal[:series], trained + days))
    assert found
    for one in found:
        assert (one.index, one.is_major) == (None, False)
        assert words in one.reason


def test_a_model_from_a_file_watches_as_the_one_that_was_kept(
    seasonal: Floats, fitted: FittedCareGrid, tmp_path: Path
) -> None:
    files.save(fitted, tmp_path / "model")
    after = _known(seasonal, TRAINED + 5)
    assert files.load(tmp_path / "model").shifts(after) == fitted.shifts(after)


def test_rows_are_drawn_alike_whenever_and_a_reference_takes_a_part_of_many(
    seasonal: Floats, fitted: FittedCareGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = _known(seasonal, TRAINED + 5)
    assert fitted.shifts(after) == fitted.shifts(replace(after))
    monkeypatch.setattr(watch, "MOST_ROWS", 1_000)
    assert {one.rows for one in _fit(seasonal).references} == {1_000}
