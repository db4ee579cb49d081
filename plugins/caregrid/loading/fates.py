"""Writes raw.fate: which lines were received, filtered and duplicate, and how many output rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl
import psycopg

from caregrid.feeds.model import Source
from caregrid.loading import events
from caregrid.loading.lines import Lines
from caregrid.loading.refused import Refused
from caregrid.loading.spill import OUTPUT
from caregrid.mapping import Mapped, RecordBatch


@dataclass
class Kept:
    """How many rows of one file were written to canonical, and from which lines."""

    rows: int = 0
    lines: list[Lines] = field(default_factory=list)

    def add(self, part: pl.DataFrame) -> None:
        """Count rows that are written."""
        self.rows += part.height
        self.lines.append(Lines.of(part["line"]))


@dataclass
class Tally:
    """What became of the records of one file, gathered while it is read.

    received: lines of every record. filtered, attempted: lines by number of output.
    left_out, produced: by number of output, rows filtered and rows attempted.
    record_hashes: frames line and record_hash, where the feed sums rows of one key; of events also `event`.
    """

    received: list[Lines] = field(default_factory=list)
    filtered: dict[int, list[Lines]] = field(default_factory=dict)
    attempted: dict[int, list[Lines]] = field(default_factory=dict)
    left_out: dict[int, int] = field(default_factory=dict)
    produced: dict[int, int] = field(default_factory=dict)
    record_hashes: list[pl.DataFrame] = field(default_factory=list)

    def add_batch(self, batch: RecordBatch, hashed: bool, source: Source) -> None:
        """Count the records of a batch."""
        self.received.append(Lines.of(batch.received_lines))
        if hashed and batch.frame.height:
            lines = batch.lines.cast(pl.Int32).alias("line")
            records = pl.DataFrame([lines, hashes_of_records(batch.frame)])
            if source.events is not None:
                records = events.tell_apart(records, batch.frame, source)
            self.record_hashes.append(records)

    def add_mapped(self, number: int, batch: RecordBatch, mapped: Mapped) -> None:
        """Count what one output made of a batch."""
        self.filtered.setdefault(number, []).append(Lines.of(mapped.filtered["line"]))
        self.attempted.setdefault(number, []).append(Lines.of(batch.lines))
        self.left_out[number] = self.left_out.get(number, 0) + mapped.filtered.height
        self.produced[number] = self.produced.get(number, 0) + mapped.produced


def hashes_of_records(frame: pl.DataFrame) -> pl.Series:
    """Return a 64-bit hash of each record (UInt64), of its values that are there under their names.

    Batches of one file may have other columns, or the same in another order: neither changes the hash.
    """
    hashes = np.zeros(frame.height, np.uint64)
    for name in frame.columns:
        seed = int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
        # Each column's hashes are as good as random numbers, and so are their sums.
        there = pl.when(pl.col(name).is_not_null()).then(pl.col(name).hash(seed)).otherwise(0)
        hashes += frame.select(there.cast(pl.UInt64)).to_series().to_numpy()
    return pl.Series("record_hash", hashes)


def write_fates(
    connection: psycopg.Connection[Any],
    load_id: int,
    outputs: Sequence[str],
    tally: Tally,
    kept: Kept,
    refused: Refused,
    duplicates: Sequence[pl.DataFrame],
) -> None:
    """Insert the fates of one load.

    Args:
        outputs: names by number.
        kept: the rows written to canonical, all contracts.
        refused: all rejects, conflicts included.
        duplicates: frames OUTPUT and line, one line per duplicate output row.

    Raises:
        RuntimeError: the output rows do not add up; a mistake in mapping or loading, never in the file.
    """
    repeated = pl.concat(
        [frame.select(OUTPUT, "line") for frame in duplicates]
        or [pl.DataFrame(schema={OUTPUT: pl.UInt16, "line": pl.Int32})]
    )
    attempted = sum(tally.produced.values())
    made = {
        "canonical": kept.rows,
        "rejected": refused.rows,
        "duplicate": repeated.height,
        "filtered": sum(tally.left_out.values()),
    }
    # Rows that a sum merged are duplicates of the row they were merged into, which counts as canonical.
    if attempted != sum(made.values()):
        raise RuntimeError(f"{attempted} output rows were attempted, but {made} came of them")
    became = Lines.union([*kept.lines, *refused.lines])
    received = Lines.union(tally.received)
    duplicate = Lines.of(repeated["line"]).without(became)
    left_out = Lines.union([part for parts in tally.filtered.values() for part in parts])
    filtered = left_out.without(Lines.union([became, duplicate]))
    fates = [("", "received", received, len(received))]
    fates += [("", "duplicate", duplicate, len(duplicate)), ("", "filtered", filtered, len(filtered))]
    for number, name in enumerate(outputs):
        own = repeated.filter(pl.col(OUTPUT) == number)["line"]
        attempted_lines = Lines.union(tally.attempted.get(number, []))
        fates.append((name, "received", attempted_lines, tally.produced.get(number, 0)))
        fates.append((name, "duplicate", Lines.of(own), len(own)))
        filtered_lines = Lines.union(tally.filtered.get(number, []))
        fates.append((name, "filtered", filtered_lines, tally.left_out.get(number, 0)))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into raw.fate (load_id, output, fate, lines, row_count) values (%s, %s, %s, "
            "%s::int4multirange, %s)",
            [(load_id, output, fate, lines.multirange(), count) for output, fate, lines, count in fates],
        )
