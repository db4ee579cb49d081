"""Which capacity stands against which demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .data import CAPACITY_MEASURES

if TYPE_CHECKING:
    import polars as pl


def capacity_pairs(series: pl.DataFrame) -> dict[int, int]:
    """Return {demand row: capacity row}: same place, service or resource, dimensions and unit, a stock.

    Staffed capacity goes before capacity; only series of the same feed and grain are paired, since others
    are known at other times.

    Args:
        series: of one feed and grain, in the order of its rows; SERIES_COLUMNS.
    """
    found: dict[tuple[object, ...], int] = {}
    columns = ("place_id", "service_or_resource", "dimensions", "unit")
    rows = list(series.iter_rows(named=True))
    for measure in reversed(CAPACITY_MEASURES):
        for number in reversed(range(len(rows))):
            if rows[number]["measure"] == measure:
                found[tuple(rows[number][column] for column in columns)] = number
    return {
        number: found[key]
        for number, row in enumerate(rows)
        if row["is_forecast"]
        and row["kind"] == "stock"
        and (key := tuple(row[column] for column in columns)) in found
    }
