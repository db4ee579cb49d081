"""ORC as pyarrow writes it, Avro as fastavro and polars write it: types, nesting, cuts."""

from __future__ import annotations

import contextlib
import io
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import polars as pl
import pyarrow as pa
import pytest
from caregrid.mapping import UnreadableFile, read
from caregrid.mapping.table import as_text
from pyarrow import orc

pytestmark = pytest.mark.unit
PLAIN = {"id": ["A1", "A2"], "day": [date(2029, 1, 1), date(2029, 1, 2)], "n": [7.5, None]}


def avro(schema: list[dict[str, Any]], records: list[dict[str, Any]], codec: str = "deflate") -> bytes:
    room = io.BytesIO()
    parsed = fastavro.parse_schema({"type": "record", "name": "r", "fields": schema})
    fastavro.writer(room, parsed, records, codec=codec, sync_interval=200)
    return room.getvalue()


def orc_of(columns: dict[str, Any] | pa.Table, **options: Any) -> bytes:
    room = io.BytesIO()
    orc.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), room, **options)
    return room.getvalue()


def polars_avro(columns: dict[str, Any], compression: Any = "uncompressed") -> bytes:
    room = io.BytesIO()
    pl.DataFrame(columns).write_avro(room, compression=compression)
    return room.getvalue()


@pytest.fixture
def take(tmp_path: Path, small: Any) -> Any:
    """Return a function that reads a file: ([ordinal], {column: texts})."""

    def reading(content: bytes, kind: str, batch_rows: int = 50_000) -> tuple[list[int], dict[str, Any]]:
        path = tmp_path / "file"
        path.write_bytes(content)
        (source,) = small.usage(form=f"{{type: {kind}}}").sources.values()
        batches = list(read(source, path, batch_rows=batch_rows))
        frame = pl.concat([batch.frame for batch in batches])
        lines = [line for batch in batches for line in batch.lines]
        return lines, {column.name: as_text(column).to_list() for column in frame}

    return reading


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("orc", orc_of(PLAIN)),
        ("orc", orc_of(PLAIN, compression="zstd")),
        ("avro", polars_avro(PLAIN)),
        ("avro", polars_avro(PLAIN, "deflate")),
    ],
)
def test_a_file_becomes_typed_rows_told_by_their_order(kind: str, content: bytes, small: Any) -> None:
    outcome = small.map(small.usage(form=f"{{type: {kind}}}"), content)
    assert outcome.rows.select("line", "code", "value", "value_status").rows() == [
        (1, "A1", 7.5, "reported"),
        (2, "A2", None, "missing"),
    ]
    assert str(outcome.rows["period_start"][0]) == "2028-12-31 23:00:00+00:00"


INNER = pa.struct({"b": pa.struct({"c": pa.int32()}), "d": pa.string()})
NESTED = pa.table(
    {
        "a": pa.array([{"b": {"c": 1}, "d": "x"}, None], INNER),
        "list": pa.array([["x", "床"], None], pa.list_(pa.string())),
        "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        "money": pa.array([Decimal("0.10"), None], pa.decimal128(20, 2)),
        "seen": pa.array([datetime(2029, 1, 1, 6, 30, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
        "naive": pa.array([datetime(2029, 1, 1, 6, 30), None], pa.timestamp("us")),  # noqa: DTZ001
        "flag": pa.array([True, None]),
        "bytes": pa.array([b"\xff\x00", None], pa.binary()),
    }
)  # fmt: skip


def test_orc_keeps_its_types_and_nested_values_have_names(take: Any) -> None:
    lines, columns = take(orc_of(NESTED), "orc")
    assert lines == [1, 2]
    assert {name: texts[0] for name, texts in columns.items()} == {
        "a.b.c": "1",
        "a.d": "x",
        "list": '["x", "床"]',
        "map": '{"k": 1}',
        "money": "0.10",
        "seen": "2029-01-01T06:30:00.000000+00:00",
        "naive": "2029-01-01T06:30:00.000000",
        "flag": "true",
        "bytes": "ff00",
    }
    assert {texts[1] for texts in columns.values()} == {None}


FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "string"},
    {"name": "count", "type": ["null", "long"]},
    {"name": "share", "type": "double"},
    {"name": "kind", "type": {"type": "enum", "name": "kind", "symbols": ["ICU", "GEN"]}},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "clock", "type": {"type": "int", "logicalType": "time-millis"}},
    {"name": "seen", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "money", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
    {"name": "uuid", "type": {"type": "string", "logicalType": "uuid"}},
    {"name": "mixed", "type": ["null", "long", "string"]},
    {
        "name": "ward",
        "type": ["null", {"type": "record", "name": "ward", "fields": [{"name": "open", "type": "int"}]}],
    },
    {"name": "other", "type": ["null", "ward"]},
    {"name": "wards", "type": {"type": "array", "items": "ward"}},
    {"name": "notes", "type": {"type": "map", "values": "string"}},
    {
        "name": "tree",
        "type": {"type": "record", "name": "tree", "fields": [{"name": "next", "type": ["null", "tree"]}]},
    },
]
RECORD: dict[str, Any] = {
    "id": "007", "count": 2**53 + 1, "share": 0.1 + 0.2, "kind": "ICU", "day": date(2029, 1, 1),
    "clock": time(6, 30), "seen": datetime(2029, 1, 1, 6, 30, tzinfo=UTC), "money": Decimal("1234567890.10"),
    "uuid": UUID(int=7), "mixed": 7, "ward": {"open": 5}, "other": None, "wards": [{"open": 1}, {"open": 2}],
    "notes": {"a": "床"}, "tree": {"next": {"next": None}},
}  # fmt: skip
TEXTS = {
    "id": "007", "count": "9007199254740993", "share": "0.30000000000000004", "kind": "ICU",
    "day": "2029-01-01",
    "clock": "06:30:00", "seen": "2029-01-01T06:30:00.000000+00:00", "money": "1234567890.10",
    "uuid": "00000000-0000-0000-0000-000000000007", "mixed": "7", "ward.open": "5", "other.open": None,
    "wards": '[{"open": 1}, {"open": 2}]', "notes": '{"a": "床"}', "tree.next": '{"next": null}',
}  # fmt: skip


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_avro_keeps_its_types_and_nested_values_have_names(codec: str, take: Any) -> None:
    content = avro(FIELDS, [RECORD, {**RECORD, "mixed": "x", "ward": None}], codec)
    lines, columns = take(content, "avro")
    assert lines == [1, 2]
    assert {name: texts[0] for name, texts in columns.items()} == TEXTS
    assert (columns["mixed"][1], columns["ward.open"][1]) == ("x", None)


MANY = [{"id": f"A{number}"} for number in range(1000)]


@pytest.mark.parametrize("kind", ["orc", "avro"])
@pytest.mark.parametrize("batch_rows", [1, 7, 1000, 5000])
def test_records_do_not_depend_on_the_batches(kind: str, batch_rows: int, take: Any) -> None:
    content = (
        avro([FIELDS[0]], MANY)
        if kind == "avro"
        else orc_of({"id": [record["id"] for record in MANY]}, stripe_size=1024)
    )
    lines, columns = take(content, kind, batch_rows)
    assert lines == list(range(1, 1001))
    assert columns == {"id": [record["id"] for record in MANY]}


def test_avro_is_never_cut_unseen(take: Any) -> None:
    content = avro([FIELDS[0]], MANY, "null")
    marks = content.count(content[-16:])
    lost = []
    for length in range(len(content) - 1, len(content) - 400, -7):
        with contextlib.suppress(UnreadableFile):
            take(content[:length], "avro")
            lost.append(length)
    assert marks > 10
    # What ends where a block ends is a whole file to Avro, as a list of lines is.
    assert [length for length in lost if content[length - 16 : length] != content[-16:]] == []


EMPTY_SCHEMA = pa.schema({"id": pa.string(), "day": pa.string(), "n": pa.int64()})
HOSTILE: dict[str, tuple[str, bytes, str, str]] = {
    "nothing as ORC": ("orc", b"", "empty", "nothing"),
    "nothing as Avro": ("avro", b"", "empty", "nothing"),
    "page as ORC": ("orc", b"<!DOCTYPE html><html>", "html", "web page"),
    "page as Avro": ("avro", b" <html>", "html", "web page"),
    "text as Avro": ("avro", b"Service unavailable", "error_text", "Service unavailable"),
    "Avro as ORC": ("orc", avro([FIELDS[0]], MANY), "not_this_format", "no ORC"),
    "ORC as Avro": ("avro", orc_of(PLAIN), "not_this_format", "no Avro"),
    "cut ORC": ("orc", orc_of(PLAIN)[:-30], "not_this_format", "damaged or cut"),
    "broken ORC": ("orc", b"ORC" + b"\xff" * 300, "not_this_format", "damaged or cut"),
    "head of Avro alone": ("avro", avro([FIELDS[0]], MANY)[:40], "not_this_format", "damaged, cut"),
    "broken Avro": (
        "avro",
        avro([FIELDS[0]], MANY)[:300] + b"\xff" * 300,
        "not_this_format",
        "damaged, cut",
    ),
    "column twice": (
        "orc",
        orc_of(pa.table([pa.array(["a"]), pa.array(["b"])], names=["id", "id"])),
        "duplicate_header",
        "stands twice",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_rejected_with_a_reason(name: str, take: Any) -> None:
    kind, content, code, words = HOSTILE[name]
    with pytest.raises(UnreadableFile) as refused:
        take(content, kind)
    assert (refused.value.code, words in refused.value.reason) == (code, True), refused.value


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("orc", orc_of(EMPTY_SCHEMA.empty_table())),
        ("avro", avro([FIELDS[0], {"name": "day", "type": "string"}, {"name": "n", "type": "int"}], [])),
    ],
)
def test_a_file_without_a_record_is_no_rows(kind: str, content: bytes, small: Any) -> None:
    with pytest.raises(UnreadableFile, match="no_rows"):
        small.map(small.usage(form=f"{{type: {kind}}}"), content)


def test_avro_of_single_values_is_refused(take: Any) -> None:
    room = io.BytesIO()
    fastavro.writer(room, {"type": "array", "items": "int"}, [[1]])
    with pytest.raises(UnreadableFile, match="not of records"):
        take(room.getvalue(), "avro")


@pytest.mark.parametrize("kind", ["orc", "avro"])
def test_ten_thousand_columns_are_read(kind: str, take: Any) -> None:
    names = [f"c{number}" for number in range(10_000)]
    content = (
        orc_of(pa.table([pa.array([7])] * 10_000, names=names))
        if kind == "orc"
        else avro([{"name": name, "type": "int"} for name in names], [dict.fromkeys(names, 7)])
    )
    _, columns = take(content, kind)
    assert (len(columns), columns["c9999"]) == (10_000, ["7"])
