"""Reads ORC stripe by stripe into typed batches, as Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from caregrid.feeds.model import Format
from caregrid.mapping.readers.content import no_such_file, repeated
from caregrid.mapping.readers.structured import plain_columns
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
    damage = (pa.lib.ArrowException, OSError)
    try:
        file = orc.ORCFile(path)
        names = list(file.schema.names)
        stripes = file.nstripes
    except damage as error:
        raise _damaged(error) from error
    if twice := repeated(names):
        raise UnreadableFile("duplicate_header", f"{', '.join(map(repr, twice))} stands twice in the file")
    start = 1
    for number in range(stripes):
        try:
            table = pa.Table.from_batches([file.read_stripe(number)])
        except damage as error:
            raise _damaged(error) from error
        for offset in range(0, table.num_rows, batch_rows):
            frame = _frame(table.slice(offset, batch_rows))
            yield RecordBatch(pl.Series("line", range(start, start + frame.height), pl.Int32), frame)
            start += frame.height
    if start == 1:
        yield RecordBatch(pl.Series("line", [], pl.Int32), _frame(file.schema.empty_table()))


def _frame(table: Any) -> pl.DataFrame:
    try:
        return plain_columns(pl.DataFrame(pl.from_arrow(table)))
    except pl.exceptions.DuplicateError as error:
        raise UnreadableFile(
            "duplicate_header", f"a column and a field of a struct bear one name: {error}"
        ) from error


def _damaged(error: Exception) -> UnreadableFile:
    return UnreadableFile("not_this_format", f"the ORC file is damaged or cut: {str(error).splitlines()[0]}")
