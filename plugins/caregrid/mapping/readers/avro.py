"""Reads Avro container files block by block into typed batches, as Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, BinaryIO

import polars as pl

from caregrid.feeds.model import Format
from caregrid.mapping.readers import content
from caregrid.mapping.readers.containers import Rejoined, read_bytes
from caregrid.mapping.readers.content import batch_lines, no_such_file, repeated
from caregrid.mapping.types import RecordBatch, UnreadableFile

_MAGIC = b"Obj\x01"
_HEAD_BYTES = 2048
# Records that are Python objects at once.
_AT_ONCE = 2_000
_WIDEST_DECIMAL = 38  # digits that polars holds
_PLAIN: dict[str, Any] = {
    "boolean": pl.Boolean,
    "int": pl.Int64,
    "long": pl.Int64,
    "float": pl.Float32,
    "double": pl.Float64,
    "bytes": pl.Binary,
    "fixed": pl.Binary,
}
_LOGICAL: dict[str, Any] = {
    "date": pl.Date,
    "time-millis": pl.Time,
    "time-micros": pl.Time,
    "timestamp-millis": pl.Datetime("us", "UTC"),
    "timestamp-micros": pl.Datetime("us", "UTC"),
    "local-timestamp-millis": pl.Datetime("us"),
    "local-timestamp-micros": pl.Datetime("us"),
}


@dataclass(frozen=True)
class _Leaf:
    """A column: the keys that lead to it in a record, its type (text where it is not one), and
    whether a value takes any byte.
    """

    path: tuple[str, ...]
    kind: Any
    takes_room: bool

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def value(self, record: Any) -> Any:
        for key in self.path:
            if record is None:
                return None
            record = record.get(key)
        return _text(record) if self.kind == pl.String else record


def read_avro(stream: BinaryIO, form: Format, batch_rows: int) -> Iterator[RecordBatch]:
    """Yield typed batches; nested records become `a.b`, arrays and maps JSON text; `line` is the ordinal.

    Raises UnreadableFile.
    """
    import fastavro

    head = read_bytes(stream, _HEAD_BYTES)
    if not head.startswith(_MAGIC):
        raise no_such_file(head, "Avro container file")
    whole: Any = Rejoined(head, stream)
    reader = _careful(lambda: fastavro.reader(whole))
    leaves = _leaves(reader.writer_schema)
    if twice := repeated([leaf.name for leaf in leaves]):
        raise UnreadableFile("duplicate_header", f"{', '.join(map(repr, twice))} stands twice in the file")
    if not any(leaf.takes_room for leaf in leaves):
        # A few bytes could claim any number of such records.
        raise UnreadableFile("no_records", "the Avro file has no column that could hold anything")
    start = 1
    for frame in _frames(reader, leaves, batch_lines(batch_rows, len(leaves))):
        yield RecordBatch(pl.Series("line", range(start, start + frame.height), pl.Int32), frame)
        start += frame.height
    if start == 1:
        yield RecordBatch(pl.Series("line", [], pl.Int32), _careful(partial(_frame, leaves, [])))


def _frames(reader: Any, leaves: list[_Leaf], rows: int) -> Iterator[pl.DataFrame]:
    """Yield frames of so many rows or BATCH_CHARACTERS bytes; a few records at a time are Python objects."""
    parts: list[pl.DataFrame] = []
    height, size, ended = 0, 0.0, False
    while not ended:
        wanted = min(_AT_ONCE, rows - height)
        records = _careful(partial(list, islice(reader, wanted)))
        ended = len(records) < wanted
        if records:
            parts.append(_careful(partial(_frame, leaves, records)))
            height, size = height + len(records), size + parts[-1].estimated_size()
        if parts and (ended or height >= rows or size >= content.BATCH_CHARACTERS):
            yield pl.concat(parts)
            parts, height, size = [], 0, 0.0


def _frame(leaves: list[_Leaf], records: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(
        [pl.Series(leaf.name, [leaf.value(record) for record in records], leaf.kind) for leaf in leaves]
    )


def _careful(work: Callable[[], Any]) -> Any:
    """Do what may fail in any way on damaged bytes, for which the library has no error of its own."""
    try:
        return work()
    except UnreadableFile:
        raise
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableFile(
            "not_this_format", f"the Avro file is damaged, cut or of an unknown kind: {said}"
        ) from error


def _leaves(schema: Any) -> list[_Leaf]:
    """Return the columns of a schema. Raises UnreadableFile when it is not of records."""
    named: dict[str, Any] = {}
    leaves: list[_Leaf] = []

    def visit(kind: Any, path: tuple[str, ...], above: tuple[str, ...]) -> None:
        if isinstance(kind, list):
            others = [item for item in kind if item != "null"]
            kind = others[0] if len(others) == 1 else "mixed"
        if isinstance(kind, str):
            kind = named.get(kind, {"type": kind})
        if isinstance(kind["type"], (dict, list)):
            visit(kind["type"], path, above)
            return
        if "name" in kind:
            named[kind["name"]] = kind
        if kind["type"] == "record" and kind["name"] not in above:
            for field in kind["fields"]:
                visit(field["type"], (*path, field["name"]), (*above, kind["name"]))
        else:
            takes_room = kind["type"] != "null" and kind.get("size") != 0
            leaves.append(_Leaf(path, _column_type(kind), takes_room))

    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise UnreadableFile("not_this_format", "the Avro file is of single values and not of records")
    visit(schema, (), ())
    return leaves


def _column_type(kind: dict[str, Any]) -> Any:
    logical = kind.get("logicalType")
    if logical == "decimal" and kind["type"] in ("bytes", "fixed"):
        precision = kind.get("precision", 0)
        fits = 0 < precision <= _WIDEST_DECIMAL
        return pl.Decimal(precision, kind.get("scale", 0)) if fits else pl.String
    if logical in _LOGICAL:
        return _LOGICAL[logical]
    return pl.String if logical else _PLAIN.get(kind["type"], pl.String)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, default=_text, ensure_ascii=False)
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
