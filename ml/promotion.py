"""The written rule by which a challenger becomes champion (docs/models.md says it in words)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .origins import OURS
from .scores import Score

FEWEST_ORIGINS = 5
FEWEST_CELLS = 200
COVERAGE = {"coverage_80": (0.68, 0.92), "coverage_95": (0.87, 0.998)}
LEAST_GAIN = 0.01
MOST_LOSS_OF_A_GRAIN = 0.05

PROMOTED, REFUSED, NOT_ENOUGH = "promoted", "refused", "not enough evidence"


@dataclass(frozen=True)
class Verdict:
    """What was decided, why, and which grains the model may serve."""

    answer: str
    reason: str
    serves: tuple[str, ...]


def figures(scores: list[Score]) -> dict[str, dict[str, float]]:
    """Return {grain: {metric: value}} of our model over whole grains, with its cells and origins."""
    found: dict[str, dict[str, float]] = {}
    for score in scores:
        if score.model == OURS and ":" not in score.grain and score.value is not None:
            grain = found.setdefault(score.grain, {})
            grain[score.metric] = score.value
            if score.metric == "relative_loss":
                grain |= {"cells": score.cells, "origins": score.origins}
    return found


def judge_grains(scores: list[Score]) -> dict[str, str | None]:
    """Return per grain None when it may be served, else what keeps it back."""
    found: dict[str, str | None] = {}
    for grain, figure in figures(scores).items():
        why = None
        if figure.get("origins", 0) < FEWEST_ORIGINS or figure.get("cells", 0) < FEWEST_CELLS:
            why = f"{NOT_ENOUGH}: {figure.get('cells', 0):.0f} cells, {figure.get('origins', 0):.0f} origins"
        elif figure["relative_loss"] >= 1:
            why = f"quantile loss is {figure['relative_loss']:.3f} of seasonal naive's"
        else:
            for metric, (low, high) in COVERAGE.items():
                if metric in figure and not low <= figure[metric] <= high:
                    why = f"{metric} is {figure[metric]:.3f}, outside {low}-{high}"
        found[grain] = why
    return found


def decide(
    challenger: list[Score],
    champion: list[Score] | None = None,
    champion_serves: tuple[str, ...] = (),
    same_recipe: bool = False,
) -> Verdict:
    """Decide on a challenger.

    Args:
        challenger: its back-test.
        champion: the champion's recipe on the very same cells; None where there is no champion.
        champion_serves: grains the champion serves; a challenger must serve them all.
        same_recipe: both are the same recipe, the challenger fitted on newer data.
    """
    judged = judge_grains(challenger)
    serves = tuple(sorted(grain for grain, why in judged.items() if why is None))
    kept_back = "; ".join(f"{grain}: {why}" for grain, why in sorted(judged.items()) if why)
    if not serves:
        answer = NOT_ENOUGH if all(NOT_ENOUGH in (why or "") for why in judged.values()) else REFUSED
        return Verdict(answer, kept_back or "no grain could be back-tested", ())
    shown = f"serves {', '.join(serves)}" + (f"; kept back: {kept_back}" if kept_back else "")
    missing = sorted(set(champion_serves) - set(serves))
    if missing:
        return Verdict(
            REFUSED, f"the champion serves {', '.join(missing)}, this one may not: {kept_back}", serves
        )
    if champion is None:
        return Verdict(PROMOTED, f"no champion yet; beats seasonal naive; {shown}", serves)
    if same_recipe:
        return Verdict(
            PROMOTED, f"the champion's recipe on newer data; beats seasonal naive; {shown}", serves
        )
    ours, theirs = figures(challenger), figures(champion)
    shared = [grain for grain in serves if grain in theirs]
    ratios = {grain: ours[grain]["relative_loss"] / theirs[grain]["relative_loss"] for grain in shared}
    overall = math.exp(sum(math.log(ratio) for ratio in ratios.values()) / len(ratios)) if ratios else 1.0
    told = ", ".join(f"{grain} {ratio:.3f}" for grain, ratio in sorted(ratios.items()))
    worst = max(ratios.values(), default=1.0)
    if worst > 1 + MOST_LOSS_OF_A_GRAIN:
        return Verdict(REFUSED, f"a grain is worse than the champion's by over 5 %: {told}", serves)
    if set(serves) <= set(champion_serves) and overall > 1 - LEAST_GAIN:
        return Verdict(
            REFUSED, f"loss is {overall:.3f} of the champion's, a gain of 1 % is asked: {told}", serves
        )
    return Verdict(
        PROMOTED, f"loss is {overall:.3f} of the champion's on the same cells ({told}); {shown}", serves
    )
