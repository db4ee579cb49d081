"""Writes the rows that break their contract, each with every reason and the record as it was received."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import psycopg

from caregrid.feeds.model import Feed, Output
from caregrid.landing.manifest import LandedFile
from caregrid.loading.copying import copy_frame
from caregrid.loading.records import records_at
from caregrid.loading.resolve import Resolution
from caregrid.loading.spill import OUTPUT
from caregrid.mapping import Mapped, RecordBatch, Reject

# A key that half a file shares is one mistake, not thousands: the message names the first lines only.
_LINES_NAMED = 50
_JSON_COLUMNS = ("dimensions", "extra", "identifiers", "service_slots")


def conflicts(
    feed: Feed, file: LandedFile, outputs: Sequence[Output], resolutions: Mapping[str, Resolution]
) -> list[Reject]:
    """Return a reject for every row whose key stands elsewhere in the file with other values.

    The records are read from the landed bytes once more: conflicts are rare, and keeping all records is not.
    """
    rows = [resolution.conflicts for resolution in resolutions.values() if resolution.conflicts.height]
    if not rows:
        return []
    found = pl.concat(rows)
    records = records_at(feed.sources[file.source], file, found["line"].unique().to_list())
    made = []
    for row in found.iter_rows(named=True):
        others = row["others"]
        named = ", ".join(str(line) for line in others[:_LINES_NAMED]) + (
            " …" if len(others) > _LINES_NAMED else ""
        )
        output = outputs[row[OUTPUT]].name
        message = f"the same key stands with other values: lines {named}"
        reason = {"code": "conflict", "field": "", "message": message}
        made.append(Reject(row["line"], output, row["value_name"] or "", [reason], records[row["line"]]))
    return made


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
    records = dict(zip(batch.lines.to_list(), range(batch.frame.height), strict=True))
    refused = [
        Reject(line, output.name, value_name or "", [reason], batch.frame.row(records[line], named=True))
        for line, value_name in mapped.rows.filter(found).select("line", "value_name").iter_rows()
    ]
    return replace(mapped, rows=mapped.rows.filter(~found), rejects=[*mapped.rejects, *refused])


def write(
    connection: psycopg.Connection[Any], load_id: int, outputs: Sequence[Output], rejects: Sequence[Reject]
) -> None:
    """COPY rejects into rejected.record."""
    if not rejects:
        return
    contracts = {output.name: output.contract for output in outputs} | {"": ""}
    frame = pl.DataFrame(
        {
            "load_id": [load_id] * len(rejects),
            "line": [reject.line for reject in rejects],
            "output": [reject.output for reject in rejects],
            "contract": [contracts[reject.output] for reject in rejects],
            "value_name": [reject.value_name for reject in rejects],
            "reasons": [_json(reject.reasons) for reject in rejects],
            "record": [_json(reject.record) for reject in rejects],
        }
    )
    with connection.cursor() as cursor:
        copy_frame(cursor, ("rejected", "record"), frame.columns, iter([frame]))


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    # jsonb cannot hold the NUL character; its picture can be seen.
    return json.dumps(_visible(value), ensure_ascii=False, default=str) if "\\u0000" in text else text


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\u2400")
    if isinstance(value, dict):
        return {_visible(key): _visible(item) for key, item in value.items()}
    return [_visible(item) for item in value] if isinstance(value, list) else value
