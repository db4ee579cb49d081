"""Sets of line numbers, as PostgreSQL's int4multirange writes them."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl


def union(parts: Iterable[pl.Series]) -> pl.Series:
    """Return the distinct lines of all parts, sorted (Int32, named "line")."""
    cast = [part.cast(pl.Int32).rename("line") for part in parts]
    if not cast:
        return pl.Series("line", [], pl.Int32)
    return pl.concat(cast).unique().sort()


def without(lines: pl.Series, taken: pl.Series) -> pl.Series:
    """Return the lines that are not among the taken ones; both sorted and distinct."""
    return lines.to_frame().join(taken.to_frame(), on="line", how="anti").to_series().sort()


def multirange(lines: pl.Series) -> str:
    """Return sorted distinct lines as int4multirange text, for example {[2,5),[9,10)}."""
    if not len(lines):
        return "{}"
    frame = lines.to_frame().with_columns((pl.col("line").diff().fill_null(0) != 1).cum_sum().alias("run"))
    runs = frame.group_by("run", maintain_order=True).agg(
        pl.col("line").first().alias("first"), (pl.col("line").last() + 1).alias("end")
    )
    return "{" + ",".join(f"[{first},{end})" for first, end in runs.select("first", "end").iter_rows()) + "}"
