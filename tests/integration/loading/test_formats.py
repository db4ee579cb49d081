"""Every format from the published bytes to canonical rows, and each record shown again from its place."""

from __future__ import annotations

import io
import tarfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import fastavro
import openpyxl
import polars as pl
import pyarrow as pa
import pytest
import zstandard
from caregrid import loading
from caregrid.loading.preview import preview
from caregrid.loading.records import show
from pyarrow import orc

pytestmark = pytest.mark.integration

NAMES = ["site", "site_name", "day", "occupied", "capacity"]
RECORDS = [
    ["A", "Alpha", "2025-03-01", "10", "20"],
    ["B", "急診", "2025-03-01", "-1", "5"],  # one value cannot be true
    ["IGNORED", "", "2025-03-01", "1", "1"],  # filtered by the output of beds
    ["A", "Alpha", "2025-03-01", "10", "20"],  # a duplicate
]


def xlsx() -> bytes:
    book = openpyxl.Workbook()
    book.create_sheet("Beds", 0)
    book["Beds"].append(["Report of the north"])
    for row in [NAMES, *RECORDS]:
        book["Beds"].append([int(cell) if cell.lstrip("-").isdigit() else cell for cell in row])
    room = io.BytesIO()
    book.save(room)
    return room.getvalue()


def xml() -> bytes:
    root = ET.Element("{urn:beds}report", day=RECORDS[0][2])
    for site, name, _, occupied, capacity in RECORDS:
        bed = ET.SubElement(root, "{urn:beds}beds", site=site, occupied=occupied)
        ET.SubElement(bed, "name").text = name
        ET.SubElement(bed, "capacity").text = capacity
    return ET.tostring(root, encoding="utf-16", xml_declaration=True)


def fixed() -> bytes:
    widths = (8, 8, 10, 6, 6)
    lines = ["".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in RECORDS]
    return "\r\n".join(lines).encode("utf-8-sig")


def as_orc() -> bytes:
    room = io.BytesIO()
    orc.write_table(pa.table(dict(zip(NAMES, zip(*RECORDS, strict=True), strict=True))), room)
    return room.getvalue()


def avro() -> bytes:
    room = io.BytesIO()
    fields = [{"name": name, "type": "string"} for name in NAMES]
    records = [dict(zip(NAMES, row, strict=True)) for row in RECORDS]
    fastavro.writer(room, {"type": "record", "name": "beds", "fields": fields}, records, codec="deflate")
    return room.getvalue()


def csv() -> bytes:
    return pl.DataFrame(RECORDS, schema=NAMES, orient="row").write_csv().encode()


def tarred(content: bytes, mode: Any = "w:gz") -> bytes:
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode=mode) as archive:
        item = tarfile.TarInfo("2025/beds.csv")
        item.size = len(content)
        archive.addfile(item, io.BytesIO(content))
    return room.getvalue()


PUBLISHED = 'published_at: {value: "2025-03-02", assumed: true}'
XML_FIELDS = "site: '@site', site_name: name, day: ../@day, occupied: '@occupied', capacity: capacity"
FORMATS: dict[str, tuple[str, Callable[[], bytes], int, str]] = {
    "xlsx": ("{type: xlsx, sheet: Beds, skip_rows: 1}", xlsx, 3, ""),
    "xml": (
        f"{{type: xml, namespaces: {{b: 'urn:beds'}}, records: //b:beds, fields: {{{XML_FIELDS}}}}}",
        xml,
        1,
        "",
    ),
    "fixed": (
        "{type: fixed, fields: {site: 1-8, site_name: 9-16, day: 17-26, occupied: 27-32, capacity: 33-38}}",
        fixed,
        1,
        "",
    ),
    "orc": ("{type: orc}", as_orc, 1, ""),
    "avro": ("{type: avro}", avro, 1, ""),
    "tar.gz": ("{type: csv}", lambda: tarred(csv()), 2, "2025/beds.csv"),
    "tar.zst": (
        "{type: csv}",
        lambda: zstandard.ZstdCompressor().compress(tarred(csv(), "w")),
        2,
        "2025/beds.csv",
    ),
    "avro in tar.gz": ("{type: avro}", lambda: tarred(avro()), 1, "2025/beds.csv"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_loaded_and_each_record_shown_again(name: str, publisher: Any, capsys: Any) -> None:
    form, make, first, member = FORMATS[name]
    publisher.write_feed(path="2025-03-02/beds_*")
    publisher.feed.write_text(
        publisher.feed.read_text()
        .replace("format: {type: csv}", f"format: {form}")
        .replace("published_at: {file_name: '(\\d{4}-\\d{2}-\\d{2})', format: \"%Y-%m-%d\"}", PUBLISHED)
    )
    (publisher.base / "2025-03-02").mkdir()
    (publisher.base / "2025-03-02" / "beds_1").write_bytes(make())
    assert preview(publisher.feed, rows=5) == 0
    assert "Alpha" in capsys.readouterr().out
    summary = publisher.ingest()
    assert (summary["files_landed"], summary["records_received"]) == (1, 4)
    (load_id,) = summary["load_ids"]
    loading.accept([load_id])
    account = publisher.account(load_id)
    assert (account.kept, account.duplicate, account.partly_rejected) == (1, 1, 1)
    values = [(code, measure, value, line) for code, measure, _, _, value, _, line in publisher.usage()]
    assert values == [
        ("A", "capacity", 20.0, first),
        ("A", "occupied", 10.0, first),
        ("B", "capacity", 5.0, first + 1),
    ]
    assert publisher.query("select member from landing.file") == [(member,)]
    for number, row in enumerate(RECORDS):
        shown = show(load_id, first + number)
        record = {key: (value or "").strip() for key, value in shown["record"].items()}
        assert record == dict(zip(NAMES, row, strict=True))
    rejects = publisher.query("select line, value_name from rejected.record")
    assert rejects == [(first + 1, "occupied")]
