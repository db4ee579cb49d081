"""Turns frames into the bytes that COPY takes, without a Python loop over rows."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import psycopg
from psycopg import sql

from caregrid import faults

# Small enough that a COPY of any size has a middle, large enough that no time is lost between chunks.
CHUNK_ROWS = 10_000
# PostgreSQL counts moments from 2000-01-01, in microseconds.
_EPOCH_MICROSECONDS = 946_684_800_000_000
_HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_WIRE = {
    pl.Int64: ">i8",
    pl.Int32: ">i4",
    pl.Int16: ">i2",
    pl.Float64: ">f8",
    pl.Boolean: "i1",
    pl.Datetime: ">i8",
}


def copy_frame(
    cursor: psycopg.Cursor[Any], table: tuple[str, str], columns: list[str], frames: Iterator[pl.DataFrame]
) -> int:
    """COPY frames into a table as CSV; return the rows written. Null is null, an empty text an empty text.

    Args:
        table: (schema, name).
        columns: columns of the frames, named as in the table. Lists of text become arrays.
    """
    rows = 0
    with cursor.copy(_statement(table, columns, "csv")) as copy:
        for frame in frames:
            ready = frame.select(*(_text_array(frame, name) for name in columns))
            rows += ready.height
            for chunk in ready.iter_slices(CHUNK_ROWS):
                copy.write(chunk.write_csv(include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f+00"))
                faults.point("stage:mid_copy")
    return rows


def copy_frame_binary(
    cursor: psycopg.Cursor[Any], table: tuple[str, str], columns: list[str], frames: Iterator[pl.DataFrame]
) -> int:
    """COPY frames into a table in PostgreSQL's binary form; return the rows written.

    Rows are written in groups that have the same columns null and the same texts, so every group has one
    fixed layout: for numbers, moments and a few texts, cheaper than CSV for both sides.
    """
    rows = 0
    with cursor.copy(_statement(table, columns, "binary")) as copy:
        copy.write(_HEADER)
        for frame in frames:
            rows += frame.height
            for chunk in frame.select(columns).iter_slices(CHUNK_ROWS):
                for bytes_ in _binary(chunk):
                    copy.write(bytes_)
                faults.point("stage:mid_copy")
        copy.write(_TRAILER)
    return rows


def _statement(table: tuple[str, str], columns: list[str], form: str) -> sql.Composed:
    return sql.SQL("copy {} ({}) from stdin (format {})").format(
        sql.Identifier(*table), sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(form)
    )


def _text_array(frame: pl.DataFrame, name: str) -> pl.Expr:
    if not isinstance(frame.schema[name], pl.List):
        return pl.col(name)
    quoted = (
        pl.element().str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    )
    items = pl.col(name).list.eval(pl.concat_str(pl.lit('"'), quoted, pl.lit('"'))).list.join(",")
    return pl.concat_str(pl.lit("{"), items, pl.lit("}")).alias(name)


def _binary(chunk: pl.DataFrame) -> Iterator[bytes]:
    texts = [name for name, kind in chunk.schema.items() if kind == pl.String]
    holey = [name for name in chunk.columns if name not in texts and chunk[name].null_count()]
    if not holey and not texts:
        yield _group(chunk, {})
        return
    marked = chunk.with_columns(pl.col(name).is_null().alias(f"{name} is null") for name in holey)
    marks = [f"{name} is null" for name in holey]
    for group in marked.partition_by([*marks, *texts], maintain_order=True):
        fixed: dict[str, str | None] = {name: group[name][0] for name in texts}
        fixed |= {name: None for name, mark in zip(holey, marks, strict=True) if group[mark][0]}
        yield _group(group.select(chunk.columns), fixed)


def _group(rows: pl.DataFrame, fixed: dict[str, str | None]) -> bytes:
    """Return the wire form of rows in which the columns of `fixed` all hold the given text, or null."""
    layout: list[Any] = [("fields", ">i2")]
    for name, kind in rows.schema.items():
        layout.append((f"{name} length", ">i4"))
        if name not in fixed:
            layout.append((name, _WIRE[kind.base_type()]))
        elif fixed[name] is not None:
            layout.append((name, f"V{len(str(fixed[name]).encode())}"))
    wire = np.zeros(rows.height, dtype=layout)
    wire["fields"] = rows.width
    for name, kind in rows.schema.items():
        if name not in fixed:
            wire[f"{name} length"] = wire.dtype[name].itemsize
            wire[name] = _moments(rows[name]) if kind.base_type() == pl.Datetime else rows[name].to_numpy()
        elif (text := fixed[name]) is None:
            wire[f"{name} length"] = -1
        else:
            content = text.encode()
            wire[f"{name} length"] = len(content)
            if content:
                wire[name] = np.void(content)
    return wire.tobytes()


def _moments(column: pl.Series) -> Any:
    return column.dt.cast_time_unit("us").to_physical().to_numpy() - _EPOCH_MICROSECONDS
