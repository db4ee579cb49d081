"""`caregrid feeds new` on workbooks, ORC, Avro and XML of other programs; and what it does not draft."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import fastavro
import openpyxl
import pyarrow as pa
import pytest
from caregrid.cli import main
from caregrid.drafts import draft
from caregrid.errors import CareGridError
from caregrid.feeds import Feed, check_file, load_feed
from lxml import etree
from pyarrow import orc

pytestmark = pytest.mark.unit

DAYS = [date(2024, 3, day) for day in range(1, 29)]
RECORDS = [
    {"hospital_id": f"H{number % 3}", "day": day, "occupied": number + 10, "capacity": 40}
    for number, day in enumerate(DAYS)
]
HEADING = list(RECORDS[0])
FIGURES = {"occupied": "occupied", "capacity": "capacity"}


def workbook(path: Path) -> None:
    """Two sheets; over the table of the second stand a title and a blank row."""
    book = openpyxl.Workbook()
    book.active.title = "Read me"
    book.active.append(["This workbook holds the beds of the region"])
    sheet = book.create_sheet("Beds")
    sheet.append(["Beds of the region"])
    sheet.append([])
    sheet.append(HEADING)
    for record in RECORDS:
        sheet.append(list(record.values()))
    book.save(path)


def workbook_of_two_row_heading(path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Hospital", "Date", "Beds", None])
    book.active.append(["code", "day", "occupied", "capacity"])
    book.active.merge_cells("C1:D1")
    for record in RECORDS:
        book.active.append(list(record.values()))
    book.save(path)


def packed_workbook(path: Path) -> None:
    inner = path.with_name("beds.xlsx")
    workbook(inner)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, "exports/beds.xlsx")


def orc_file(path: Path) -> None:
    orc.write_table(pa.Table.from_pylist(RECORDS), path)


def avro_file(path: Path) -> None:
    fields = [
        {"name": "hospital_id", "type": "string"},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "occupied", "type": ["null", "long"]},
        {"name": "capacity", "type": "long"},
    ]
    with path.open("wb") as stream:
        schema = {"type": "record", "name": "beds", "fields": fields}
        fastavro.writer(stream, schema, RECORDS, codec="deflate")


def xml_file(path: Path) -> None:
    """Attributes on the elements around, values in the elements below."""
    root = etree.Element("report", region="North")
    for site in sorted({record["hospital_id"] for record in RECORDS}):
        hospital = etree.SubElement(root, "hospital", hospital_id=site)
        for record in RECORDS:
            if record["hospital_id"] == site:
                beds = etree.SubElement(hospital, "state", day=str(record["day"]))
                for name in FIGURES:
                    etree.SubElement(beds, name).text = str(record[name])
    etree.ElementTree(root).write(path, xml_declaration=True, encoding="utf-16", pretty_print=True)


def xml_file_with_namespaces(path: Path) -> None:
    beds, codes = "urn:beds", "urn:codes"
    root = etree.Element(f"{{{beds}}}report", nsmap={None: beds, "c": codes})
    for record in RECORDS:
        state = etree.SubElement(root, f"{{{beds}}}state", {f"{{{codes}}}hospital_id": record["hospital_id"]})
        for name in ("day", *FIGURES):
            etree.SubElement(state, f"{{{beds}}}{name}").text = str(record[name])
        for remark in ("full", "closed at night"):
            etree.SubElement(state, f"{{{beds}}}remark").text = remark
    etree.ElementTree(root).write(path, xml_declaration=True, encoding="utf-8")


SAMPLES: dict[str, tuple[str, Callable[[Path], None], dict[str, str]]] = {
    "workbook": ("beds.xlsx", workbook, FIGURES),
    "heading of two rows": (
        "beds.xlsx", workbook_of_two_row_heading,
        {"Beds / occupied": "occupied", "Beds / capacity": "capacity"},
    ),
    "workbook in an archive": ("beds.zip", packed_workbook, FIGURES),
    "orc": ("beds.orc", orc_file, FIGURES),
    "avro": ("beds.avro", avro_file, FIGURES),
    "xml": ("beds.xml", xml_file, FIGURES),
    "xml with namespaces": ("beds.xml", xml_file_with_namespaces, FIGURES),
}  # fmt: skip


def drafted(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> tuple[Feed, str]:
    """Draft a feed on the command line, check it, try it; return it with what the trial printed."""
    file, write, _ = SAMPLES[name]
    sample = tmp_path / file
    write(sample)
    assert main(["feeds", "new", "--sample", str(sample), "--to", str(tmp_path)]) == 0
    written = tmp_path / "beds.yml"
    assert check_file(written) == []
    assert main(["feeds", "check", str(written)]) == 0
    capsys.readouterr()
    assert main(["feeds", "try", str(written), "--all"]) == 0
    return load_feed(written), capsys.readouterr().out


@pytest.mark.parametrize("name", SAMPLES)
def test_every_figure_of_the_sample_is_mapped(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    feed, told = drafted(tmp_path, name, capsys)
    (output,) = [output for output in feed.outputs if output.contract == "usage"]
    assert {value["column"]: value["measure"] for value in output.spec["values"]} == SAMPLES[name][2]
    assert f"usage: {2 * len(RECORDS)} rows, 0 rejected, 0 filtered" in told


def test_where_the_table_stands_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    feed, _ = drafted(tmp_path, "workbook", capsys)
    form = feed.sources["sample"].format
    assert (form.type, form.sheet, form.skip_rows, form.header_rows) == ("xlsx", "Beds", 2, 1)
    text = (tmp_path / "beds.yml").read_text(encoding="utf-8")
    assert "# CONFIRM sheet: the workbook also has 'Read me'" in text


def test_what_stands_around_a_record_and_what_stands_twice_in_it_are_fields(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    feed, _ = drafted(tmp_path, "xml", capsys)
    form = feed.sources["sample"].format
    assert form.records == "/report/hospital/state"
    assert {field.name: field.at for field in form.fields} == {
        "region": "../../@region", "hospital_id": "../@hospital_id", "day": "@day",
        "occupied": "occupied", "capacity": "capacity",
    }  # fmt: skip
    (tmp_path / "beds.yml").unlink()
    feed, _ = drafted(tmp_path, "xml with namespaces", capsys)
    form = feed.sources["sample"].format
    assert dict(form.namespaces) == {"n1": "urn:beds", "n2": "urn:codes"}
    assert form.records == "/n1:report/n1:state"
    fields: dict[str, Any] = {field.name: (field.at, field.separator) for field in form.fields}
    assert fields["hospital_id"] == ("@n2:hospital_id", None)
    assert fields["remark"] == ("n1:remark", "; ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"MSH|^~\\&|HIS|NORTH|||20240301||ADT^A01|1|P|2.5\rPID|1||77\r", "the sample is HL7 v2"),
        (b'{"resourceType": "Bundle", "entry": []}', "the sample is FHIR"),
        (
            b'{"resourceType":"Location","id":"1"}\n{"resourceType":"Location","id":"2"}\n',
            "the sample is FHIR",
        ),
        (b'<Bundle xmlns="http://hl7.org/fhir"><entry/></Bundle>', "the sample is FHIR"),
        (b"H1  2024-03-01  10\nH2  2024-03-01  11\nH3  2024-03-01   9\n", "fixed-width text"),
        (b"H1202403010010\nH2202403010011\nH3202403010009\n", "fixed-width text"),
        (b"<report><site>A</site></report>", "no element of the document repeats"),
        (b'<!DOCTYPE r [<!ENTITY a "b">]><r><s a="1" b="2"/><s a="1" b="2"/></r>', "entities"),
    ],
)
def test_what_is_not_drafted_is_said(content: bytes, words: str, tmp_path: Path) -> None:
    sample = tmp_path / "sample.dat"
    sample.write_bytes(content)
    with pytest.raises(CareGridError, match=words):
        draft(sample)
