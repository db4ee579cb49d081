"""Grid coordinates to latitude and longitude."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import polars as pl

from caregrid.mapping.cells import Cell
from caregrid.mapping.table import Table


@lru_cache(maxsize=16)
def _transformer(code: str) -> Any:
    from pyproj import Transformer

    return Transformer.from_crs(code, "EPSG:4326", always_xy=True)


def projected(table: Table, spec: dict[str, Any], x: Cell, y: Cell) -> Cell:
    """Return degrees WGS 84 from x and y of a projected system, null where either is missing."""
    key = ("project", spec["from"], str(spec["x"]), str(spec["y"]))
    if key not in table.cache:
        present = x.series.is_not_null() & y.series.is_not_null()
        longitude, latitude = _transformer(spec["from"]).transform(
            x.series.fill_null(0.0).to_numpy(), y.series.fill_null(0.0).to_numpy()
        )
        degrees = {
            axis: pl.Series(axis, values, pl.Float64)
            for axis, values in (("longitude", longitude), ("latitude", latitude))
        }
        table.cache[key] = {
            axis: values.set(~(present & values.is_finite()), None) for axis, values in degrees.items()
        }
    series = table.cache[key][spec["axis"]]
    status = pl.select(
        pl.when(series.is_null()).then(pl.lit("missing")).otherwise(pl.lit("reported"))
    ).to_series()
    return Cell(series, [*x.problems, *y.problems], status)
