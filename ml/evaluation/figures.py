"""The pictures of a report, each drawn from a table that stands beside it as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..reliability import FEWEST_EVENTS
from .cells import Cells
from .drawing import GRID, INK, MUTED, OTHERS, OURS
from .examples import Example
from .telling import moment

if TYPE_CHECKING:
    import polars as pl

UNITS = {"H": "hours", "D": "days", "W": "weeks", "M": "months"}
FEW_MODELS = 3
HIGHEST_RATIO = 2.0  # what is worse still would leave no room for the rest
FEWEST_IN_TENTH = 10
MOST_EVENTS = 2  # more lines than these hide each other


def _line(
    axes: Any, x: Any, y: Any, name: str, tone: Mapping[str, str], ours: str | None, **more: Any
) -> None:
    strong = name == ours
    axes.plot(
        x,
        y,
        label=name,
        color=tone[name],
        linewidth=2.6 if strong else 1.5,
        zorder=4 if strong else 3,
        **more,
    )


def _legend(figure: Any, axes: Any) -> None:
    lines, names = axes.get_legend_handles_labels()
    if names:
        figure.legend(
            lines, names, loc="outside lower left", ncols=min(5, len(names)), fontsize=9, handlelength=1.6
        )


def by_horizon(
    figure: Any,
    scores: pl.DataFrame,
    tone: Mapping[str, str],
    ours: str | None,
    baseline: str,
    frequency: str,
) -> None:
    """Relative score and coverage of the 95 % interval, by horizon."""
    import polars as pl

    left, right = figure.subplots(1, 2)
    rows = scores.filter(pl.col("horizon") != "all").with_columns(pl.col("horizon").cast(pl.Int64))
    for name in tone:
        own = rows.filter(pl.col("model") == name).sort("horizon")
        steps = own["horizon"].to_numpy()
        marks = {"marker": "o", "markersize": 3.5} if len(steps) <= 14 else {}
        _line(left, steps, own["rwis"].cast(pl.Float64).to_numpy(), name, tone, ours, **marks)
        _line(right, steps, own["cov95"].cast(pl.Float64).to_numpy() * 100, name, tone, ours, **marks)
    left.set(
        title=f"Score relative to {_short(baseline)}", xlabel=f"{UNITS[frequency]} ahead", ylabel="WIS ratio"
    )
    right.set(title="Truth inside the 95 % interval", xlabel=f"{UNITS[frequency]} ahead", ylabel="%")
    right.axhspan(93, 97, color=GRID, alpha=0.7, zorder=1, linewidth=0)
    right.axhline(95, color=MUTED, linewidth=0.9, zorder=2)
    left.set_ylim(top=min(HIGHEST_RATIO, left.get_ylim()[1]))
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
    _legend(figure, left)


def calibration(figure: Any, cells: Cells, tone: Mapping[str, str], ours: str | None, baseline: str) -> None:
    """Reliability of the quantiles, and where between them the truth fell."""
    left, right = figure.subplots(1, 2, width_ratios=(1, 1))
    left.axline((0, 0), (1, 1), color=MUTED, linewidth=0.9)
    right.axhline(1, color=MUTED, linewidth=0.9)
    for name in tone:
        model = cells.models[name]
        total = model.mass.sum()
        if not total:
            continue
        levels = np.array(model.quantiles)
        # Where truth ties with a quantile both answers are right; the middle is drawn.
        reached = np.array([sum(model.reached[level]) / 2 for level in model.quantiles]) / total
        _line(left, levels, reached, name, tone, ours, marker="o", markersize=2.5)
        edges = np.concatenate([[0], levels, [1]])
        density = model.mass / total / np.diff(edges)
        if name == ours:
            right.stairs(density, edges, fill=True, color=tone[name], alpha=0.3, linewidth=0, zorder=2)
        # Steps of many models hide each other; the file calibration.csv holds all.
        if name in (ours, baseline) or len(tone) <= FEW_MODELS:
            right.stairs(density, edges, color=tone[name], linewidth=2.2 if name == ours else 1.1, zorder=3)
    left.set(
        title="Quantiles: said and seen", xlabel="quantile level", ylabel="share of truth at or below it"
    )
    left.set(xlim=(0, 1), ylim=(0, 1))
    right.set(title="Where the truth fell (PIT)", xlabel="position between the quantiles", ylabel="density")
    right.set(xlim=(0, 1), ylim=(0, min(6.0, max(2.0, right.get_ylim()[1]))))
    _legend(figure, left)


def fans(figure: Any, examples: Sequence[Example], baseline: str) -> None:
    """Forecasts as fans, with what was known before and what came."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    down = -(-len(examples) // 2)
    grid = figure.subplots(down, 2, squeeze=False).ravel()
    for axes, one in zip(grid, examples, strict=False):
        for level, alpha in ((95, 0.18), (80, 0.22), (50, 0.32)):
            if level in one.bands:
                axes.fill_between(
                    one.times, *one.bands[level], color=OURS, alpha=alpha, linewidth=0, zorder=2
                )
        if one.middle is not None:
            axes.plot(one.times, one.middle, color=OURS, linewidth=2, label="median, 50, 80, 95 %", zorder=4)
        if one.baseline is not None:
            axes.plot(
                one.times, one.baseline, color=MUTED, linewidth=1.2, linestyle=(0, (4, 2)), zorder=3,
                label=f"median of {_short(baseline)}",
            )  # fmt: skip
        mark = {"marker": "o", "markersize": 3} if len(one.times) <= 30 else {}
        axes.plot(*one.seen, color=MUTED, linewidth=1.1, zorder=3, label="truth before the cutoff", **mark)
        axes.plot(*one.truth, color=INK, linewidth=1.3, zorder=5, label="truth after it", **mark)
        if one.capacity is not None:
            axes.axhline(one.capacity, color="#c85a6a", linewidth=1, linestyle=(0, (1, 2)), label="capacity")
        axes.axvline(one.cutoff, color=MUTED, linewidth=0.9)
        locator = AutoDateLocator(minticks=3, maxticks=6)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.set_title(f"{_short(one.unique_id, 30)}  ·  {moment(one.cutoff)}", pad=17)
        axes.annotate(
            one.why, (0, 1), xytext=(0, 5), xycoords="axes fraction", textcoords="offset points", color=MUTED,
            fontsize=8.5,
        )  # fmt: skip
        axes.set_ylim(
            bottom=min(0, axes.get_ylim()[0]) if axes.get_ylim()[0] < axes.get_ylim()[1] / 3 else None
        )
    for axes in grid[len(examples) :]:
        axes.set_visible(False)
    _legend(figure, grid[0])


def by_group(
    figure: Any, by_series: pl.DataFrame, by_cutoff: pl.DataFrame, tone: Mapping[str, str], ours: str | None,
    baseline: str,
) -> None:  # fmt: skip
    """Relative score of every series, in order, and of every cutoff, in time."""
    import polars as pl
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.axhline(1, color=MUTED, linewidth=0.9)
    for name in (one for one in tone if one != baseline):
        ratio = by_series.filter((pl.col("model") == name) & pl.col("rwis").is_not_null())["rwis"].sort()
        if len(ratio):
            place = (np.arange(len(ratio)) + 0.5) / len(ratio) * 100
            _line(left, place, ratio.to_numpy(), name, tone, ours)
        own = by_cutoff.filter((pl.col("model") == name) & pl.col("rwis").is_not_null())
        if len(own):
            when = own["cutoff"].to_numpy().astype("datetime64[s]")
            mark = {"marker": "o", "markersize": 2.5} if len(own) <= 120 else {}
            _line(
                right,
                when,
                own["rwis"].to_numpy(),
                name,
                tone,
                ours,
                linestyle="none" if mark else "-",
                **mark,
            )
    left.set(
        title="Series, from best to worst", xlabel="% of series", ylabel=f"WIS ratio to {_short(baseline)}"
    )
    right.set(title="Cutoffs", ylabel=f"WIS ratio to {_short(baseline)}")
    for axes in (left, right):
        axes.set_ylim(0, min(HIGHEST_RATIO, max(1.2, axes.get_ylim()[1])))
    locator = AutoDateLocator(minticks=3, maxticks=7)
    right.xaxis.set_major_locator(locator)
    right.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    _legend(figure, left)


def decisions(
    figure: Any, table: pl.DataFrame, said: Mapping[str, Any], tone: Mapping[str, str], ours: str | None
) -> None:
    """Economic value over cost ratios, and reliability of `any step over capacity` where events suffice."""
    import polars as pl

    left, right = figure.subplots(1, 2)
    for name in tone:
        own = table.filter((pl.col("model") == name) & (pl.col("horizon") == "all")).sort("cost_ratio")
        if len(own):
            value = own["value"].cast(pl.Float64).to_numpy()
            _line(left, own["cost_ratio"].to_numpy(), value, name, tone, ours, marker="o", markersize=3)
    left.axhline(0, color=MUTED, linewidth=0.9)
    left.set(
        title="What acting on the alarm saves", xlabel="cost of acting / loss by a shortage", xlim=(0, 1)
    )
    left.set(ylabel="relative economic value", ylim=(max(-1.0, min(-0.1, left.get_ylim()[0])), 1))
    right.axline((0, 0), (1, 1), color=MUTED, linewidth=0.9)
    drawn = 0
    for name, within, probability, event in _reliable(said, ours):
        tenth = np.clip((probability * 10).astype(int), 0, 9)
        count = np.bincount(tenth, minlength=10)
        kept = count >= FEWEST_IN_TENTH
        shown, seen = (np.bincount(tenth, one, 10)[kept] / count[kept] for one in (probability, event))
        right.plot(shown, seen, "o-", color=(OURS, *OTHERS)[drawn % 10], markersize=4,
                   label=f"{_short(name, 18)}, next {within}")  # fmt: skip
        drawn += 1
    right.set(
        title="Any step over capacity: said and seen",
        xlabel="probability said",
        ylabel="share that came true",
    )
    right.set(xlim=(0, 1), ylim=(0, 1))
    if drawn:
        right.legend(loc="lower right", fontsize=8.5)
    else:
        right.annotate(f"fewer than {FEWEST_EVENTS} events:\nnot drawn", (0.5, 0.3), ha="center", color=MUTED)
    _legend(figure, left)


def _reliable(said: Mapping[str, Any], ours: str | None) -> list[tuple[str, int, Any, Any]]:
    """Return the events of our model, or of the only one, that are many enough to be drawn."""
    name = ours if ours in said else next(iter(said), None)
    enough = [
        (str(name), within, probability, event)
        for within, (probability, event) in (said.get(name, {}) if name else {}).items()
        if event.sum() >= FEWEST_EVENTS and (1 - event).sum() >= FEWEST_EVENTS
    ]
    # One step ahead paths say no more than marginals: the longest spans are shown.
    return enough[-MOST_EVENTS:]


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
