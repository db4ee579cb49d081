"""Reads JSON and Parquet into the same batches as CSV."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from caregrid.feeds.model import Format
from caregrid.mapping.readers import content, json_stream, json_values
from caregrid.mapping.readers.content import NO_FIELD, batch_lines, repeated, text_blocks
from caregrid.mapping.types import RecordBatch, UnreadableFile

_OFFSET = re.compile(r"[+-]\d\d:\d\d")


def read_json(
    opened: Callable[[], AbstractContextManager[BinaryIO]], form: Format, batch_rows: int
) -> Iterator[RecordBatch]:
    """Yield the elements of the array at `records`, flattened; `line` is their ordinal.

    With `records: .` the document is the one record. Nested keys read `a.b`, elements of arrays `a.0.b`;
    plain values beside the array at the top of the document read `$.key`. Numbers keep the digits they were
    written with. The document is gone through twice: the last record may have a key that no other has, and a
    value may stand behind the array. Raises UnreadableFile: not_this_format, no_records.

    Args:
        opened: gives the file's bytes from the beginning, as often as it is called.
    """
    around: dict[str, Any] = {}
    columns: dict[str, None] = {}
    with opened() as stream:
        for _, record in _elements(stream, form, around):
            _add_names(record, "", columns)
    before = {f"$.{key}": _text(value) for key, value in around.items()}
    names = list(dict.fromkeys([*before, *columns]))
    records: list[dict[str, str | None]] = []
    start, begun, at_once = 1, 0, batch_lines(batch_rows, len(names))
    with opened() as stream:
        for text, record in _elements(stream, form, {}):
            records.append({**before, **flatten(record)})
            if len(records) >= at_once or text.passed - begun >= content.BATCH_CHARACTERS:
                yield _json_batch(start, records, names)
                start, begun, records = start + len(records), text.passed, []
    if records or start == 1:
        yield _json_batch(start, records, names)


def _json_batch(start: int, records: list[dict[str, str | None]], names: list[str]) -> RecordBatch:
    lines = pl.Series("line", range(start, start + len(records)), pl.Int32)
    return RecordBatch(lines, frame_of(records, names))


def _elements(
    stream: BinaryIO, form: Format, around: dict[str, Any]
) -> Iterator[tuple[json_stream.Text, Any]]:
    text = json_stream.Text(text_blocks(stream, form.encoding))
    try:
        if form.records == ".":
            document = text.value()
            text.end()
            if not isinstance(document, dict):
                raise UnreadableFile(
                    "no_records", f"the document is no object; it begins {text.begin[:60]!r}"
                )
            yield text, document
            return
        path = form.records.split(".") if form.records else []
        for element in json_stream.elements(text, path, around):
            yield text, element
    except json_stream.MalformedError as error:
        if text.begin[:1] not in ("{", "[") and text.has_one_line:
            raise UnreadableFile(
                "error_text", f"a line of text came instead of data: {text.begin[:100]!r}"
            ) from error
        raise UnreadableFile("not_this_format", f"the file is no JSON: {error}") from error


def read_parquet(path: Path, form: Format, batch_rows: int) -> Iterator[RecordBatch]:
    """Yield typed batches; structs become `a.b`; `line` is the row's ordinal. Raises UnreadableFile."""
    import pyarrow.parquet as pq
    from pyarrow.lib import ArrowException

    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        [name.encode() for name in names]
    except (ArrowException, OSError, UnicodeError) as error:
        raise UnreadableFile("not_this_format", f"the file is no Parquet: {error}") from error
    start = 1
    twice = repeated(names)
    if twice:
        raise UnreadableFile("duplicate_header", f"{', '.join(map(repr, twice))} stands twice in the file")
    for frame in _parquet_batches(file, batch_rows):
        yield RecordBatch(pl.Series("line", range(start, start + frame.height), pl.Int32), frame)
        start += frame.height
    if start == 1:
        yield RecordBatch(
            pl.Series("line", [], pl.Int32), arrow_frame(file.schema_arrow.empty_table(), "Parquet")
        )


def _parquet_batches(file: Any, batch_rows: int) -> Iterator[pl.DataFrame]:
    from pyarrow.lib import ArrowException

    at_once = batch_lines(batch_rows, file.metadata.num_columns)
    if file.metadata.num_rows:
        groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
        widest = max(group.total_byte_size // max(1, group.num_rows) for group in groups)
        at_once = max(1, min(at_once, content.BATCH_CHARACTERS // max(1, widest)))
    try:
        for arrow in file.iter_batches(batch_size=at_once):
            arrow.validate(full=True)  # text that is no UTF-8 would end polars, not this file
            yield arrow_frame(arrow, "Parquet")
    except (ArrowException, OSError, UnicodeError) as error:
        raise damaged_columns(error, "Parquet") from error


def arrow_frame(arrow: Any, what: str) -> pl.DataFrame:
    """Return a table or batch of pyarrow as plain columns.

    Raises UnreadableFile: duplicate_header, no_records, and for values that polars or Python cannot hold.
    """
    if not arrow.num_columns:
        raise UnreadableFile(
            "no_records", f"the {what} file has no column, its {arrow.num_rows:,} rows no data"
        )
    try:
        frame = plain_columns(pl.DataFrame(pl.from_arrow(arrow.cast(_without_offsets(arrow.schema)))))
    except pl.exceptions.DuplicateError as error:
        raise UnreadableFile(
            "duplicate_header", f"a column and a field of a struct bear one name: {error}"
        ) from error
    except (ValueError, OverflowError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise damaged_columns(error, what) from error  # also UnicodeError: bytes in a column of text
    if not frame.width:
        raise UnreadableFile("no_records", f"the {what} file has no column but structs without a field")
    return frame


def _without_offsets(schema: Any) -> Any:
    """Return a schema whose moments at a fixed offset are UTC: the same moments, in a zone polars knows."""
    import pyarrow as pa

    return pa.schema(
        field.with_type(pa.timestamp(field.type.unit, "UTC"))
        if pa.types.is_timestamp(field.type) and _OFFSET.fullmatch(field.type.tz or "")
        else field
        for field in schema
    )


def damaged_columns(error: BaseException, what: str) -> UnreadableFile:
    """Return what to raise for a file of columns that its library cannot read."""
    return UnreadableFile(
        "not_this_format", f"the {what} file is damaged or cut: {str(error).partition(chr(10))[0]}"
    )


def flatten(value: Any, prefix: str = "") -> dict[str, str | None]:
    """Return a nested JSON value as one level of dotted keys to text; empty arrays and objects vanish."""
    if isinstance(value, dict):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        return {prefix or "value": _text(value)}
    flat: dict[str, str | None] = {}
    for key, item in items:
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(item, (dict, list)):
            flat.update(flatten(item, name))
        else:
            flat[name] = _text(item)
    return flat


def _add_names(value: Any, prefix: str, names: dict[str, None]) -> None:
    """Add the names that `flatten` gives a value's parts, in its order."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        names[prefix or "value"] = None
    for key, item in items:
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(item, (dict, list)):
            _add_names(item, name, names)
        else:
            names[name] = None


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def loads(text: str) -> Any:
    """Parse JSON. Raises ValueError: also for nesting without end, half of a character, a key given twice."""
    try:
        document = json_values.DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    except json_values.KeyTwiceError as error:
        raise ValueError(str(error)) from error
    json_values.refuse_halves(document, text)
    return document


def frame_of(records: list[dict[str, str | None]], columns: list[str]) -> pl.DataFrame:
    """Return flattened records as a frame of text; null where a record has no such key."""
    columns = columns or [NO_FIELD]
    return pl.DataFrame(
        {name: [record.get(name) for record in records] for name in columns},
        schema=dict.fromkeys(columns, pl.String),
    )


def plain_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame without structs, which become `a.b`, and without lists, which become JSON text."""
    while True:
        structs = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Struct)]
        if not structs:
            break
        frame = frame.with_columns(pl.col(name).name.prefix_fields(f"{name}.") for name in structs)
        frame = frame.unnest(structs)
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, (pl.List, pl.Array, pl.Map))]
    return frame.with_columns(
        *(pl.col(pl.Categorical, pl.Enum).cast(pl.String),),
        *(
            pl.Series(
                name,
                [
                    None if item is None else json.dumps(item, default=str, ensure_ascii=False)
                    for item in frame[name].to_list()
                ],
                pl.String,
            )
            for name in lists
        ),
    )
