"""From back-test cells to the table of scores: one row per model, grain and metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import metrics
from .origins import MODELS, OURS, PAST_SHARE, PERSISTENCE, SEASONAL_NAIVE, Backtest, Cells, RiskCells

Floats = np.ndarray
LEVELS = (0.5, 0.8, 0.95)


@dataclass(frozen=True)
class Score:
    """One figure. `grain` is `hour` or, for one feed of it, `hour:feed`; value None: not computable."""

    model: str
    grain: str
    metric: str
    value: float | None
    cells: int
    origins: int


def table(tests: list[Backtest], quantiles: tuple[float, ...]) -> list[Score]:
    """Return all scores of all grains, over each grain and over each feed of it."""
    found: list[Score] = []
    for test in tests:
        groups = {test.grain: test.cells}
        for feed in sorted({cells.feed for cells in test.cells}):
            groups[f"{test.grain}:{feed}"] = [cells for cells in test.cells if cells.feed == feed]
        for name, cells in groups.items():
            if cells:
                found += _accuracy(name, cells, quantiles)
        risks = {test.grain: test.risks}
        for feed in sorted({one.feed for one in test.risks}):
            risks[f"{test.grain}:{feed}"] = [one for one in test.risks if one.feed == feed]
        for name, some in risks.items():
            if some:
                found += _risk(name, some)
    return found


def _accuracy(name: str, cells: list[Cells], quantiles: tuple[float, ...]) -> list[Score]:
    truth = np.concatenate([one.truth for one in cells])
    naive_error = np.concatenate([one.naive_error for one in cells])
    origins = len({(one.feed, int(number)) for one in cells for number in np.unique(one.origin)})
    feeds = len({one.feed for one in cells})
    found = []
    losses = {}
    for model in MODELS:
        forecast = np.concatenate([one.quantiles[model] for one in cells])
        point = np.concatenate([one.points[model] for one in cells])
        losses[model] = _scaled_loss(cells, model, quantiles)
        figures = {
            "weighted_quantile_loss": metrics.weighted_quantile_loss(truth, forecast, quantiles),
            "weighted_interval_score": float(metrics.weighted_interval_score(truth, forecast,
            quantiles).mean()),
            "mase": metrics.mean_absolute_scaled_error(truth, point, naive_error),
            "mae": float(np.abs(truth - point).mean()),
            "bias": float((point - truth).mean()),
            **{f"coverage_{level:.0%}".rstrip("%"): metrics.coverage(truth, forecast, quantiles, level)
                for level in LEVELS},
        }  # fmt: skip
        found += [
            Score(model, name, metric, _number(value), len(truth), origins // feeds)
            for metric, value in figures.items()
        ]
    for model in MODELS:
        relative = losses[model] / losses[SEASONAL_NAIVE] if losses[SEASONAL_NAIVE] > 0 else float("nan")
        found.append(Score(model, name, "relative_loss", _number(relative), len(truth), origins // feeds))
    return found


def _scaled_loss(cells: list[Cells], model: str, quantiles: tuple[float, ...]) -> float:
    """Return the mean quantile loss, each cell divided by its series' naive error: size does not rule."""
    loss = np.concatenate(
        [metrics.weighted_interval_score(one.truth, one.quantiles[model], quantiles) for one in cells]
    )
    scale = np.concatenate([one.naive_error for one in cells])
    return float((loss[scale > 0] / scale[scale > 0]).mean()) if (scale > 0).any() else float("nan")


def _risk(name: str, risks: list[RiskCells]) -> list[Score]:
    event = np.concatenate([one.event for one in risks])
    over_now = np.concatenate([one.over_now for one in risks])
    said = {
        model: np.concatenate([one.probability[model] for one in risks]) for model in risks[0].probability
    }
    origins = len(risks) // len({one.feed for one in risks})
    found = [
        Score(model, name, "brier", _number(metrics.brier(probability, event)), len(event), origins)
        for model, probability in said.items()
    ]
    ours = said[OURS]
    new = over_now == 0
    figures = {
        "brier_skill_vs_persistence": metrics.brier_skill(ours, said[PERSISTENCE], event),
        "brier_skill_vs_past_share": metrics.brier_skill(ours, said[PAST_SHARE], event),
        "brier_skill_not_over_now": metrics.brier_skill(ours[new], said[PAST_SHARE][new], event[new]),
        "event_rate": float(event.mean()),
        "mean_probability": float(ours.mean()),
    }
    return found + [
        Score(OURS, name, metric, _number(value), len(event), origins) for metric, value in figures.items()
    ]


def _number(value: float) -> float | None:
    """Return None for what cannot be computed: NaN in a table reads like a number."""
    return float(value) if np.isfinite(value) else None
