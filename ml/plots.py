"""Pictures of a back-test, as files: loss by horizon, coverage, reliability of the risks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import metrics
from .origins import MODELS, OURS, Backtest
from .reliability import FEWEST_EVENTS


def draw(tests: list[Backtest], quantiles: tuple[float, ...], folder: Path) -> None:
    """Write one PNG per grain and kind into the folder."""
    import matplotlib

    matplotlib.use("Agg")
    for test in tests:
        if test.cells:
            _accuracy(test, quantiles, folder / f"accuracy_{test.grain}.png")
        if test.risks and sum(one.event.sum() for one in test.risks) >= FEWEST_EVENTS:
            _reliability(test, folder / f"risk_{test.grain}.png")


def _accuracy(test: Backtest, quantiles: tuple[float, ...], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    horizon = np.concatenate([cells.horizon for cells in test.cells])
    for model in MODELS:
        loss = np.concatenate(
            [
                metrics.weighted_interval_score(cells.truth, cells.quantiles[model], quantiles)
                / np.where(cells.naive_error > 0, cells.naive_error, np.nan)
                for cells in test.cells
            ]
        )
        steps = np.unique(horizon)
        seen = ~np.isnan(loss)
        total = np.bincount(horizon[seen], loss[seen], minlength=steps.max() + 1)
        count = np.bincount(horizon[seen], minlength=steps.max() + 1)
        left.plot(steps, (total / np.maximum(count, 1))[steps], label=model)
        truth = np.concatenate([cells.truth for cells in test.cells])
        said = np.concatenate([cells.quantiles[model] for cells in test.cells])
        right.plot(
            quantiles, [(truth <= said[:, at]).mean() for at in range(len(quantiles))], "o-", label=model
        )
    left.set(xlabel=f"horizon ({test.grain}s)", ylabel="interval score / in-sample seasonal naive error")
    right.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    right.set(xlabel="quantile level", ylabel="share of truth at or below it")
    left.legend()
    figure.suptitle(f"{test.grain}: {len(horizon)} cells, feeds {', '.join(sorted(test.cuts))}")
    figure.savefig(path, dpi=90)


def _reliability(test: Backtest, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    event = np.concatenate([one.event for one in test.risks])
    for model in test.risks[0].probability:
        said = np.concatenate([one.probability[model] for one in test.risks])
        tenth = np.clip((said * 10).astype(int), 0, 9)
        count = np.bincount(tenth, minlength=10)
        kept = count >= 5
        shown, seen = np.bincount(tenth, said, 10), np.bincount(tenth, event, 10)
        axes.plot(
            (shown / np.maximum(count, 1))[kept], (seen / np.maximum(count, 1))[kept], "o-", label=model
        )
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes.set(xlabel="P(demand > capacity within h) as said", ylabel="share that came true")
    axes.set_title(f"{test.grain}: {int(event.sum())} events of {len(event)}, ours: {OURS}")
    axes.legend()
    figure.savefig(path, dpi=90)
