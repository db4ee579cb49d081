"""Pictures of a back-test, as files: loss by horizon, coverage, reliability of the risks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.cells import LEVELS
from ..evaluation.drawing import MUTED, colours, styled
from ..reliability import curve, refusal
from ..warehouse.tested import BASELINE, OURS, Tested
from .run_figures import stepped


def draw(tests: list[Tested], folder: Path) -> None:
    """Write `accuracy_GRAIN.png` per grain, and `risk_GRAIN_FEED.png` where there are events enough."""
    from matplotlib.figure import Figure

    with styled():
        for grain in sorted({test.grain for test in tests}):
            figure = Figure(figsize=(10, 4), layout="constrained")
            _accuracy(figure, [test for test in tests if test.grain == grain], grain)
            figure.savefig(folder / f"accuracy_{grain}.png", dpi=100)
        for test in tests:
            if test.risks is not None and refusal(test.risks.event) is None:
                figure = Figure(figsize=(5, 4.5), layout="constrained")
                _reliability(figure, test)
                figure.savefig(folder / f"risk_{test.grain}_{test.feed}.png", dpi=100)


def _accuracy(figure: Any, tests: list[Tested], grain: str) -> None:
    left, right = figure.subplots(1, 2)
    points = list(stepped(tests))
    tone = colours(sorted({point.model for point in points}), OURS, BASELINE)
    for model, colour in tone.items():
        own = [point for point in points if point.model == model]
        loss = [point for point in own if point.name == f"{grain}.scaled_wis"]
        left.plot([one.step for one in loss], [one.value for one in loss], label=model, color=colour)
    for level, style in zip(LEVELS, (":", "--", "-"), strict=True):
        right.axhline(level, color=MUTED, linewidth=0.8)
        for model in (OURS, BASELINE):
            name = f"{grain}.coverage_{level}"
            held = [point for point in points if point.model == model and point.name == name]
            right.plot(
                [one.step for one in held], [100 * one.value for one in held], style,
                color=tone.get(model), label=f"{model}, {level} %",
            )  # fmt: skip
    left.set(title="Loss", xlabel=f"{grain}s ahead", ylabel="interval score / in-sample seasonal naive error")
    right.set(title="Truth inside the interval", xlabel=f"{grain}s ahead", ylabel="%")
    left.set_ylim(bottom=0)
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.15))


def _reliability(figure: Any, test: Tested) -> None:
    risks = test.risks
    assert risks is not None
    axes = figure.subplots()
    for model, colour in colours(sorted(risks.probability), OURS, "").items():
        if model in risks.probability:
            found = curve(risks.probability[model], risks.event)
            said, seen = ([one[name] for one in found] for name in ("said", "came_true"))
            axes.plot(said, seen, "o-", color=colour, label=model)
    axes.axline((0, 0), (1, 1), color=MUTED, linewidth=0.8)
    axes.set(xlabel="P(overload within h) as said", ylabel="share that came true")
    axes.set_title(f"{test.feed}, {int(np.sum(risks.event))} events of {len(risks.event)}")
    axes.legend()
