"""Tells the events of a file apart, and keeps which of them each row of a load counts.

An event is the same in whatever file it stands. What the feed says of it (`events: {id: …}`) tells it from
others; a record without that is told by the bytes of its file and its line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import polars as pl
import psycopg

from caregrid.feeds.model import Source
from caregrid.landing.manifest import LandedFile
from caregrid.loading.copying import copy_frame
from caregrid.loading.keys import LOCAL
from caregrid.loading.resolve import Resolution
from caregrid.loading.spill import ROW, Spill

_KEY = ["series_id", "period_start", "known_at", "event_id", "value_name"]


def tell_apart(records: pl.DataFrame, frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Return the records of a batch with the digest of their id, and with its hash in the place of their own.

    Args:
        records: line and record_hash (UInt64: equal where the records are).
        frame: the records themselves, in the same order.

    Returns:
        line, record_hash and event (16 bytes; null where a part of the id is missing).
    """
    digests: list[bytes | None] = [None] * frame.height
    if source.events:
        parts = frame.select(
            pl.coalesce(pl.col(column).cast(pl.String), pl.lit("")).str.strip_chars().alias(column)
            for column in source.events
        )
        missing = {"", *source.missing}
        digests = [None if missing & set(row) else _digest(row) for row in parts.iter_rows()]
    own = [None if digest is None else int.from_bytes(digest[:8]) for digest in digests]
    return records.with_columns(
        pl.coalesce(pl.Series("own", own, pl.UInt64), pl.col("record_hash")).alias("record_hash"),
        pl.Series("event", digests, pl.Binary),
    )


def complete(records: pl.DataFrame, file: LandedFile) -> pl.DataFrame:
    """Return line and event of all records of a file; one without an id is told by file and line.

    A record that stands in the file twice, word for word, is one event; its first line counts.
    """
    first = records.select("line", "event", pl.col("line").min().over("record_hash").alias("first"))
    without = first.filter(pl.col("event").is_null())
    if without.height:
        lines = without["first"].unique()
        told = pl.DataFrame(
            [
                lines,
                pl.Series("own", [_digest((file.sha256, file.member, line)) for line in lines], pl.Binary),
            ]
        )
        first = first.join(told, on="first", how="left").with_columns(pl.coalesce("event", "own"))
    return first.select("line", "event")


def write(
    connection: psycopg.Connection[Any],
    load_id: int,
    spill: Spill,
    resolution: Resolution | None,
    ids: pl.DataFrame,
    events: pl.DataFrame,
) -> None:
    """COPY the events behind the usage rows of a load into canonical.usage_event.

    Args:
        ids: LOCAL → id of the series.
        events: line and event.
    """
    by_local = ids.sort(LOCAL)["id"]
    parts = []
    for frame in spill.frames():
        counted = frame
        if resolution is not None:
            counted = frame.filter(~pl.col(ROW).is_in(resolution.conflicts[ROW].implode()))
        parts.append(
            counted.with_columns(
                by_local.gather(counted[LOCAL]).alias("series_id"), pl.col("value_name").fill_null("")
            )
            .join(events, on="line")
            .select("series_id", "period_start", "known_at", "value_name", "line", "value",
                    pl.col("event").bin.encode("hex").alias("event_id"))
        )  # fmt: skip
    rows = pl.concat(parts).sort("line").unique(_KEY, keep="first", maintain_order=True).sort(_KEY)
    rows = rows.with_columns(pl.lit(load_id, pl.Int64).alias("load_id"))
    with connection.cursor() as cursor:
        copy_frame(cursor, ("canonical", "usage_event"), rows.columns, iter([rows]))


def _digest(parts: Sequence[Any]) -> bytes:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).digest()
