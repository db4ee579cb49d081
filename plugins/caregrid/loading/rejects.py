"""Rejects found after mapping: rows that contradict one another, and what the database cannot hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from caregrid.feeds.model import Feed, Output
from caregrid.landing.manifest import LandedFile
from caregrid.loading.records import records_by_part
from caregrid.loading.resolve import GROUP, LINES_NAMED, Resolution
from caregrid.loading.spill import OUTPUT
from caregrid.mapping import Mapped, RecordBatch, Reject

# Rejects made at once.
_AT_ONCE = 10_000
_JSON_COLUMNS = ("dimensions", "extra", "identifiers", "service_slots")


def conflicts(
    feed: Feed, file: LandedFile, outputs: Sequence[Output], resolutions: Sequence[Resolution]
) -> Iterator[list[Reject]]:
    """Yield a reject for every row whose key stands elsewhere in the file with other values, some at a time.

    The records are read from the landed bytes once more: conflicts are rare, and keeping all records is not.
    """
    some = [resolution for resolution in resolutions if resolution.conflicts.height]
    if not some:
        return
    contract = [pl.lit(number, pl.UInt16).alias("contract") for number in range(len(some))]
    found = pl.concat([one.conflicts.with_columns(own) for one, own in zip(some, contract, strict=True)])
    named = pl.concat([one.named.with_columns(own) for one, own in zip(some, contract, strict=True)])
    found = found.sort("line", maintain_order=True)
    for records in records_by_part(feed.sources[file.source], file, found["line"].unique()):
        here = found.filter(pl.col("line").is_between(min(records), max(records)))
        for part in here.filter(pl.col("line").is_in(list(records))).iter_slices(_AT_ONCE):
            told = part.join(named, on=["contract", GROUP], maintain_order="left")
            yield [
                _conflict(outputs[row[OUTPUT]].name, row, records[row["line"]])
                for row in told.iter_rows(named=True)
            ]


def _conflict(output: str, row: Mapping[str, Any], record: dict[str, Any]) -> Reject:
    lines = row["lines"]
    named = ", ".join(map(str, lines[:LINES_NAMED])) + (" …" if len(lines) > LINES_NAMED else "")
    message = f"the same key stands with other values: lines {named}"
    reason = {"code": "conflict", "field": "", "message": message}
    return Reject(row["line"], output, row["value_name"] or "", [reason], record)


def without_nul(output: Output, batch: RecordBatch, mapped: Mapped) -> Mapped:
    """Turn rows with a NUL character, which PostgreSQL cannot hold, into rejects; one must not stop a file.

    Delimited text never has one: its readers refuse it. JSON and Parquet may.
    """
    texts = [pl.col(name) for name, kind in mapped.rows.schema.items() if kind == pl.String]
    lists = [
        pl.col(name).list.join("") for name, kind in mapped.rows.schema.items() if isinstance(kind, pl.List)
    ]
    objects = [pl.col(name) for name in _JSON_COLUMNS if name in mapped.rows.columns]
    found = mapped.rows.select(
        pl.any_horizontal(
            *(text.str.contains("\x00", literal=True).fill_null(False) for text in (*texts, *lists)),
            *(text.str.contains("\\u0000", literal=True).fill_null(False) for text in objects),
        ).alias("found")
    )["found"]
    if not found.any():
        return mapped
    message = "the record holds a NUL character, which no text may hold"
    reason = {"code": "nul_character", "field": "", "message": message}
    bad = mapped.rows.filter(found).select("line", "value_name")
    here = batch.lines.is_in(bad["line"].unique().implode())
    records = dict(zip(batch.lines.filter(here), batch.frame.filter(here).to_dicts(), strict=True))
    refused = [
        Reject(line, output.name, value_name or "", [reason], records[line])
        for line, value_name in bad.iter_rows()
    ]
    return replace(mapped, rows=mapped.rows.filter(~found), rejects=[*mapped.rejects, *refused])
