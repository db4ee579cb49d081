"""Scores of a risk model and of the plain ones beside it, over all test rows and over each subgroup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .. import metrics, reliability
from . import metrics as risk_metrics
from .columns import Column
from .metrics import FEWEST_OF_EACH
from .table import EVENT, Table, numbers

Floats = np.ndarray

OURS = "caregrid"
FEWEST_TO_CALIBRATE = 50  # events of a subgroup before its calibration slope is told
FEWEST_SHOWN = 10  # rows of a subgroup: of fewer, a table could tell who they are


@dataclass(frozen=True)
class Score:
    """One figure of one model under one split; `value` None says in `reason` why."""

    split: str
    model: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    rows: int
    events: int | None
    reason: str


def scores(
    name: str, table: Table, rows: np.ndarray, said: dict[str, Floats], prevalence: float,
    quantiles: tuple[float, ...], replicates: int, seed: int,
) -> list[Score]:  # fmt: skip
    """Return every figure of every model on the same rows.

    Args:
        rows: [n] row numbers of the table; said: {model: [n] or [n, quantile]}.
    """
    truth, person = table.outcome[rows], table.person[rows]
    events = int(truth.sum()) if table.kind == EVENT else None
    found = []

    compared: dict[str, Callable[[Floats, Floats], float]] = {
        "auroc": risk_metrics.auroc, "brier": metrics.brier,
    } if table.kind == EVENT else {
        "wis": lambda one, real: float(metrics.weighted_interval_score(real, one, quantiles).mean()),
    }  # fmt: skip

    def figures_of(forecast: Floats, happened: Floats) -> risk_metrics.Figures:
        if table.kind == EVENT:
            return risk_metrics.of_events(forecast, happened, prevalence)
        return risk_metrics.of_amounts(forecast, happened, quantiles)

    for model, forecast in said.items():

        def figures(at: np.ndarray, forecast: Floats = forecast) -> risk_metrics.Figures:
            return figures_of(forecast[at], truth[at])

        for metric, one in risk_metrics.with_intervals(figures, person, replicates, seed).items():
            found.append(
                Score(name, model, metric, one.value, one.low, one.high, len(rows), events, one.reason)
            )
    for model in said:
        if model != OURS:

            def gains(at: np.ndarray, other: Floats = said[model]) -> risk_metrics.Figures:
                return {
                    f"{metric}_gain": figure(said[OURS][at], truth[at]) - figure(other[at], truth[at])
                    for metric, figure in compared.items()
                }

            # Drawn together, so that what both find hard does not widen the interval of their difference.
            for metric, one in risk_metrics.with_intervals(gains, person, replicates, seed).items():
                found.append(
                    Score(
                        name, f"{OURS} less {model}", metric, one.value, one.low, one.high, len(rows), events,
                        one.reason,
                    )
                )  # fmt: skip
    return found


def flagged_figures(probability: Floats, event: Floats, threshold: float | None) -> dict[str, float | None]:
    """Return what flagging from a threshold on does; None where nobody could tell."""
    flagged = np.zeros(len(event), bool) if threshold is None else probability >= threshold
    count, events = int(flagged.sum()), float(event.sum())
    return {
        "flagged_rate": float(flagged.mean()) if len(event) else None,
        "sensitivity": float(event[flagged].sum() / events) if events else None,
        "specificity": float(1 - flagged[event == 0].mean()) if events < len(event) else None,
        "positive_predictive_value": float(event[flagged].mean()) if count else None,
    }


def flagging(
    name: str, table: Table, rows: np.ndarray, probability: Floats, threshold: float | None,
    replicates: int, seed: int,
) -> list[Score]:  # fmt: skip
    """Return what flagging from the threshold on does to the test rows, with intervals."""
    truth, person = table.outcome[rows], table.person[rows]

    def figures(at: np.ndarray) -> risk_metrics.Figures:
        made = flagged_figures(probability[at], truth[at], threshold)
        return {metric: float("nan") if value is None else value for metric, value in made.items()}

    return [
        Score(name, OURS, metric, one.value, one.low, one.high, len(rows), int(truth.sum()), one.reason)
        for metric, one in risk_metrics.with_intervals(figures, person, replicates, seed).items()
    ]


def groups(table: Table, name: str, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return [n] the subgroup of each row; numbers of many values fall into fourths of the training rows."""
    import polars as pl

    column = table.frame[name]
    texts = column.cast(pl.String).fill_null("(missing)").to_numpy().astype(str)
    value = numbers(column)
    seen = np.unique(value[train & ~np.isnan(value)])
    if column.null_count() == int(np.isnan(value).sum()) and len(seen) > 10:
        edges = np.unique(np.quantile(value[train & ~np.isnan(value)], [0.25, 0.5, 0.75]))
        names = [f"below {edges[0]:g}", *(f"{low:g} to below {high:g}" for low, high in
                 pairwise(edges)), f"{edges[-1]:g} and more"]  # fmt: skip
        texts = np.where(
            np.isnan(value), "(missing)", np.array(names)[np.searchsorted(edges, value, "right")]
        )
    return texts[rows]


def subgroups(
    table: Table, train: np.ndarray, rows: np.ndarray, said: Floats, threshold: float | None,
    quantiles: tuple[float, ...],
) -> list[dict[str, object]]:  # fmt: skip
    """Return one line per value of every subgroup column: what can be told of it, and why the rest cannot."""
    wanted = [*table.roles.subgroups]
    if table.roles.site is not None and table.roles.site not in wanted:
        wanted.append(table.roles.site)
    truth, found = table.outcome[rows], []
    for name in wanted:
        label = groups(table, name, train, rows)
        for value in sorted(set(label)):
            at = label == value
            few = int(at.sum()) < FEWEST_SHOWN
            line: dict[str, object] = {"column": name, "group": value, "rows": None if few else int(at.sum())}
            if table.kind == EVENT:
                line |= _event_line(said[at], truth[at], threshold)
            else:
                line |= risk_metrics.of_amounts(said[at], truth[at], quantiles)
            found.append(line)
    return found


def _event_line(probability: Floats, event: Floats, threshold: float | None) -> dict[str, object]:
    events, others = int(event.sum()), int(len(event) - event.sum())
    line: dict[str, object] = {
        "events": None, "event_rate": None, "mean_probability": None, "auroc": None,
        "calibration_slope": None, "calibration_in_the_large": None, "sensitivity": None,
        "flagged_rate": None, "note": "",
    }  # fmt: skip
    if len(event) < FEWEST_SHOWN:
        line["note"] = f"too few to judge: fewer than {FEWEST_SHOWN} rows, which are not shown"
        return line
    line |= {
        "events": events, "event_rate": float(event.mean()), "mean_probability": float(probability.mean()),
        "flagged_rate": flagged_figures(probability, event, threshold)["flagged_rate"],
    }  # fmt: skip
    if min(events, others) < FEWEST_OF_EACH:
        line["note"] = (
            f"too few to judge: {events} events and {others} without, {FEWEST_OF_EACH} of each are needed"
        )
        return line
    line["auroc"] = risk_metrics.auroc(probability, event)
    line["sensitivity"] = flagged_figures(probability, event, threshold)["sensitivity"]
    x = reliability.log_odds(probability)
    line["calibration_in_the_large"] = reliability.line(x, event, slope=1.0)[0]
    if min(events, others) >= FEWEST_TO_CALIBRATE and float(x.std()) > 1e-9:
        line["calibration_slope"] = reliability.line(x, event)[1]
    else:
        line["note"] = f"no calibration slope: {events} events, {FEWEST_TO_CALIBRATE} are needed"
    return line


def importance(contributions: Floats, columns: list[Column]) -> list[tuple[str, float]]:
    """Return (column, mean absolute TreeSHAP value), the largest first."""
    size = np.abs(contributions[:, :-1]).mean(axis=0)
    order = np.argsort(-size, kind="stable")
    return [(columns[at].name, float(size[at])) for at in order]
