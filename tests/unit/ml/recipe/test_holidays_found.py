"""The country is told from the past where its holidays show, and from nothing else."""

from __future__ import annotations

import holidays
import numpy as np
import pytest

from ml.recipe.holidays import country_of
from tests.unit.ml.recipe import panels

pytestmark = pytest.mark.unit
DAYS = np.arange(1200) + int(np.datetime64("2021-01-04", "D").astype(np.int64))


def marked(country: str) -> np.ndarray:
    """Return whether each day is a holiday there."""
    found = holidays.country_holidays(country, years=range(2021, 2025))
    return np.array([np.datetime64(int(day), "D").item() in found for day in DAYS])


@pytest.mark.parametrize("country", ["DE", "JP", "BR", "CA"])
def test_planted_holidays_are_found(country: str) -> None:
    noise = np.random.default_rng(4).normal(0, 1, len(DAYS))
    found = country_of(DAYS, noise - 2.5 * marked(country))
    assert found is not None
    # Some countries share their calendar; whichever it is, its days are those.
    assert (marked(found) & marked(country)).sum() >= 0.9 * marked(country).sum()


def test_noise_has_no_country() -> None:
    for seed in range(12):
        assert country_of(DAYS, np.random.default_rng(seed).normal(0, 1, len(DAYS))) is None


def test_one_large_event_on_a_holiday_is_none() -> None:
    surprise = np.random.default_rng(1).normal(0, 1, len(DAYS))
    surprise[75:85] += 50
    assert country_of(DAYS, surprise) is None


def test_a_short_past_tells_nothing() -> None:
    surprise = np.random.default_rng(4).normal(0, 1, 300) - 5 * marked("DE")[:300]
    assert country_of(DAYS[:300], surprise) is None


def test_the_model_says_whose_holidays_it_found_and_takes_the_named_ones_first() -> None:
    y, _, _ = panels.census(5, 900)
    at = np.datetime64("2022-01-03", "D") + np.arange(900)
    closed = holidays.country_holidays("DE", years=range(2021, 2026))
    y = np.maximum(y - 12 * np.array([day.item() in closed for day in at]), 0)
    known = panels.panel(y, 7)
    fitted = panels.small(2_000, 10).fit(known)
    fitted.predict(known, panels.LEVELS)
    assert fitted.how[""].startswith("holidays of ")
    named = panels.panel(y, 7, static={"country_code": np.array(["FR"] * 5, dtype=object)})
    fitted = panels.small(2_000, 10).fit(named)
    fitted.predict(named, panels.LEVELS)
    assert "" not in fitted.how
