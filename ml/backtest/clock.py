"""Hours written by a zone's clock when it is changed: the clock shows one of them twice, and one never."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ..words import many
from .times import SECOND

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
    of the file; its second and its first where the rows around them run backwards. Further ones stay with the
    second, where they count as contradictions of it.

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
    pair = [*key, "moved"]
    rows = _directed(rows, pair, [name for name in key if name != "ds"]).with_columns(
        pl.int_range(pl.len()).over(pair).alias("place"), pl.len().over(pair).alias("of")
    )
    # A pair that runs backwards is counted from its end.
    from_end = pl.col("of") - 1 - pl.col("place").cast(pl.Int64)
    rows = rows.with_columns(place=pl.when("backwards").then(from_end).otherwise("place"))
    never = rows.filter(pl.col("moved") < 0)
    if len(never):
        notes.append(
            f"{many(len(never), 'row')} left out: the clock of {zone.key} never shows "
            f"that time ({_first(never)})"
        )
    twice = rows.filter(pl.col("moved") > 0)
    alone, pairs = twice.filter(pl.col("of") == 1), twice.filter(pl.col("place") == 1)
    for backwards, order in (
        (False, "the first and the second"),
        (True, "the second and the first, as the rows around them run backwards"),
    ):
        told = pairs.filter(pl.col("backwards") == backwards)
        if len(told):
            notes.append(
                f"{many(len(told), 'time')} a series has two rows of a time that the clock of "
                f"{zone.key} shows twice: they are {order} ({_first(told)})"
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


def _directed(rows: pl.DataFrame, pair: list[str], run: list[str]) -> pl.DataFrame:
    """Add `backwards`: whether the rows next to a pair descend, a later one before it, an earlier one behind.

    Where it stands at an end the other side tells; where nothing is next to it, it is taken to run forwards.

    Args:
        pair: columns that the rows of a pair have in common; run: those of the rows that run on around it.
    """
    import polars as pl

    ds, before, behind = (pl.col(name) for name in ("ds", "before", "behind"))
    rows = rows.with_columns(before=ds.shift(1).over(run), behind=ds.shift(-1).over(run))
    rows = rows.with_columns(before=before.first().over(pair), behind=behind.last().over(pair))
    falls = (before > ds).fill_null(value=True) & (behind < ds).fill_null(value=True)
    return rows.with_columns(backwards=falls & (before.is_not_null() | behind.is_not_null()))


def _first(rows: pl.DataFrame) -> str:
    """Return in words which row is the first of these."""
    one = rows.row(0, named=True)
    return f"the first: series {one['unique_id']}, {one['written']}, line {one['line']}"
