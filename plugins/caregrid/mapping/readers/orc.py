"""Reads ORC stripe by stripe into typed batches, as Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from caregrid.feeds.model import Format
from caregrid.mapping.readers import content
from caregrid.mapping.readers.content import batch_lines, no_such_file, repeated
from caregrid.mapping.readers.structured import arrow_frame, damaged_columns
from caregrid.mapping.types import RecordBatch, UnreadableFile

_MAGIC = b"ORC"


def read_orc(path: Path, form: Format, batch_rows: int) -> Iterator[RecordBatch]:
    """Yield typed batches; structs become `a.b`; `line` is the row's ordinal. Raises UnreadableFile."""
    import pyarrow as pa
    from pyarrow import orc

    with path.open("rb") as stream:
        head = stream.read(2048)
    if not head.startswith(_MAGIC):
        raise no_such_file(head, "ORC")
    damage = (pa.lib.ArrowException, OSError, UnicodeDecodeError)
    try:
        file = orc.ORCFile(path)
        names = list(file.schema.names)
        stripes = file.nstripes
    except damage as error:
        raise damaged_columns(error, "ORC") from error
    if twice := repeated(names):
        raise UnreadableFile("duplicate_header", f"{', '.join(map(repr, twice))} stands twice in the file")
    start = 1
    for number in range(stripes):
        try:
            table = pa.Table.from_batches([file.read_stripe(number)])
        except damage as error:
            raise damaged_columns(error, "ORC") from error
        at_once = batch_lines(batch_rows, table.num_columns)
        at_once = max(1, min(at_once, content.BATCH_CHARACTERS * table.num_rows // max(1, table.nbytes)))
        for offset in range(0, table.num_rows, at_once):
            frame = arrow_frame(table.slice(offset, at_once), "ORC")
            yield RecordBatch(pl.Series("line", range(start, start + frame.height), pl.Int32), frame)
            start += frame.height
    if start == 1:
        empty = arrow_frame(file.schema.empty_table(), "ORC")
        yield RecordBatch(pl.Series("line", [], pl.Int32), empty)
