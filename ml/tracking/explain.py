"""Which features move a fitted model's forecasts: SHAP values of a sample of its training rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..panel import Floats
from ..recipe.model import FittedCareGrid

SHOWN = 25
Importance = list[tuple[str, float]]


def contributions(fitted: FittedCareGrid) -> Floats | None:
    """Return [row, feature + 1] what each feature adds to the middle of a forecast, in scales; last the base.

    The blend is a sum, and so are its SHAP values: of the trees by TreeSHAP (Lundberg et al. 2020, Nat. Mach.
    Intell. 2), of the ridge regression by its terms, whose features are centred (Lundberg & Lee 2017, section
    4.1). The base is what the blend says of a row of mean features at the row's lead. None without models.
    """
    blend, rows = fitted.blend, fitted.sample_rows
    if blend is None or rows is None or not len(rows):
        return None
    lead = rows[:, fitted.feature_names.index("lead")].astype(np.int64)
    trees = [np.asarray(tree.predict(rows, pred_contrib=True, num_threads=1)) for tree in blend.trees]
    found = (1 - blend.weight) * np.mean(trees, axis=0)
    straight = blend.ridge.terms(rows[:, : blend.linear], lead)
    found[:, : blend.linear] += blend.weight * straight[:, :-1]
    found[:, -1] += blend.weight * straight[:, -1]
    return found


def importance(fitted: FittedCareGrid) -> Importance:
    """Return (feature, mean absolute contribution in scales), the largest first; [] without models."""
    found = contributions(fitted)
    if found is None:
        return []
    mean = np.abs(found[:, :-1]).mean(axis=0)
    order = np.argsort(-mean, kind="stable")
    return [(fitted.feature_names[at], float(mean[at])) for at in order]


def draw(told: Importance, title: str, path: Path) -> None:
    """Write the features that move most as bars."""
    from matplotlib.figure import Figure

    from ..evaluation.drawing import OURS, styled

    shown = told[:SHOWN][::-1]
    with styled():
        figure = Figure(figsize=(7.5, 0.8 + 0.26 * len(shown)), layout="constrained")
        axes = figure.subplots()
        axes.barh([name for name, _ in shown], [value for _, value in shown], color=OURS)
        axes.set(title=title, xlabel="mean |SHAP value|, in scales of the series")
        figure.savefig(path, dpi=100)


def chosen(models: dict[tuple[str, str], FittedCareGrid], most: int = 2) -> list[tuple[str, str]]:
    """Return the models that are explained: per grain the feeds with the most series."""
    found: list[tuple[str, str]] = []
    for grain in sorted({grain for grain, _ in models}):
        feeds = [key for key in models if key[0] == grain]
        feeds.sort(key=lambda key: (-len(models[key].ids), key))
        found += [key for key in feeds if models[key].blend is not None][:most]
    return found
