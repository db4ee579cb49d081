"""`caregrid feeds new` on files of which no draft is made: each error names what is wrong and its fix."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import openpyxl
import pytest
from caregrid.drafts import draft
from caregrid.drafts.refusals import utf_16
from caregrid.errors import CareGridError
from caregrid.feeds import parse_feed

pytestmark = pytest.mark.unit
# ruff: noqa: E501 - a case is one line

LINES = [f"H{day % 3},2024-03-{day:02},{day + 10}" for day in range(1, 20)]
TABLE = "\n".join(["Hospital,Date,Occupied beds", *LINES]) + "\n"
OBJECTS = [
    json.dumps(dict(zip(("hospital_id", "date", "occupied"), line.split(","), strict=True))) for line in LINES
]
WHOLE = '{"rows": [' + ",\n".join(OBJECTS) + "]}"

AGAIN = "ask the publisher for the whole file again"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)

WRONG: dict[str, tuple[str, bytes, str, str]] = {
    # what: file, bytes, words of the error, words of the fix
    "one NUL": ("a.csv", TABLE.replace("H1", "H\0", 1).encode(), "line 2: there is a NUL byte", "take the character"),
    "NUL far down": ("a.csv", (TABLE * 40 + "H1,2024-03-01,\0").encode(), "line 801: there is a NUL", "take the character"),
    "NULs alone": ("a.csv", bytes(5000), "read: the file holds NUL bytes .00. only", AGAIN),
    "one NUL alone": ("a.csv", bytes(1), "the file holds NUL bytes .00. only", AGAIN),
    "NULs and the end of a line": ("a.csv", bytes(999) + b"\r\n", "the file holds NUL bytes .00. only", AGAIN),
    "NULs behind a mark": ("a.csv", b"\xff\xfe" + bytes(1000), "the file holds NUL bytes .00. only", AGAIN),
    "NULs alone, packed": ("a.csv.gz", gzip.compress(bytes(5000)), "the file holds NUL bytes .00. only", AGAIN),
    "NULs alone as Excel": ("a.xlsx", bytes(5000), "the file holds NUL bytes .00. only", AGAIN),
    "NULs to the end": ("a.csv", (TABLE * 40).encode() + bytes(512), "line 801: there are 512 NUL bytes", AGAIN),
    "blank lines of UTF-16": ("a.csv", "\r\n\r\n".encode("utf-16-le"), "blank lines only", AGAIN),
    "no text": ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 4, "no format that feeds read", "as CSV"),
    "old Excel": ("a.xls", OLE, "old or protected Office", "save it as .xlsx"),
    "Excel with a password": ("a.xlsx", OLE, "read: the file is an old or protected Office", "save it as .xlsx without a password"),
    "the same with macros": ("a.xlsm", OLE, "read: the file is an old or protected Office", "save it as .xlsx without a password"),
    "old Excel in a zip's name": ("a.zip", OLE, "by its name it is a zip archive, but it is none", "save it as .xlsx without a password"),
    "a PDF": ("a.xlsx", b"%PDF-1.4\n", "an Excel file, but it is none.*a PDF", "the data as CSV"),
    "broken new Excel as old": ("a.xls", b"PK\x03\x04" * 90, "read: the zip archive is damaged", "the whole file again"),
    "no Excel": ("a.xlsx", b"hello\nworld\n", "by its name it is an Excel file, but it is none", "that its name promises"),
    "no Excel, a heading": ("a.xlsx", b"Hospital,Date,Beds\n", "an Excel file, but it is none.*no record", "that its name promises"),
    "broken Excel": ("a.xlsx", b"PK\x03\x04" * 90, "zip archive is damaged", "the whole file again"),
    "no Parquet": ("a.parquet", b"remark\nnothing to see\n", "by its name it is a Parquet file", "that its name promises"),
    "cut gzip": ("a.csv.gz", gzip.compress(TABLE.encode())[:60], "damaged or cut", "the whole file again"),
    "cut JSON": ("a.json", WHOLE[:-2].encode(), "it ends in line 19, cut off", "the whole file again"),
    "broken JSON": ("a.json", WHOLE.replace('"H2"', "H2", 1).encode(), "line 2, column 17: ", "mend that place"),
    "no records": ("a.json", b"[1, 2, 3]", "no array of objects", "records: in its format"),
    "heading alone": ("a.csv", b"Hospital,Date,Beds\n", "no record in it", "records below its heading"),
    "nothing": ("a.csv", b"", "holds nothing", "the whole file again"),
    "broken XML": ("a.xml", b"<r><a x='1'><b>1</b></a><a x='2'><b>1</a></r>", "line 1, column", "mend that place"),
    "web page": ("a.csv", b"<!DOCTYPE html><html><body>503</body></html>", "web page", "name the data file itself"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_each_error_names_what_is_wrong_and_its_fix(what: str, tmp_path: Path) -> None:
    name, content, words, fix = WRONG[what]
    sample = tmp_path / name
    sample.write_bytes(content)
    with pytest.raises(CareGridError, match=words) as caught:
        draft(sample)
    assert fix in (caught.value.fix or "")


def test_a_directory_is_named_as_one_with_a_file_of_it(tmp_path: Path) -> None:
    (tmp_path / "beds.csv").write_text(TABLE)
    with pytest.raises(CareGridError, match="this is a directory") as caught:
        draft(tmp_path)
    assert "beds.csv" in (caught.value.fix or "")
    with pytest.raises(CareGridError, match="no such file"):
        draft(tmp_path / "other.csv")


def test_a_name_that_no_file_can_have_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(CareGridError, match="the file cannot be opened: File name too long") as caught:
        draft(tmp_path / ("b" * 300 + ".csv"))
    assert "name a data file" in (caught.value.fix or "")


@contextmanager
def as_another_account() -> Iterator[None]:
    """Run as an account to which modes apply: to root they do not."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(mine)


@pytest.mark.parametrize(("mode", "name"), [(0o311, ""), (0o700, "beds.csv"), (0o711, "beds.csv")])
def test_what_is_closed_to_this_account_is_refused_in_words(mode: int, name: str) -> None:
    with TemporaryDirectory() as made:
        directory = Path(made)
        (directory / "beds.csv").write_text(TABLE)
        (directory / "beds.csv").chmod(0)
        directory.chmod(mode if os.geteuid() == 0 or mode != 0o700 else 0)
        try:
            with (
                as_another_account(),
                pytest.raises(CareGridError, match="the file cannot be opened: Permission denied") as caught,
            ):
                draft(directory / name)
        finally:
            directory.chmod(0o700)
    assert caught.value.fix == "let this account read it"


@pytest.mark.parametrize("broken", [0, 1, 4])
def test_a_broken_line_of_json_lines_is_told_by_its_number(broken: int, tmp_path: Path) -> None:
    sample = tmp_path / "beds.ndjson"
    lines = [line[:-3] if number == broken else line for number, line in enumerate(OBJECTS)]
    sample.write_text("\n".join(lines) + "\n")
    made = draft(sample)
    assert made.mapped == {"figures": len(LINES) - 1}
    assert f"1 records cannot be read, the first: line {broken + 1}:" in made.text


def test_bytes_without_a_nul_are_no_utf_16() -> None:
    assert utf_16(b"") is None
    assert utf_16(b"Hospital") is None
    assert utf_16("Hospital".encode("utf-16-le")) == "utf-16-le"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("place", ["Hospital ", "第一醫院"])
def test_utf_16_without_a_mark_is_still_read(encoding: str, place: str, tmp_path: Path) -> None:
    sample = tmp_path / "beds.csv"
    sample.write_bytes(TABLE.replace("H", place).encode(encoding))
    made = draft(sample)
    (source,) = parse_feed(Path("beds.yml"), made.text).sources.values()
    assert source.format.encoding == encoding
    assert made.mapped == {"figures": len(LINES)}


def test_a_document_on_one_line_is_no_line_of_records(tmp_path: Path) -> None:
    sample = tmp_path / "beds.json"
    sample.write_text(WHOLE.replace("\n", ""))
    made = draft(sample)
    assert made.mapped == {"figures": len(LINES)}


WARDS = {**json.loads(OBJECTS[0]), "wards": [{"ward": "A", "occupied": 3}, {"ward": "B", "occupied": 4}]}


@pytest.mark.parametrize(
    ("name", "form", "records"),
    [
        ("beds.ndjson", "ndjson", 1),
        ("BEDS.JSONL", "ndjson", 1),
        ("beds.ndjson.gz", "ndjson", 1),
        ("beds.json", "json", 2),
        ("beds.txt", "json", 2),
    ],
)
def test_the_name_tells_whether_one_object_is_a_record_or_a_document(
    name: str, form: str, records: int, tmp_path: Path
) -> None:
    content = json.dumps(WARDS).encode() + b"\n"
    sample = tmp_path / name
    sample.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    made = draft(sample, name="drafted")
    (source,) = parse_feed(Path("drafted.yml"), made.text).sources.values()
    assert source.format.type == form
    assert made.mapped == {"figures": records}


def test_a_table_under_a_wrong_name_is_drafted_and_asked_about(tmp_path: Path) -> None:
    sample = tmp_path / "beds.xls"
    sample.write_text(TABLE)
    made = draft(sample)
    assert made.mapped == {"figures": len(LINES)}
    assert "CONFIRM type: by its name it is an Excel file, but it is none" in made.text


def test_a_new_workbook_under_the_old_ending_is_an_excel_file(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for line in TABLE.splitlines():
        book.active.append(line.split(","))
    book.save(tmp_path / "beds.xlsx")
    sample = (tmp_path / "beds.xlsx").rename(tmp_path / "beds.xls")
    made = draft(sample)
    assert made.mapped == {"figures": len(LINES)}
    assert "by its name" not in made.text
