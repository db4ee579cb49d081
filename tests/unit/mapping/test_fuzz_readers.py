"""Whatever bytes come: the readers give batches or refuse the file in words, with bounded memory."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import fastavro
import openpyxl
import polars as pl
import pyarrow as pa
import pytest
from caregrid.feeds.model import Format, FormatField, Source
from caregrid.mapping import UnreadableFile, members, read
from caregrid.mapping.readers import content as content_
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import orc

pytestmark = pytest.mark.unit

MANY = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TEXT = b'id,day,"n, of all"\r\nA1,2029-01-01,"7\n8"\r\n"A ""2""",2029-01-02,5\r\n'
JSON = json.dumps(
    {"made": "2029", "a": {"b": [{"id": "A1", "n": 1.5}, {"id": None, "n": [1, {"x": 2}]}]}}
).encode()


def _parquet() -> bytes:
    room = io.BytesIO()
    pl.DataFrame({"id": ["A1", None], "n": [1.5, 2.0], "s": [{"x": 1}, {"x": 2}]}).write_parquet(room)
    return room.getvalue()


def _zip() -> bytes:
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", TEXT)
        archive.writestr("b/c.csv", TEXT)
    return room.getvalue()


GOOD = [
    TEXT,
    JSON,
    b'{"id": "A1", "n": 1}\n{"id": "A2"}\n',
    _parquet(),
    _zip(),
    gzip.compress(TEXT),
    TEXT.decode().encode("utf-16"),
]
FORMS = [
    Format("csv"),
    Format("csv", delimiter=";", quote=None),
    Format("csv", encoding="cp1252", skip_rows=1),
    Format("csv", header=("a", "b", "c")),
    Format("tsv", encoding="utf-16"),
    Format("csv", encoding="gb18030"),
    Format("json"),
    Format("json", records="a.b"),
    Format("ndjson"),
    Format("parquet"),
]  # fmt: skip


def _book() -> bytes:
    room = io.BytesIO()
    book = openpyxl.Workbook()
    for row in (["id", "day", "n"], ["A1", date(2029, 1, 1), 7.5]):
        book.worksheets[0].append(row)
    book.save(room)
    return room.getvalue()


def _orc() -> bytes:
    room = io.BytesIO()
    orc.write_table(pa.table({"id": ["A1", None], "s": [{"x": 1}, {"x": 2}]}), room)
    return room.getvalue()


def _avro() -> bytes:
    room = io.BytesIO()
    fields = [{"name": "id", "type": ["null", "string"]}, {"name": "n", "type": "double"}]
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": fields})
    fastavro.writer(room, schema, [{"id": "A1", "n": 1.5}, {"id": None, "n": 2.0}], codec="deflate")
    return room.getvalue()


PLACE = b'{"resourceType": "Location", "id": "l", "managingOrganization": {"reference": "Organization/o"}}'
# A good file of each format that is none of those above.
OTHERS: dict[str, tuple[Format, bytes]] = {
    "orc": (Format("orc"), _orc()),
    "avro": (Format("avro"), _avro()),
    "xlsx": (Format("xlsx"), _book()),
    "xml": (
        Format(
            "xml", encoding="", records="/r/bed", fields=(FormatField("id", "@id"), FormatField("n", "n"))
        ),
        b'<?xml version="1.0"?><r><bed id="A1"><n>7</n></bed><bed id="A2"/></r>',
    ),
    "fixed": (
        Format("fixed", fields=(FormatField("id", "1-4"), FormatField("n", "5-6"))),
        b"A1   7\nA2   8\n",
    ),
    "fhir": (
        Format("fhir", resolve=("managingOrganization",)),
        b'{"resourceType": "Bundle", "type": "collection", "entry": [{"resource": ' + PLACE + b"}]}",
    ),
    "fhir_ndjson": (
        Format("fhir_ndjson", resolve=("managingOrganization",)),
        PLACE + b'\n{"resourceType": "Organization", "id": "o", "name": "H"}\n',
    ),
    "hl7": (Format("hl7"), b"MSH|^~\\&|A|B|C|D|20290101||ADT^A01|1|P|2.5\rEVN|A01|20290101\rPV1|1|I|W^R^B\r"),
}


@st.composite
def damaged(draw: st.DrawFn, good: tuple[bytes, ...] = tuple(GOOD)) -> bytes:
    """A good file with bytes changed, taken out, put in, doubled or cut off; or any bytes at all."""
    data = bytearray(draw(st.one_of(st.sampled_from(good), st.binary(max_size=300))))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from(["change", "insert", "cut", "double", "end"]))
        if kind == "change" and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == "insert":
            data[at:at] = draw(
                st.sampled_from(
                    [b'"', b"\x00", b"\n", b"\r", b",", b"{", b"[", b"\xff", b"\xef\xbb\xbf", b"\\ud800"]
                )
            )
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 20))]
        elif kind == "double":
            data[at:at] = data[at : at + 50]
        else:
            del data[at:]
    return bytes(data)  # fmt: skip


def take(path: Path, form: Format, batch_rows: int) -> int:
    """Read all of a file as its feed would; return how many records it holds, readable or not."""
    source = Source("feed", "source", None, None, None, form, ("",), (), (), {}, {}, False)
    count = 0
    for member in members(source, path) or [""]:
        for batch in read(source, path, member=member, batch_rows=batch_rows):
            assert len(batch.lines) == batch.frame.height
            count += batch.frame.height + len(batch.rejects)
    return count


@MANY
@given(content=damaged(), form=st.sampled_from(FORMS), batch_rows=st.sampled_from([1, 3, 50_000]))
@example(content=b"a,b,c\n1,2,3\n\xff", form=FORMS[0], batch_rows=1)
@example(content=b'a,b\n"1,"\r2"\n,\r\x08', form=FORMS[0], batch_rows=2)
@example(content=b'{"id": 1}\n{}\n', form=FORMS[8], batch_rows=1)
@example(content=b"[{}, {}]", form=FORMS[6], batch_rows=1)
@example(content=b"", form=Format("parquet"), batch_rows=1)
@example(content=b"PK\x03\x04", form=FORMS[0], batch_rows=1)
@example(content=b"\x1f\x8b", form=Format("parquet"), batch_rows=1)
def test_any_bytes_are_batches_or_a_refusal(
    tmp_path: Path, content: bytes, form: Format, batch_rows: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    refusal = None
    try:
        take(path, form, batch_rows)
    except UnreadableFile as error:
        refusal = error
    assert refusal is None or (refusal.code and refusal.reason)


@MANY
@given(content=damaged(), form=st.sampled_from(FORMS))
def test_what_a_file_holds_does_not_depend_on_how_it_is_cut(
    tmp_path: Path, content: bytes, form: Format
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    found: list[Any] = []
    for batch_rows, characters in ((1, 2**25), (2, 2**25), (50_000, 2**25), (50_000, 20)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(content_, "BATCH_CHARACTERS", characters)
            try:
                found.append(take(path, form, batch_rows))
            except UnreadableFile as error:
                found.append(error.code)
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.parametrize("kind", OTHERS)
@MANY
@given(data=st.data())
def test_the_other_formats_keep_to_the_same(kind: str, tmp_path: Path, data: st.DataObject) -> None:
    form, good = OTHERS[kind]
    path = tmp_path / "file"
    path.write_bytes(good)
    assert take(path, form, 50_000)
    path.write_bytes(data.draw(damaged((good,))))
    found: list[Any] = []
    for batch_rows in (1, 50_000):
        try:
            found.append(take(path, form, batch_rows))
        except UnreadableFile as error:
            found.append((error.code, bool(error.reason)))
    assert found[0] == found[1]
    assert found[0] != ("", False)


def test_an_xml_record_without_any_field_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'<r><bed id="A1"><n>7</n></bed><bed/></r>')
    assert [take(path, OTHERS["xml"][0], batch_rows) for batch_rows in (1, 50_000)] == [2, 2]


def test_a_stray_quote_costs_one_record_of_a_long_file(tmp_path: Path, small: Any) -> None:
    path = tmp_path / "file"
    lines = [f"A{number},2029-01-01,{number}" for number in range(30_000)]
    lines[0] = '"A0,2029-01-01,0'
    path.write_text("\n".join(["id,day,n", *lines]) + "\n")
    outcome = small.run(small.usage(), path)
    assert [(reject.line, reject.reasons[0]["code"]) for reject in outcome.unread] == [
        (2, "malformed_quotes")
    ]
    assert outcome.rows.height == 29_999


def test_a_cell_of_very_many_lines_ends_in_one_reject_a_line(tmp_path: Path) -> None:
    """Each line of a cell that no record can hold is a record of its own that cannot be read."""
    path = tmp_path / "file.gz"
    inside = 200_000
    path.write_bytes(
        gzip.compress(b'id,day,n\n"A1\n' + b"x\n" * inside + b"end,2029-01-01,7\nA2,2029-01-01,8\n", 1)
    )
    assert take(path, FORMS[0], 50_000) == 1 + inside + 2


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    peaks = []
    for records in (300_000, 900_000):
        path.write_bytes(b"id,day,n\n" + b'"A1",2029-01-01,7\n' * records)
        tracemalloc.start()
        assert take(path, FORMS[0], 10_000) == records
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
