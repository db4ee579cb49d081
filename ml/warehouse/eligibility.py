"""Which series are forecast, and which are not and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..periods import MODEL_GRAIN, is_zone
from ..recipe.history import LONGEST_SILENCE
from ..recipe.model import NO_VALUE
from ..words import many
from .settings import Settings
from .spine import Grid, Spine

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class LeftOut:
    """One demand series that a run does not forecast; `detail` says why in English and Chinese."""

    series_id: int
    reason: str
    detail: str


def usable_rows(grid: Grid, settings: Settings) -> np.ndarray:
    """Return grid rows of demand series with enough observed values that are still being reported."""
    return np.array([row for row, why in enumerate(judge(grid, settings)) if why is None], dtype=np.int64)


def judge(grid: Grid, settings: Settings) -> list[tuple[str, str] | None]:
    """Return per grid row None (usable) or (reason, detail)."""
    spine, grain = grid.spine, settings.grains[grid.spine.grain]
    found: list[tuple[str, str] | None] = []
    late = grid.late(grain.horizon)
    statistics, demand = spine.series["statistic"].to_list(), spine.series["is_forecast"].to_list()
    ahead = spine.series["ahead"].to_list()
    for row in range(len(spine.series)):
        observed, last = int(grid.observed[row]), int(grid.last[row])
        if not demand[row]:
            found.append(("not_demand", "measure is not forecast · 该指标不作预测"))
        elif statistics[row] == "cumulative":
            found.append(
                (
                    "cumulative",
                    "a running total has no seasons; its differences would · 累计数没有周期，其差值才有",
                )
            )
        elif last < 0 and ahead[row]:
            found.append(
                (
                    "no_value",
                    f"{many(ahead[row], 'value')}, each told before its {spine.grain} began · "
                    f"{ahead[row]} 个值，都在其时段开始前公布",
                )
            )
        elif last < 0:
            found.append(("no_value", NO_VALUE))
        elif observed < grain.fewest:
            found.append(
                (
                    "too_few_values",
                    f"{observed} observed of {many(grain.fewest, spine.grain)} needed · "
                    f"需要 {grain.fewest} 期，只有 {observed} 期有值",
                )
            )
        elif (behind := grid.newest + late - last) > LONGEST_SILENCE * grain.horizon:
            found.append(
                (
                    "ended",
                    f"last value {many(behind, spine.grain)} before the feed's newest · "
                    f"最后一个值比该数据源最新值早 {behind} 期",
                )
            )
        else:
            found.append(None)
    return found


def left_out(series: pl.DataFrame, grids: list[Grid], settings: Settings) -> list[LeftOut]:
    """Return every demand series that would not be forecast, with its reason."""
    found, seen = [], set()
    for grid in grids:
        for series_id, why in zip(
            grid.spine.series["series_id"].to_list(), judge(grid, settings), strict=True
        ):
            seen.add(series_id)
            if why is not None and why[0] != "not_demand":
                found.append(LeftOut(series_id, *why))
    for row in series.iter_rows(named=True):
        if row["is_forecast"] and row["series_id"] not in seen:
            if row["grain"] not in MODEL_GRAIN:
                why = (
                    "grain_not_forecast",
                    f"values per {row['grain']} are too few for a season · 该时段类型的值太少，看不出周期",
                )
            elif not is_zone(row["timezone"] or ""):
                why = (
                    "unknown_time_zone",
                    f"nobody knows when its days begin in {row['timezone']!r} · "
                    f"时区 {row['timezone']!r} 未知，不知其日界",
                )
            else:
                why = ("no_value", NO_VALUE)
            found.append(LeftOut(row["series_id"], *why))
    return sorted(found, key=lambda one: one.series_id)


def drawn(spine: Spine, rows: np.ndarray, limit: int | None, seed: int) -> np.ndarray:
    """Return all rows, or a draw of at most `limit` by seed with pairs of capacity first, ascending."""
    if limit is None or len(rows) <= limit:
        return rows
    order = np.random.default_rng(seed).permutation(rows)
    first = [row for row in order if int(row) in spine.pairs]
    # Half of the draw at most is pairs, so that every measure stays in it.
    kept = first[: limit // 2]
    rest = [row for row in order if row not in set(kept)]
    return np.sort(np.array([*kept, *rest[: limit - len(kept)]], dtype=np.int64))
