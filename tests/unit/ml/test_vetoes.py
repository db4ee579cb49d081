"""Which recipe a person's veto keeps from becoming champion by itself, and what ends that."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ml.tracking.changes import CHAMPION, GATE, Change
from ml.tracking.vetoes import standing

pytestmark = pytest.mark.unit

# Versions 1 and 2 are one recipe, 3 another's, 4 and 5 the first one's again, 6 the first with new code.
OLD, OTHER, NEW_CODE = ("settings", "code"), ("others", "code"), ("settings", "new code")
RECIPES = {"1": OLD, "2": OLD, "3": OTHER, "4": OLD, "5": OLD, "6": NEW_CODE}


def changes(*moves: str) -> list[Change]:
    """Return moves of the champion, each as `who:from>to`."""
    found = []
    for number, one in enumerate(moves):
        who, move = one.split(":")
        before, after = move.split(">")
        name = GATE if who == "gate" else who
        moment = datetime(2024, 7, 1 + number, tzinfo=UTC)
        found.append(Change(number, moment, CHAMPION, before or None, after, name, "why", None, None))
    return found


@pytest.mark.parametrize(
    ("moves", "vetoed"),
    [
        ((), set()),
        (("gate:>1", "gate:1>2"), set()),
        # A refresh taken off: also where the version before it is of the same recipe.
        (("gate:>1", "gate:1>2", "ana:2>1"), {OLD}),
        # Another recipe taken off; the one that serves again is none of it.
        (("gate:>2", "gate:2>3", "ana:3>2"), {OTHER}),
        # Lifted by letting it, or a newer one of the same, serve.
        (("gate:>1", "gate:1>2", "ana:2>1", "ben:1>2"), set()),
        (("gate:>1", "gate:1>2", "ana:2>1", "ben:1>5"), set()),
        (("gate:>2", "gate:2>3", "ana:3>2", "ben:2>3"), set()),
        # Another recipe put in its place lifts nothing.
        (("gate:>1", "gate:1>2", "ana:2>1", "ben:1>3"), {OLD}),
        # Lifted, and taken off once more.
        (("gate:>1", "gate:1>2", "ana:2>1", "ben:1>2", "ana:2>1"), {OLD}),
        # Another recipe taken off, and an older version than the one vetoed serves: that lifts nothing.
        (("gate:>4", "gate:4>5", "ana:5>4", "gate:4>6", "ben:6>4"), {OLD, NEW_CODE}),
        (("gate:>4", "gate:4>5", "ana:5>4", "gate:4>6", "ben:6>5"), {NEW_CODE}),
        # Two versions of it taken off: the older one back lifts its own veto alone.
        (("gate:>3", "gate:3>4", "gate:4>5", "ana:5>4", "ana:4>3", "ben:3>4"), {OLD}),
        (("gate:>3", "gate:3>4", "gate:4>5", "ana:5>4", "ana:4>3", "ben:3>5"), set()),
        # Lifted also where nothing served meanwhile: the alias was taken away in MLflow.
        (("gate:>3", "gate:3>4", "ana:4>3", "ben:>4"), set()),
        # The gate lifts nothing.
        (("gate:>2", "gate:2>3", "ana:3>2", "gate:2>6"), {OTHER}),
        # An older version let serve by hand, and taken off: the newer one was champion before it.
        (("gate:>3", "gate:3>6", "ana:6>2", "ben:2>6"), {OLD}),
        # A version nobody knows the making of.
        (("gate:>1", "gate:1>9", "ana:9>1"), set()),
    ],
)
def test_a_veto_stands_until_a_person_lets_a_version_of_the_recipe_serve(
    moves: tuple[str, ...], vetoed: set[tuple[str, str]]
) -> None:
    told = changes(*moves)
    assert {recipe for recipe in (OLD, OTHER, NEW_CODE) if standing(told, RECIPES, recipe)} == vetoed


def test_the_newest_veto_is_the_one_that_is_told() -> None:
    found = standing(changes("gate:>1", "gate:1>4", "ana:4>1", "gate:1>5", "ben:5>1"), RECIPES, OLD)
    assert found is not None
    assert (found.who, found.from_version) == ("ben", "5")
