"""Writes raw.fate: which lines were received, filtered and duplicate, and how many output rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import psycopg

from caregrid.loading.lines import multirange, union, without
from caregrid.loading.spill import OUTPUT
from caregrid.mapping import Mapped, RecordBatch, Reject


@dataclass
class Tally:
    """What became of the records of one file, gathered while it is read.

    received: lines of every record. filtered: by number of output, frames line and value_name.
    produced: by number of output, rows attempted. rejects: of the reader and the mapper.
    record_hashes: frames line and record_hash, where the feed sums rows of one key.
    """

    received: list[pl.Series] = field(default_factory=list)
    filtered: dict[int, list[pl.Series]] = field(default_factory=dict)
    attempted: dict[int, list[pl.Series]] = field(default_factory=dict)
    produced: dict[int, int] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    record_hashes: list[pl.DataFrame] = field(default_factory=list)

    def add_batch(self, batch: RecordBatch, hashed: bool) -> None:
        """Count the records of a batch."""
        self.received.append(batch.received_lines)
        self.rejects.extend(batch.rejects)
        if hashed and batch.frame.height:
            hashes = batch.frame.hash_rows().alias("record_hash")
            self.record_hashes.append(pl.DataFrame([batch.lines.cast(pl.Int32).alias("line"), hashes]))

    def add_mapped(self, number: int, batch: RecordBatch, mapped: Mapped) -> None:
        """Count what one output made of a batch."""
        self.rejects.extend(mapped.rejects)
        self.filtered.setdefault(number, []).append(mapped.filtered["line"])
        self.attempted.setdefault(number, []).append(batch.lines)
        self.produced[number] = self.produced.get(number, 0) + mapped.produced


def write_fates(
    connection: psycopg.Connection[Any],
    load_id: int,
    outputs: Sequence[str],
    tally: Tally,
    kept: Sequence[pl.Series],
    rejects: Sequence[Reject],
    duplicates: Sequence[pl.DataFrame],
) -> None:
    """Insert the fates of one load.

    Args:
        outputs: names by number.
        kept: lines of the rows written to canonical, all contracts.
        rejects: all of them, conflicts included.
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
        "canonical": sum(len(part) for part in kept),
        "rejected": sum(1 for reject in rejects if reject.output),
        "duplicate": repeated.height,
        "filtered": sum(len(part) for parts in tally.filtered.values() for part in parts),
    }
    # Rows that a sum merged are duplicates of the row they were merged into, which counts as canonical.
    if attempted != sum(made.values()):
        raise RuntimeError(f"{attempted} output rows were attempted, but {made} came of them")
    kept_lines = union(kept)
    rejected_lines = union([pl.Series("line", [reject.line for reject in rejects], pl.Int32)])
    became = union([kept_lines, rejected_lines])
    received = union(tally.received)
    duplicate = without(union([repeated["line"]]), became)
    filtered = without(
        union([part for parts in tally.filtered.values() for part in parts]), union([became, duplicate])
    )
    fates = [("", "received", received, len(received))]
    fates += [("", "duplicate", duplicate, len(duplicate)), ("", "filtered", filtered, len(filtered))]
    for number, name in enumerate(outputs):
        own = repeated.filter(pl.col(OUTPUT) == number)["line"]
        left_out = tally.filtered.get(number, [])
        fates.append(
            (name, "received", union(tally.attempted.get(number, [])), tally.produced.get(number, 0))
        )
        fates.append((name, "duplicate", union([own]), len(own)))
        fates.append((name, "filtered", union(left_out), sum(map(len, left_out))))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into raw.fate (load_id, output, fate, lines, row_count) values (%s, %s, %s, "
            "%s::int4multirange, %s)",
            [(load_id, output, fate, multirange(lines), count) for output, fate, lines, count in fates],
        )
