"""SHAP values of a blend: they add up to what the blend says, and name the feature that moves it."""

from __future__ import annotations

import numpy as np
import pytest

from ml.tracking import explain
from tests.unit.ml.recipe.panels import census, panel, small
from tests.unit.ml.trainings import fitted

pytestmark = pytest.mark.unit


def test_contributions_add_up_to_what_the_blend_says() -> None:
    model = fitted()
    assert model.blend is not None
    assert model.sample_rows is not None
    # Weighed so that both parts are seen.
    model.blend.weight = 0.4
    found = explain.contributions(model)
    assert found is not None
    lead = model.sample_rows[:, model.feature_names.index("lead")].astype(int)
    said = model.blend.predict(model.sample_rows, lead)
    assert found.sum(axis=1) == pytest.approx(said, abs=1e-9)
    told = explain.importance(model)
    assert len(told) == len(model.feature_names)
    assert [value for _, value in told] == sorted((value for _, value in told), reverse=True)


def test_a_signal_that_tells_the_value_of_tomorrow_moves_it_most() -> None:
    y, _, _ = census(4, 400, pull=0.2)
    ahead = np.concatenate([y[:, 1:], np.full((4, 1), np.nan)], axis=1)
    model = small(3000, 40).fit(panel(y[:, :399], 1, past={"told": ahead[:, :399]}))
    assert model.blend is not None
    model.blend.weight = 0.0
    assert explain.importance(model)[0][0].startswith("told_")


def test_a_model_without_trees_is_not_explained_and_the_largest_feeds_are() -> None:
    y, _, _ = census(2, 24)
    short = small().fit(panel(y, 5))
    assert explain.importance(short) == []
    large, middle, little = fitted(4), fitted(3), fitted(2)
    models = {("day", "a"): little, ("day", "b"): large, ("day", "c"): middle, ("week", "d"): short}
    assert explain.chosen(models) == [("day", "b"), ("day", "c")]
