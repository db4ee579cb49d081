"""Parquet as people give it: times of any zone; polars panics at one that it does not know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from caregrid.errors import CareGridError

from .periods import is_zone

if TYPE_CHECKING:
    import polars as pl

OFFSET = re.compile(r"[+-]\d{2}:?\d{2}")  # how Arrow writes a fixed offset in a zone's place


def read(path: Path) -> pl.DataFrame:
    """Return a file's rows as polars reads them; columns of times with a fixed offset in UTC.

    Raises:
        CareGridError: a column's time zone is unknown.
        polars.exceptions.PolarsError, OSError: it is no Parquet file.
    """
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except pa.ArrowException:
        return pl.read_parquet(path)  # which says what is wrong with it
    zones = {field.name: str(field.type.tz) for field in schema if getattr(field.type, "tz", None)}
    unread = {name: zone for name, zone in zones.items() if not is_zone(zone)}
    for name, zone in unread.items():
        if not OFFSET.fullmatch(zone):
            raise CareGridError(
                f"its times are of the zone {zone!r}, which is unknown",
                where=f"{path.name}, {name}",
                fix="write the column in UTC, or in a zone by its IANA name such as Europe/Berlin",
            )
    if not unread:
        return pl.read_parquet(path)
    table = pq.read_table(path)
    for name in unread:
        at = table.schema.get_field_index(name)
        column = table.column(name)
        table = table.set_column(at, name, column.cast(pa.timestamp(column.type.unit, "UTC")))
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found
