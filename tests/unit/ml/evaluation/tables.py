"""Small tables of forecasts, in the form the back-test writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

# ds and cutoff bear no zone in the back-test's files: they are the table's own.
CUTOFF = datetime.fromisoformat("2024-01-07")
DAY = timedelta(days=1)
Cell = tuple[str, int]


def forecasts(
    said: Mapping[str, tuple[Sequence[float], Mapping[Cell, Sequence[float]]]], cutoff: datetime = CUTOFF
) -> pl.DataFrame:
    """Return rows of {model: (levels, {(series, horizon): values})}, one day per horizon."""
    rows = [
        (series, cutoff, cutoff + step * DAY, step, model, level, float(value))
        for model, (levels, cells) in said.items()
        for (series, step), values in cells.items()
        for level, value in zip(levels, values, strict=True)
    ]
    columns = ["unique_id", "cutoff", "ds", "horizon", "model", "quantile", "value"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def truth(values: Mapping[Cell, float], cutoff: datetime = CUTOFF) -> pl.DataFrame:
    """Return unique_id, ds, y of {(series, horizon): value}."""
    rows = [(series, cutoff + step * DAY, float(value)) for (series, step), value in values.items()]
    return pl.DataFrame(rows, schema=["unique_id", "ds", "y"], orient="row")


def history(errors: Mapping[str, float], cutoff: datetime = CUTOFF) -> pl.DataFrame:
    """Return unique_id, cutoff, naive_error."""
    rows = [(series, cutoff, float(value)) for series, value in errors.items()]
    return pl.DataFrame(rows, schema=["unique_id", "cutoff", "naive_error"], orient="row")
