"""Files that no honest publisher sends: each is one rejected file, or one rejected record, never a crash."""

from __future__ import annotations

import bz2
import gzip
import io
import warnings
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from caregrid.mapping import UnreadableFile, members, read
from pyarrow import orc

pytestmark = pytest.mark.unit
TEXT = b"id,day,n\nA1,2029-01-01,7\n" * 200


def _zip(
    *entries: tuple[str, bytes], patch: dict[int, int] | None = None, central: dict[int, int] | None = None
) -> bytes:
    """Return an archive, with bytes of its first local and its first central header overwritten."""
    room = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(room, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, content in entries:
            archive.writestr(name, content)
    data = bytearray(room.getvalue())
    start = data.find(b"PK\x01\x02")
    for base, changes in ((0, patch), (start, central)):
        for at, byte in (changes or {}).items():
            data[base + at] = byte
    return bytes(data)


def _columns(kind: str, table: Any) -> bytes:
    """Return a table as Parquet or ORC."""
    room = io.BytesIO()
    (pq.write_table if kind == "parquet" else orc.write_table)(table, room)
    return room.getvalue()


def _avro(fields: list[dict[str, Any]], records: list[dict[str, Any]]) -> bytes:
    room = io.BytesIO()
    fastavro.writer(room, fastavro.parse_schema({"type": "record", "name": "r", "fields": fields}), records)
    return room.getvalue()


def _parquet(names: list[str]) -> bytes:
    room = io.BytesIO()
    pq.write_table(pa.table([pa.array(["A1"] * 500)] * len(names), names=names), room)
    return room.getvalue()


ONE = ("a.csv", TEXT)
DAYS, MOMENTS = pa.list_(pa.date32()), pa.list_(pa.timestamp("us"))
HOSTILE: dict[str, tuple[str, bytes, str]] = {
    "damaged zip": ("csv", _zip(ONE, patch=dict.fromkeys(range(40, 60), 255)), "damaged or cut"),
    "encrypted zip": ("csv", _zip(ONE, patch={6: 1}, central={8: 1}), "encrypted"),
    "unknown compression": ("csv", _zip(ONE, patch={8: 99}, central={10: 99}), "not supported"),
    "two names for one member": ("csv", _zip(ONE, patch={30: 98}), "damaged or cut"),
    "two members of one name": ("csv", _zip(ONE, ONE), "two members"),
    "endless name of a member": ("csv", _zip(("a" * 2000, TEXT)), "longer than"),
    "member without a name": (
        "csv",
        _zip(("a", TEXT), patch={26: 0, 28: 1}, central={28: 0, 30: 1}),
        "has no name",
    ),
    "empty zip": ("csv", _zip(), "empty zip archive"),
    "zip in a zip": ("csv", _zip(("b.zip", _zip(ONE))), "within another"),
    "bomb": ("csv", _zip(("a.csv", (b"0" * 1_000_000 + b"\n") * 280)), "times its size"),
    **{
        f"line without end in {kind}": (kind, _zip(("a", b"0" * 80_000_000)), "no end")
        for kind in ("csv", "ndjson", "fhir_ndjson")
    },
    "workbook of a later zip": ("xlsx", _zip(("a", _zip(ONE, central={6: 246}))), "zip file version 24.6"),
    "workbook whose parts' names are no text": (
        "xlsx",
        _zip(("a", _zip(("é.xml", TEXT), central={46: 0xD3, 47: 0x20}))),
        "damaged or cut",
    ),
    "Excel": ("csv", _zip(("[Content_Types].xml", b"<?xml?>")), "Excel"),
    "gzip twice": ("csv", gzip.compress(gzip.compress(TEXT)), "compressed twice"),
    "cut gzip": ("csv", gzip.compress(TEXT)[:-12], "damaged or cut"),
    "bzip2": ("csv", bz2.compress(TEXT), "bzip2"),
    "PDF": ("csv", b"%PDF-1.4\n\xe2", "a PDF"),
    "UTF-32": ("csv", TEXT.decode().encode("utf-32"), "encoding: utf-32"),
    "JSON without end": ("json", b"[" * 9000 + b"]" * 9000, "nested too deep"),
    "half a character": ("json", b'[{"id": "\\ud800"}]', "surrogates"),
    "key twice": ("json", b'[{"id": "A1", "id": "A2"}]', "stands twice"),
    "damaged Parquet": ("parquet", _parquet(["id"])[:20] + b"\xff" * 60 + _parquet(["id"])[80:], "Parquet"),
    "name that is no text": ("parquet", _parquet(["zzzz"]).replace(b"zzzz", b"z\xffzz"), "Parquet"),
    "Parquet without a column": (
        "parquet",
        _columns("parquet", pa.table({"n": [1]}).select([])),
        "no column",
    ),
    "Avro without a column": ("avro", _avro([], [{}, {}]), "no column"),
    "Avro of nothing": ("avro", _avro([{"name": "n", "type": "null"}], [{"n": None}] * 3), "no column"),
    "ORC of structs without a field": (
        "orc",
        _columns("orc", pa.table({"a": pa.array([{}, {}], pa.struct([]))})),
        "no column",
    ),
    **{
        f"{what} in {kind}": (kind, _columns(kind, table), words)
        for kind in ("parquet", "orc")
        for what, table, words in (
            ("a column as a field is called", pa.table({"a.b": [1], "a": [{"b": 1}]}), "bear one name"),
            ("days beyond the calendar", pa.table({"a": pa.array([[2**31 - 1]], DAYS)}), "out-of-range date"),
            ("moments beyond the calendar", pa.table({"a": pa.array([[2**62]], MOMENTS)}), "out of range"),
        )
    },
    "column twice": ("parquet", _parquet(["id", "id"]), "stands twice"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_rejected_with_a_reason(name: str, tmp_path: Path, small: Any) -> None:
    kind, content, words = HOSTILE[name]
    path = tmp_path / "file"
    path.write_bytes(content)
    (source,) = small.usage(form=f"{{type: {kind}}}").sources.values()

    def take() -> list[Any]:
        return [list(read(source, path, member=member)) for member in members(source, path) or [""]]

    with pytest.raises(UnreadableFile) as refused:
        take()
    assert words in refused.value.reason


def test_a_code_that_no_index_can_hold_is_a_reject_of_its_record(small: Any) -> None:
    outcome = small.map(small.usage(), f"id,day,n\n{'x' * 5000},2029-01-01,7\nA2,2029-01-01,8\n")
    assert outcome.reasons == [(2, "too_long", "place.code")]
    assert len(outcome.rejects[0].reasons[0]["message"]) < 400
    assert outcome.rows["code"].to_list() == ["A2"]


def test_zero_has_no_sign_and_infinity_is_no_number(small: Any) -> None:
    assert str(small.map(small.usage(), "id,day,n\nA1,2029-01-01,-0\n").rows["value"][0]) == "0.0"
    room = io.BytesIO()
    table = {"id": ["A1", "A2", b"\xff".hex()], "day": [date(2029, 1, 1)] * 3, "n": [-0.0, float("inf"), 1.0]}
    pq.write_table(pa.table(table), room)
    outcome = small.map(small.usage(form="{type: parquet}"), room.getvalue())
    assert [str(value) for value in outcome.rows["value"]] == ["0.0", "1.0"]
    assert [reason[:2] for reason in outcome.reasons] == [(2, "not_a_number")]


def test_bytes_that_are_no_text_are_kept_as_hexadecimal(small: Any) -> None:
    room = io.BytesIO()
    pq.write_table(pa.table({"id": [b"\xff\x00"], "day": [date(2029, 1, 1)], "n": [1.0]}), room)
    assert small.map(small.usage(form="{type: parquet}"), room.getvalue()).rows["code"].to_list() == ["ff00"]


def test_an_endless_line_without_quotes_is_one_rejected_file(tmp_path: Path, small: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * ((1 << 24) + 2))
    (source,) = small.usage(form="{type: csv, quote: null}").sources.values()
    with pytest.raises(UnreadableFile, match="field larger"):
        list(read(source, path))
