"""The steepest tenth: the cells in which the truth moved most since the cutoff, where a surge is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .cells import Cells, Floats
from .scores import summarise

if TYPE_CHECKING:
    import polars as pl

SHARE = 0.1
STEEP, RISES, FALLS, OTHERS = "steepest tenth", "of it rises", "of it falls", "the other nine tenths"


def changes(cells: Cells, truth: pl.DataFrame) -> Floats:
    """Return [cell] how far the truth moved since the last one at or before the cutoff, by its own scale.

    The scale of a series is the standard deviation of all of its truth. NaN where a series has no truth at
    or before the cutoff, or never moves.

    Args:
        truth: unique_id, ds, y; what lies before the cutoffs belongs to it.
    """
    import polars as pl

    known = truth.filter(pl.col("y").is_finite()).select(
        pl.col("unique_id").cast(pl.String),
        pl.col("ds").cast(pl.Datetime("us")),
        pl.col("y").cast(pl.Float64),
    )
    scale = known.group_by("unique_id").agg(scale=pl.col("y").std(ddof=0))
    series = pl.DataFrame({"unique_id": list(cells.ids)}).with_row_index("series")
    pairs = series.join(pl.DataFrame({"cutoff": cells.cutoffs}), how="cross")
    last = (
        pairs.sort("cutoff")
        .join_asof(known.sort("ds"), left_on="cutoff", right_on="ds", by="unique_id", check_sortedness=False)
        .join(scale, on="unique_id", how="left")
        .sort("series", "cutoff")
    )
    shape = (len(cells.ids), len(cells.cutoffs))
    before, by = (last[name].to_numpy().reshape(shape)[cells.series, cells.cutoff] for name in ("y", "scale"))
    return (cells.truth - before) / np.where(by > 0, by, np.nan)


def table(cells: Cells, truth: pl.DataFrame, baseline: str) -> pl.DataFrame:
    """Return the scores on the steepest tenth of all cells, on its rises, its falls, and on the rest.

    The tenth is of cells that any model forecast, so that it is the same for all of them.
    """
    import polars as pl

    moved = changes(cells, truth)
    size = np.abs(moved)
    known = np.isfinite(size)
    if not known.any():
        return summarise(cells, np.full(len(moved), -1), [STEEP], baseline).head(0).rename({"group": "part"})
    # Of equal changes at the edge the first ones in order are taken: a tenth is a tenth.
    ranked = np.argsort(np.where(known, -size, np.inf), kind="stable")
    steep = np.zeros(len(moved), dtype=bool)
    steep[ranked[: max(1, round(SHARE * known.sum()))]] = True
    found = []
    for name, inside in (
        (STEEP, steep), (RISES, steep & (moved > 0)), (FALLS, steep & (moved < 0)), (OTHERS, known & ~steep),
    ):  # fmt: skip
        found.append(summarise(cells, np.where(inside, 0, -1), [name], baseline))
    return pl.concat(found).rename({"group": "part"}).filter(pl.col("n") > 0)
