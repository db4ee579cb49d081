"""Hours written by a zone's clock when it is changed: the clock shows one of them twice, and one never."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from .times import SECOND
from .usable import many

if TYPE_CHECKING:
    import polars as pl


def moved(text: str, zone: ZoneInfo) -> int:
    """Return microseconds from the first to the second meaning of a time without an offset; 0: it has one.

    Above 0 the clock shows the time twice, below 0 never (PEP 495: `fold` tells the two apart).
    """
    found = datetime.fromisoformat(text.strip())
    if found.tzinfo is not None:
        return 0
    first, second = (found.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return 0 if first is None or second is None else round((first - second).total_seconds()) * SECOND


def settled(frame: pl.DataFrame, written: pl.Series, zone: ZoneInfo, notes: list[str]) -> pl.DataFrame:
    """Return the rows with the hours that the clock shows twice told apart, without those it never shows.

    Two rows of one series and one such hour (and one known_at) are its first and its second, in the order
    of the file. Further ones stay with the second, where they count as contradictions of it.

    Args:
        frame: rows in the order of the file, `ds` in microseconds by the first meaning of each time.
        written: `ds` as it was written.
    """
    import polars as pl

    texts = [text for text in written.drop_nulls().unique() if moved(text, zone)]
    if not texts:
        return frame
    by = pl.Series([moved(text, zone) for text in texts], dtype=pl.Int64)
    key = [name for name in ("unique_id", "ds", "known_at") if name in frame.columns]
    # Beside the table, whose further columns may have any name.
    rows = frame.select(*key, "line").with_columns(
        written.replace_strict(pl.Series(texts, dtype=pl.String), by, default=0).alias("moved"),
        written.alias("written"),
    )
    rows = rows.with_columns(
        pl.int_range(pl.len()).over([*key, "moved"]).alias("place"),
        pl.len().over([*key, "moved"]).alias("of"),
    )
    never = rows.filter(pl.col("moved") < 0)
    if len(never):
        notes.append(
            f"{many(len(never), 'row')} left out: the clock of {zone.key} never shows "
            f"that time ({_first(never)})"
        )
    twice = rows.filter(pl.col("moved") > 0)
    alone, pairs = twice.filter(pl.col("of") == 1), twice.filter(pl.col("place") == 1)
    if len(pairs):
        notes.append(
            f"{many(len(pairs), 'time')} a series has two rows of a time that the clock of "
            f"{zone.key} shows twice: they are the first and the second ({_first(pairs)})"
        )
    if len(alone):
        kind = " of one known_at" if "known_at" in key else ""
        notes.append(
            f"{many(len(alone), 'time')} a series has one row{kind} of a time that the clock of "
            f"{zone.key} shows twice: it is taken for the first, before the change ({_first(alone)})"
        )
    second = (pl.col("moved") > 0) & (pl.col("place") > 0)
    ds = rows.select(pl.when(second).then(pl.col("ds") + pl.col("moved")).otherwise(pl.col("ds")))
    return frame.with_columns(ds.to_series().alias("ds")).filter(rows["moved"] >= 0)


def _first(rows: pl.DataFrame) -> str:
    """Return in words which row is the first of these."""
    one = rows.row(0, named=True)
    return f"the first: series {one['unique_id']}, {one['written']}, line {one['line']}"
