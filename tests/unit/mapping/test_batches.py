"""A batch ends after so many rows, characters or cells: a wide file is not held because its rows are few."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import openpyxl
import polars as pl
import pytest
from caregrid.feeds.model import Format, FormatField, Source
from caregrid.mapping import RecordBatch, read
from caregrid.mapping.readers import avro, content
from pyarrow import orc

pytestmark = pytest.mark.unit

ROWS = 600
NAMES = ["id", *(f"v{number}" for number in range(9))]
TABLE = [[f"A{row}", *(f"{row}-{number}" for number in range(9))] for row in range(ROWS)]
FRAME = pl.DataFrame(TABLE, schema=NAMES, orient="row")


def _parquet() -> bytes:
    room = io.BytesIO()
    FRAME.write_parquet(room)
    return room.getvalue()


def _orc() -> bytes:
    room = io.BytesIO()
    orc.write_table(FRAME.to_arrow(), room)
    return room.getvalue()


def _avro() -> bytes:
    room = io.BytesIO()
    fields = [{"name": name, "type": "string"} for name in NAMES]
    fastavro.writer(
        room, fastavro.parse_schema({"type": "record", "name": "r", "fields": fields}), FRAME.to_dicts()
    )
    return room.getvalue()


def _xlsx() -> bytes:
    room = io.BytesIO()
    book = openpyxl.Workbook()
    for row in (NAMES, *TABLE):
        book.active.append(row)
    book.save(room)
    return room.getvalue()


def _xml() -> bytes:
    return ("<r>" + "".join(
        "<b>" + "".join(f"<{name}>{text}</{name}>" for name, text in zip(NAMES, row, strict=True)) + "</b>"
        for row in TABLE
    ) + "</r>").encode()  # fmt: skip


def _lines(rows: list[list[str]], mark: str) -> bytes:
    return ("\n".join(mark.join(row) for row in rows) + "\n").encode()


FIXED = tuple(FormatField(name, f"{1 + 9 * at}-{9 + 9 * at}") for at, name in enumerate(NAMES))
PLACES = [{"resourceType": "Location", **dict(zip(NAMES, row, strict=True))} for row in TABLE]
FILES: dict[str, tuple[Format, bytes]] = {
    "csv": (Format("csv"), _lines([NAMES, *TABLE], ",")),
    "csv with line breaks": (
        Format("csv"), _lines([NAMES, *([f'"{text}\n"' for text in row] for row in TABLE)], ","),
    ),
    "fixed": (Format("fixed", fields=FIXED), _lines([[f"{text:9}" for text in row] for row in TABLE], "")),
    "ndjson": (Format("ndjson"), "\n".join(map(json.dumps, FRAME.to_dicts())).encode()),
    "json": (Format("json"), json.dumps(FRAME.to_dicts()).encode()),
    "xml": (
        Format("xml", records="/r/b", fields=tuple(FormatField(name, name) for name in NAMES)), _xml(),
    ),
    "xlsx": (Format("xlsx"), _xlsx()),
    "avro": (Format("avro"), _avro()),
    "parquet": (Format("parquet"), _parquet()),
    "orc": (Format("orc"), _orc()),
    "fhir_ndjson": (Format("fhir_ndjson"), "\n".join(map(json.dumps, PLACES)).encode()),
}  # fmt: skip


def batches(directory: Path, kind: str) -> list[RecordBatch]:
    """Read a file of FILES."""
    form, data = FILES[kind]
    path = directory / "file"
    path.write_bytes(data)
    return list(read(Source("feed", "source", None, None, None, form, ("",), (), (), {}, {}, False), path))


def records(found: list[RecordBatch]) -> list[tuple[int, dict[str, Any]]]:
    """Return lines and records, without what is not there."""
    return [
        (line, {name: value for name, value in record.items() if value is not None})
        for batch in found
        for line, record in zip(batch.lines.to_list(), batch.frame.to_dicts(), strict=True)
    ]


# The lines of NDJSON say what columns there are: see the keys that are data.
LIMITS = [(kind, "BATCH_CHARACTERS") for kind in FILES]
LIMITS += [(kind, "BATCH_CELLS") for kind in FILES if kind != "ndjson"]


@pytest.mark.parametrize(("kind", "limit"), LIMITS)
def test_a_batch_ends_before_it_is_large(
    kind: str, limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = batches(tmp_path, kind)
    assert (len(whole), len(records(whole))) == (1, ROWS)
    monkeypatch.setattr(content, "BLOCK_BYTES", 500)
    monkeypatch.setattr(avro, "_AT_ONCE", 20)
    monkeypatch.setattr(content, limit, 1000)
    cut = batches(tmp_path, kind)
    assert len(cut) > 5
    assert records(cut) == records(whole)


def test_keys_that_are_data_make_no_columns_of_all_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [json.dumps({f"H{number}": number, "day": "2029-01-01"}) for number in range(300)]
    monkeypatch.setattr(content, "BATCH_CELLS", 2000)
    monkeypatch.setitem(FILES, "keys", (Format("ndjson"), "\n".join(lines).encode()))
    found = batches(tmp_path, "keys")
    assert max(batch.frame.height * batch.frame.width for batch in found) <= 2000
    assert records(found) == [
        (number + 1, {f"H{number}": str(number), "day": "2029-01-01"}) for number in range(300)
    ]


@pytest.mark.parametrize("kind", ["csv", "fixed", "ndjson", "fhir_ndjson"])
def test_lines_are_told_wherever_the_blocks_of_text_end(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = records(batches(tmp_path, kind))
    for size in (1, 7, 64):
        monkeypatch.setattr(content, "BLOCK_BYTES", size)
        assert records(batches(tmp_path, kind)) == whole


def test_parts_of_a_batch_hold_all_of_it(tmp_path: Path) -> None:
    (batch,) = batches(tmp_path, "csv")
    assert list(batch.parts(ROWS)) == [batch]
    parts = list(batch.parts(7))
    assert records(parts) == records([batch])
    assert max(part.frame.height for part in parts) == 7
