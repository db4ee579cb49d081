"""From back-test cells to the table of scores: one row per model, grain and metric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .. import metrics
from ..evaluation.cells import LEVELS
from ..panel import Floats
from .tested import BASELINE, OURS, PAST_SHARE, PERSISTENCE, Tested

# How far ahead our model's loss is told on its own: what comes true of a forecast begins with the nearest.
TOLD_LEADS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Score:
    """One figure. `grain` is `hour` or, for one feed of it, `hour:feed`; value None: not computable."""

    model: str
    grain: str
    metric: str
    value: float | None
    cells: int
    origins: int


def table(tests: list[Tested]) -> list[Score]:
    """Return all scores, over each grain and over each feed of it."""
    found: list[Score] = []
    for grain in sorted({test.grain for test in tests}):
        of_grain = [test for test in tests if test.grain == grain]
        for name, some in [(grain, of_grain), *((f"{grain}:{test.feed}", [test]) for test in of_grain)]:
            found += _accuracy(name, some)
            found += _risk(name, [test for test in some if test.risks is not None])
    return found


def of_model(tests: list[Tested], model: str, figure: str) -> Floats:
    """Return [cell] a figure of a model over the cells of several back-tests, NaN where it has none."""
    parts = [
        test.cells.figure(model, figure)
        if model in test.cells.models
        else np.full(len(test.cells.code), np.nan)
        for test in tests
    ]
    return np.concatenate(parts)


def naive_scale(tests: list[Tested]) -> Floats:
    """Return [cell] the in-sample seasonal naive error of the cell's series, NaN where it is 0 or unknown."""
    scale = np.concatenate([test.cells.naive_error for test in tests])
    return np.where(scale > 0, scale, np.nan)


def _accuracy(name: str, tests: list[Tested]) -> Iterator[Score]:
    truth = np.concatenate([test.cells.truth for test in tests])
    scale, cutoffs = naive_scale(tests), round(float(np.mean([len(test.cuts) for test in tests])))
    models = sorted({model for test in tests for model in test.cells.models})
    reference = of_model(tests, BASELINE, "wis") / scale
    for model in models:
        wis, point = of_model(tests, model, "wis"), of_model(tests, model, "point")
        there = ~np.isnan(wis)
        both = ~np.isnan(wis / scale) & ~np.isnan(reference)
        below = reference[both].mean() if both.any() else 0.0
        figures = {
            "weighted_interval_score": _mean(wis[there]),
            "scaled_interval_score": _mean((wis / scale)[~np.isnan(wis / scale)]),
            "relative_loss": (wis / scale)[both].mean() / below if below > 0 else float("nan"),
            "mase": metrics.mean_absolute_scaled_error(truth[there], point[there], scale[there]),
            "mae": _mean(np.abs(truth - point)[there]),
            "bias": _mean((point - truth)[there]),
        }
        for level in LEVELS:
            figures[f"coverage_{level}"] = _mean(of_model(tests, model, f"covered{level}")[there])
        for metric, value in figures.items():
            yield Score(model, name, metric, _number(value), int(there.sum()), cutoffs)
        if model == OURS and ":" not in name:
            lead = np.concatenate([test.cells.step for test in tests])
            for at in TOLD_LEADS:
                loss = (wis / scale)[(lead == at) & ~np.isnan(wis / scale)]
                if len(loss):
                    yield Score(model, name, at_lead(at), _number(_mean(loss)), len(loss), cutoffs)


def at_lead(lead: int) -> str:
    """Return the metric that tells the scaled interval score so many periods ahead."""
    return f"scaled_interval_score_at_{lead}"


def _risk(name: str, tests: list[Tested]) -> Iterator[Score]:
    risks = [test.risks for test in tests if test.risks is not None]
    if not risks:
        return
    event = np.concatenate([one.event for one in risks])
    new = np.concatenate([one.over_now for one in risks]) == 0
    said = {
        model: np.concatenate([one.probability[model] for one in risks]) for model in risks[0].probability
    }
    cutoffs = round(float(np.mean([len(test.cuts) for test in tests])))
    for model, probability in said.items():
        value = _number(metrics.brier(probability, event))
        yield Score(model, name, "brier", value, len(event), cutoffs)
    ours = said[OURS]
    figures = {
        "brier_skill_vs_persistence": metrics.brier_skill(ours, said[PERSISTENCE], event),
        "brier_skill_vs_past_share": metrics.brier_skill(ours, said[PAST_SHARE], event),
        "brier_skill_not_over_now": metrics.brier_skill(ours[new], said[PAST_SHARE][new], event[new]),
        "event_rate": _mean(event),
        "mean_probability": _mean(ours),
    }
    for metric, value in figures.items():
        yield Score(OURS, name, metric, _number(value), len(event), cutoffs)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _number(value: float) -> float | None:
    """Return None for what cannot be computed: NaN in a table reads like a number."""
    return float(value) if np.isfinite(value) else None
