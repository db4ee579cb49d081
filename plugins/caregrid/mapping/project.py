"""Grid coordinates to latitude and longitude."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import polars as pl

from caregrid.mapping import cells, number_cells
from caregrid.mapping.table import Table


@lru_cache(maxsize=16)
def _transformer(code: str) -> Any:
    from pyproj import Transformer

    return Transformer.from_crs(code, "EPSG:4326", always_xy=True)


def projected(table: Table, spec: dict[str, Any], name: str) -> cells.Cell:
    """Return degrees WGS 84 from the x and y columns of a projected system, null where either is missing."""
    key = ("project", spec["from"], str(spec["x"]), str(spec["y"]))
    if key not in table.cache:
        x = number_cells.number_cell(table, spec["x"], f"{name} ({spec['x']})")
        y = number_cells.number_cell(table, spec["y"], f"{name} ({spec['y']})")
        present = x.series.is_not_null() & y.series.is_not_null()
        longitude, latitude = _transformer(spec["from"]).transform(
            x.series.fill_null(0.0).to_numpy(), y.series.fill_null(0.0).to_numpy()
        )
        degrees = {
            axis: pl.Series(axis, values, pl.Float64)
            for axis, values in (("longitude", longitude), ("latitude", latitude))
        }
        table.cache[key] = (
            {axis: values.set(~(present & values.is_finite()), None) for axis, values in degrees.items()},
            [*x.problems, *y.problems],
        )
    degrees, problems = table.cache[key]
    series = degrees[spec["axis"]]
    status = pl.select(
        pl.when(series.is_null()).then(pl.lit("missing")).otherwise(pl.lit("reported"))
    ).to_series()
    return cells.Cell(series, list(problems), status)
