"""Reads lines whose fields stand at fixed positions, counted in characters or in bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import polars as pl

from caregrid.feeds.formats import span
from caregrid.feeds.model import Format
from caregrid.mapping.readers.content import batch_lines, text_blocks
from caregrid.mapping.readers.delimited import Lines
from caregrid.mapping.types import RecordBatch, Reject

_BLANK = " \r"


def read_fixed_width(stream: BinaryIO, form: Format, batch_rows: int) -> Iterator[RecordBatch]:
    """Yield batches of text; a line that ends before its last field is a reject. Raises UnreadableFile."""
    lines = Lines(text_blocks(stream, form.encoding))
    lines.skip(form.skip_rows)
    at_once = batch_lines(batch_rows, len(form.fields))
    yielded = False
    while True:
        first = lines.number
        chunk = lines.take(at_once)
        if not chunk:
            break
        batch = _batch(chunk, first, form)
        if batch.frame.height or batch.rejects:
            yielded = True
            yield batch
    if not yielded:
        yield _batch([], lines.number, form)


def _batch(chunk: list[str], first: int, form: Format) -> RecordBatch:
    text = pl.Series("text", chunk, pl.String).str.strip_suffix("\r")
    line = pl.Series("line", range(first, first + len(chunk)), pl.Int32)
    frame = pl.DataFrame([line, text]).filter(pl.col("text").str.strip_chars(_BLANK) != "")
    in_bytes = form.positions == "bytes"
    spans = {field.name: span(field.at) for field in form.fields}
    needed = 1 if form.short_lines else max(last for _, last in spans.values())
    if in_bytes:
        return _bytes_batch(frame, spans, needed, form)
    whole = frame["text"].str.len_chars() >= needed
    rejects = [_short(number, torn, len(torn), needed) for number, torn in frame.filter(~whole).rows()]
    frame = frame.filter(whole)
    fields = frame.select(
        pl.col("text").str.slice(start - 1, last - start + 1).alias(name)
        for name, (start, last) in spans.items()
    )
    return RecordBatch(frame["line"], fields, rejects)


def _bytes_batch(
    frame: pl.DataFrame, spans: dict[str, tuple[int, int]], needed: int, form: Format
) -> RecordBatch:
    """Cut the lines as the bytes that they came in: wide characters take several positions."""
    codec = "utf-8" if form.encoding.lower().replace("_", "-") == "utf-8-sig" else form.encoding
    lines: list[int] = []
    records: list[list[str]] = []
    rejects: list[Reject] = []
    for number, text in frame.rows():
        data = text.encode(codec)
        if len(data) < needed:
            rejects.append(_short(number, text, len(data), needed))
            continue
        try:
            record = [data[start - 1 : last].decode(codec) for start, last in spans.values()]
        except UnicodeDecodeError:
            message = f"a field begins or ends within a character of the line, which is {form.encoding}"
            rejects.append(_reject(number, "torn_character", message, text))
            continue
        lines.append(number)
        records.append(record)
    schema = dict.fromkeys(spans, pl.String)
    return RecordBatch(
        pl.Series("line", lines, pl.Int32), pl.DataFrame(records, schema=schema, orient="row"), rejects
    )


def _short(number: int, text: str, length: int, needed: int) -> Reject:
    message = f"the line ends at position {length}, its last field at {needed}"
    return _reject(number, "ragged", message, text)


def _reject(number: int, code: str, message: str, text: str) -> Reject:
    return Reject(number, "", "", [{"code": code, "field": "", "message": message}], {"(text)": text})
