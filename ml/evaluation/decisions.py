"""What a forecast is worth to somebody who acts on it: shortages missed, needless alarms, and value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ml import metrics

from .cells import Cells

if TYPE_CHECKING:
    import polars as pl

# What acting costs, as a share of the loss by a shortage that nobody prepared for. Whoever has that ratio
# does best to act where the probability is at least as high, so it is the alarm's threshold too.
RATIOS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
ALARM = 0.5
COLUMNS = (
    "model", "horizon", "cost_ratio", "n", "shortages", "alarms", "caught", "missed", "needless", "value",
    "reason",
)  # fmt: skip


def table(cells: Cells) -> pl.DataFrame:
    """Return, per model, what alarms at P(demand > capacity) >= cost ratio would have caught and missed.

    Over all horizons for every cost ratio, and by horizon for the alarm at one half. `value` is the relative
    economic value. A cell is a period of a series seen from one cutoff.

    Returns:
        COLUMNS; no row where no capacity is known.
    """
    import polars as pl

    rows: list[dict[str, Any]] = []
    known = np.isfinite(cells.capacity)
    for model in cells.models:
        over = cells.figure(model, "over")
        there = known & np.isfinite(over)
        if not there.any():
            continue
        steps = [
            ("all", there),
            *((str(step), there & (cells.step == step)) for step in np.unique(cells.step)),
        ]
        for horizon, inside in steps:
            event = cells.truth[inside] > cells.capacity[inside]
            for ratio in RATIOS if horizon == "all" else (ALARM,):
                rows.append(
                    {"model": model, "horizon": horizon, "cost_ratio": ratio}
                    | _outcome(over[inside] >= ratio, event, ratio)
                )
    integers = ("n", "shortages", "alarms", "caught", "missed", "needless")
    types: dict[str, Any] = dict.fromkeys(integers, pl.Int64)
    types |= {"model": pl.String, "horizon": pl.String, "reason": pl.String}
    return pl.DataFrame(rows, schema={name: types.get(name, pl.Float64) for name in COLUMNS})


def _outcome(alarm: np.ndarray, event: np.ndarray, ratio: float) -> dict[str, Any]:
    hits, needless = int((alarm & event).sum()), int((alarm & ~event).sum())
    missed, quiet = int((~alarm & event).sum()), int((~alarm & ~event).sum())
    value = metrics.relative_economic_value(hits, needless, missed, quiet, ratio)
    reason = None
    if not np.isfinite(value):
        reason = "value: no period was short" if not hits + missed else "value: every period was short"
        value = None  # type: ignore[assignment]
    return {
        "n": len(event), "shortages": hits + missed, "alarms": hits + needless, "caught": hits,
        "missed": missed, "needless": needless, "value": value, "reason": reason,
    }  # fmt: skip
