"""The model against processes whose distribution is known: it must come near what nobody can beat."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from ml.metrics import pinball
from ml.panel import Floats
from tests.unit.ml.recipe import panels

pytestmark = pytest.mark.unit
HORIZON, PULL, STEP = 14, 0.9, 3.0


def loss(truth: Floats, quantiles: Floats) -> float:
    """Return the mean pinball loss over series, leads and levels."""
    cells = quantiles.reshape(-1, len(panels.LEVELS))
    return float(pinball(truth.ravel(), cells, panels.LEVELS).mean())


@pytest.fixture(scope="module")
def forecasts() -> tuple[Floats, Floats, Floats, Floats]:
    """Return (truth, ours, ideal, last values) over ten cutoffs of an autoregression."""
    y, mean, departure = panels.census(8, 620, pull=PULL)
    truths, ours, ideals, lasts = [], [], [], []
    lead = np.arange(1, HORIZON + 1)
    spread = STEP * np.sqrt((1 - PULL ** (2 * lead)) / (1 - PULL**2))
    for cut in range(440, 440 + 10 * 17, 17):
        known = panels.panel(y[:, :cut], HORIZON)
        fitted = panels.small().fit(known)
        ours.append(fitted.predict(known, panels.LEVELS))
        middle = mean[:, cut : cut + HORIZON] + departure[:, cut - 1 : cut] * PULL**lead
        ideals.append(middle[..., None] + spread[None, :, None] * ndtri(np.array(panels.LEVELS)))
        truths.append(y[:, cut : cut + HORIZON])
        lasts.append(np.broadcast_to(y[:, cut - 1, None, None], ours[-1].shape))
    return np.stack(truths), np.stack(ours), np.stack(ideals), np.stack(lasts)


def test_it_comes_near_the_true_distribution(forecasts: tuple[Floats, Floats, Floats, Floats]) -> None:
    truth, ours, ideal, last = forecasts
    assert loss(truth, ours) < 1.12 * loss(truth, ideal)
    assert loss(truth, ours) < 0.8 * loss(truth, last)


def test_as_many_truths_lie_below_each_quantile_as_it_says(
    forecasts: tuple[Floats, Floats, Floats, Floats],
) -> None:
    truth, ours, ideal, _ = forecasts
    for level in (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975):
        at = panels.LEVELS.index(level)
        below = float((truth < ours[..., at]).mean())
        # The truths of one cutoff hang together: what the true distribution misses by, and a little more.
        missed = abs(float((truth < ideal[..., at]).mean()) - level)
        assert abs(below - level) < missed + 0.07, f"{level}: {below:.3f}"


def test_a_series_at_120_percent_is_forecast_above_its_capacity() -> None:
    y, _, _ = panels.census(6, 500, seed=11, level=120.0)
    held = y.mean(axis=1, keepdims=True) / 1.2
    below: dict[float, list[float]] = {0.1: [], 0.5: [], 0.9: []}
    for cut in range(360, 472, 16):
        known = panels.panel(
            y[:, :cut], HORIZON, capacity=np.broadcast_to(np.round(held), (6, cut)).astype(float)
        )
        said = panels.small().fit(known).predict(known, panels.LEVELS)
        truth = y[:, cut : cut + HORIZON]
        assert (said[..., panels.LEVELS.index(0.5)] > held).all()
        for level, found in below.items():
            found.append(float((truth < said[..., panels.LEVELS.index(level)]).mean()))
    for level, found in below.items():
        assert abs(float(np.mean(found)) - level) < 0.1, f"{level}: {np.mean(found):.3f}"


def test_the_same_panel_gives_the_same_numbers() -> None:
    y, _, _ = panels.census(4, 200)
    known = panels.panel(y, 7)
    once = panels.small().fit(known).predict(known, panels.LEVELS)
    again = panels.small().fit(panels.panel(y.copy(), 7)).predict(known, panels.LEVELS)
    assert np.array_equal(once, again)


def test_a_fitted_model_answers_a_later_panel_too() -> None:
    y, _, _ = panels.census(4, 220)
    fitted = panels.small().fit(panels.panel(y[:, :200], 7))
    later = panels.panel(y, 7)
    said = fitted.predict(later, panels.LEVELS)
    assert np.isfinite(said).all()
    middle = said[..., panels.LEVELS.index(0.5)]
    assert np.abs(middle[:, 0] - y[:, -1]).mean() < np.abs(middle[:, 0] - y[:, 199]).mean() + 6
