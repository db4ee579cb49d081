"""Which forecasts a reader is shown: the worst, some typical ones, the best, and the steepest change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ml import metrics

from .cells import Cells, Floats

if TYPE_CHECKING:
    import polars as pl

# Periods before the cutoff that are shown, per period ahead.
PAST = 2.5
FEWEST_PAST = 14


@dataclass
class Example:
    """One forecast from one cutoff with the truth around it.

    Args:
        times: [step]; bands: {level in percent: (low, high)}; middle, baseline: [step] medians or None.
        seen, truth: time and value of what was true up to the cutoff, and after it.
        capacity: at the cutoff, or None.
    """

    unique_id: str
    cutoff: np.datetime64
    why: str
    times: np.ndarray
    bands: dict[int, tuple[Floats, Floats]]
    middle: Floats | None
    baseline: Floats | None
    seen: tuple[np.ndarray, Floats]
    truth: tuple[np.ndarray, Floats]
    capacity: float | None


def choose(cells: Cells, model: str, moved: Floats) -> list[tuple[int, int, str]]:
    """Return (series, cutoff, why) of up to six forecasts, by their mean score in the series' own scale.

    Args:
        moved: [cell] change of the truth since the cutoff, see `steepest.changes`.
    """
    wis = cells.figure(model, "wis")
    own = np.where(cells.naive_error > 0, cells.naive_error, np.maximum(np.abs(cells.truth), 1.0))
    known = np.isfinite(wis)
    if not known.any():
        return []
    pair = cells.series * len(cells.cutoffs) + cells.cutoff
    there, at = np.unique(pair[known], return_inverse=True)
    loss = np.bincount(at, (wis / own)[known]) / np.bincount(at)
    size = np.zeros(len(there))
    np.maximum.at(size, at, np.nan_to_num(np.abs(moved[known])))
    order = np.argsort(loss, kind="stable")
    wanted = [
        (order[::-1], "worst of all · 最差"),
        (order[::-1], "worst of another series · 另一序列最差"),
        (np.argsort(-size, kind="stable"), "steepest change · 变化最剧烈"),
        (order[len(order) // 2 :], "median score · 中位"),
        (order[len(order) // 4 :], "a quarter are better · 较好"),
        (order, "best of all · 最好"),
    ]
    found: list[tuple[int, int, str]] = []
    for candidates, why in wanted:
        used = {series for series, _, _ in found}
        fresh = next((one for one in candidates if int(there[one]) // len(cells.cutoffs) not in used), None)
        if fresh is None:
            # Fewer series than pictures: another cutoff will do.
            pairs = {series * len(cells.cutoffs) + cutoff for series, cutoff, _ in found}
            fresh = next((one for one in candidates if int(there[one]) not in pairs), None)
        if fresh is not None:
            series, cutoff = divmod(int(there[fresh]), len(cells.cutoffs))
            found.append((series, cutoff, why))
    return found


def gather(
    forecasts: Path | pl.DataFrame,
    truth: pl.DataFrame,
    cells: Cells,
    model: str,
    baseline: str,
    moved: Floats,
) -> list[Example]:
    """Return the chosen forecasts with everything a picture needs."""
    import polars as pl

    chosen = choose(cells, model, moved)
    if not chosen:
        return []
    rows = pl.scan_parquet(forecasts) if isinstance(forecasts, Path) else forecasts.lazy()
    wanted = rows.filter(
        pl.col("model").is_in([model, baseline])
        & pl.any_horizontal(
            (pl.col("unique_id").cast(pl.String) == cells.ids[series])
            & (pl.col("cutoff") == pl.lit(cells.cutoffs[cutoff]).cast(rows.collect_schema()["cutoff"]))
            for series, cutoff, _ in chosen
        )
    ).with_columns(pl.col("cutoff", "ds").cast(pl.Datetime("us"))).collect(engine="streaming")  # fmt: skip
    known = truth.with_columns(
        pl.col("unique_id").cast(pl.String), pl.col("ds").cast(pl.Datetime("us"))
    ).sort("ds")
    found = []
    for series, cutoff, why in chosen:
        name, moment = cells.ids[series], cells.cutoffs[cutoff]
        here = wanted.filter(
            (pl.col("unique_id").cast(pl.String) == name) & (pl.col("cutoff") == pl.lit(moment))
        )
        times, levels, table = _matrix(here.filter(pl.col("model") == model))
        own = known.filter((pl.col("unique_id") == name) & (pl.col("ds") <= times.max()))
        before = own.filter(pl.col("ds") <= pl.lit(moment)).tail(max(FEWEST_PAST, int(PAST * len(times))))
        # The line of what came begins where the line of what was known ends.
        after = pl.concat([before.tail(1), own.filter(pl.col("ds") > pl.lit(moment))])
        beside = None
        if model != baseline:
            other_times, other_levels, other = _matrix(here.filter(pl.col("model") == baseline))
            if len(other_times) == len(times):
                beside = _level(other, other_levels, 0.5)
        bands = {
            level: edges for level in (95, 80, 50)
            if (edges := metrics.interval(table, levels, level / 100)) is not None
        }  # fmt: skip
        held = cells.capacity[(cells.series == series) & (cells.cutoff == cutoff)]
        held = held[np.isfinite(held)]
        found.append(
            Example(
                name, moment, why, times, bands, _level(table, levels, 0.5), beside,
                (before["ds"].to_numpy(), before["y"].to_numpy()),
                (after["ds"].to_numpy(), after["y"].to_numpy()),
                float(held[0]) if len(held) else None,
            )
        )  # fmt: skip
    return found


def _matrix(rows: pl.DataFrame) -> tuple[np.ndarray, tuple[float, ...], Floats]:
    """Return times, levels and [time, level] values of one forecast."""
    import polars as pl

    rows = rows.with_columns(pl.col("quantile").round(9))
    times, levels = rows["ds"].unique().sort().to_numpy(), rows["quantile"].unique().sort().to_numpy()
    table = np.full((len(times), len(levels)), np.nan)
    at = np.searchsorted(times, rows["ds"].to_numpy()), np.searchsorted(levels, rows["quantile"].to_numpy())
    table[at] = rows["value"].to_numpy()
    return times, tuple(levels.tolist()), table


def _level(table: Floats, levels: tuple[float, ...], wanted: float) -> Floats | None:
    at = [number for number, level in enumerate(levels) if abs(level - wanted) < metrics.SAME_LEVEL]
    return table[:, at[0]] if at else None
