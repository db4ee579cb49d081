"""Excel workbooks as openpyxl writes them, and as hands write them: sheets, headings, dates, exact text."""

from __future__ import annotations

import doctest
import io
import warnings
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from caregrid.mapping import UnreadableFile
from caregrid.mapping.readers import workbook, xlsx

pytestmark = pytest.mark.unit


def book(*rows: list[Any], prepare: Any = None) -> bytes:
    """Return a workbook of one sheet that openpyxl wrote; `prepare` may change it before it is saved."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.title = "Beds"
    for row in rows:
        sheet.append(row)
    if prepare:
        prepare(made)
    room = io.BytesIO()
    made.save(room)
    return room.getvalue()


def changed(content: bytes, part: str, old: str, new: str) -> bytes:
    """Return a workbook with one of its parts rewritten."""
    room = io.BytesIO()
    packed = zipfile.ZipFile(room, "w", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(io.BytesIO(content)) as before, packed as after:
        for name in before.namelist():
            data = before.read(name)
            if name == part:
                assert old.encode() in data
                data = data.replace(old.encode(), new.encode())
            after.writestr(name, data)
    return room.getvalue()


@pytest.fixture
def take(read_records: Any) -> Any:
    """Return a function that reads a workbook: ([(row, record)], [reject])."""
    return lambda content, form="{type: xlsx}", batch_rows=50_000: read_records(content, form, batch_rows)


SHEET = "xl/worksheets/sheet1.xml"
ROWS: list[list[Any]] = [["id", "day", "n"], ["A1", date(2029, 1, 1), 7], ["A2", date(2029, 1, 2), 8.5]]


def test_a_workbook_becomes_typed_rows_with_the_rows_of_its_sheet(small: Any) -> None:
    outcome = small.map(small.usage(form="{type: xlsx}"), book([], *ROWS, [], ["A3", "2029-01-03", None]))
    assert outcome.rows.select("line", "code", "value", "value_status").rows() == [
        (3, "A1", 7.0, "reported"),
        (4, "A2", 8.5, "reported"),
        (6, "A3", None, "missing"),
    ]
    assert outcome.reasons == []


def test_every_cell_is_the_exact_text_of_its_value(take: Any) -> None:
    values = [
        (7, "7"),
        (7.0, "7"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (123456789012345, "123456789012345"),
        ("007", "007"),
        (" x \n y", " x \n y"),
        (True, "true"),
        (date(2029, 1, 1), "2029-01-01"),
        (datetime(2029, 1, 1), "2029-01-01T00:00:00"),  # noqa: DTZ001 - Excel knows no zones
        (datetime(2029, 1, 1, 6, 30, 0, 500_000), "2029-01-01T06:30:00.500"),  # noqa: DTZ001
        (time(6, 30), "06:30:00"),
        (timedelta(hours=30), "30:00:00"),
        ("#N/A", "#N/A"),
        ("急診一床", "急診一床"),
        ("<script>&", "<script>&"),
        ("", None),
    ]
    records, rejects = take(book(["v"], *[[value] for value, _ in values], ["end"]))
    assert rejects == []
    found = {line - 2: record["v"] for line, record in records}
    assert [found.get(number) for number in range(len(values))] == [text for _, text in values]


def test_dates_since_1904_and_dates_that_never_were(take: Any) -> None:
    def since_1904(made: Any) -> None:
        made.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904

    records, _ = take(book(["day"], [date(2029, 1, 1)], prepare=since_1904))
    assert records == [(2, {"day": "2029-01-01"})]

    def as_dates(made: Any) -> None:
        for row in (2, 3, 4):
            made.active.cell(row, 1).number_format = "dd/mm/yyyy"

    records, _ = take(book(["day"], [60], [-1], [99999999], prepare=as_dates))
    assert [record["day"] for _, record in records] == ["60", "-1", "99999999"]


def test_sheets_by_name_by_number_and_the_only_visible_one(take: Any) -> None:
    def more(made: Any) -> None:
        made["Beds"].sheet_state = "hidden"
        made.create_sheet("Notes").append(["note"])
        made["Notes"].append(["written by hand"])
        made.create_chartsheet("Chart")
        made.active = 1

    content = book(*ROWS, prepare=more)
    assert take(content)[0] == [(2, {"note": "written by hand"})]
    for sheet in ("Beds", "beds", "1"):
        assert len(take(content, f"{{type: xlsx, sheet: {sheet}}}")[0]) == 2
    for sheet in ("Bed", "3"):
        with pytest.raises(UnreadableFile, match=r"there is no sheet .*1 'Beds' \(hidden\), 2 'Notes'"):
            take(content, f"{{type: xlsx, sheet: {sheet}}}")
    with pytest.raises(UnreadableFile, match="several sheets, name one"):
        take(book(*ROWS, prepare=lambda made: made.create_sheet("Other")))


def test_a_heading_of_two_rows_with_merged_cells(take: Any) -> None:
    def merge(made: Any) -> None:
        for cells in ("A3:A4", "B3:C3", "E3:E4"):
            made.active.merge_cells(cells)

    rows = [
        ["Report of the north"],
        [],
        ["Site", "Beds", None, None, "Day"],
        [None, "open", " taken\n now ", "Note", None],
        ["A1", 9, 7, "x", date(2029, 1, 1)],
    ]
    records, _ = take(book(*rows, prepare=merge), "{type: xlsx, skip_rows: 2, header_rows: 2}")
    assert records == [
        (5, {"Site": "A1", "Beds / open": "9", "Beds / taken now": "7", "Note": "x", "Day": "2029-01-01"})
    ]
    records, _ = take(book(*rows), "{type: xlsx, skip_rows: 4, header: [a, b, c, d, e]}")
    assert records[0] == (5, {"a": "A1", "b": "9", "c": "7", "d": "x", "e": "2029-01-01"})


def test_what_stands_beyond_the_heading_and_formulas_without_value_are_rejects(take: Any) -> None:
    records, rejects = take(book(*ROWS, ["A3", None, 1, None, "stray"], ["A4", "2029-01-04", "=1+1"]))
    assert [line for line, _ in records] == [2, 3]
    told = [(reject.line, reject.reasons[0]["code"]) for reject in rejects]
    assert told == [(4, "ragged"), (5, "formula_without_value")]
    assert "cell E4 holds a value, the heading ends in C" in rejects[0].reasons[0]["message"]
    assert rejects[0].record == {"id": "A3", "n": "1", "(column E)": "stray"}
    assert "cell C5 holds a formula" in rejects[1].reasons[0]["message"]


def test_computed_values_errors_and_texts_in_the_cell_are_read(take: Any) -> None:
    content = changed(
        book(["v"], ["A"], ["B"], ["C"], ["D"]),
        SHEET,
        "</sheetData>",
        '<row r="9"><c r="A9"><f>1+1</f><v>2</v></c></row>'
        '<row><c t="e"><f>1/0</f><v>#DIV/0!</v></c></row>'
        '<row><c t="inlineStr"><is><r><t>rich</t></r><r><t xml:space="preserve"> text</t></r>'
        "<rPh><t>aid</t></rPh></is></c></row>"
        '<row><c t="str"><f>""</f></c></row>'
        "<row><c><v>0.30000000000000004</v></c></row><row><c><v>0.10000000000000001</v></c></row>"
        "<row><c><v>12345678901234567890</v></c></row>"
        '<row><c t="str"><v>a_x000D_b_x005F_x</v></c></row>'
        '<row><c t="inlineStr"><is><t>a_x000A_b</t></is></c></row></sheetData>',
    )
    records, rejects = take(content)
    assert rejects == []
    found = [(line, record["v"]) for line, record in records[4:]]
    assert found[:3] == [(9, "2"), (10, "#DIV/0!"), (11, "rich text")]
    assert found[3:] == [  # row 12 holds the empty text
        (13, "0.30000000000000004"),
        (14, "0.1"),
        (15, "12345678901234567890"),
        (16, "a_x000D_b_x005F_x"),
        (17, "a\nb"),
    ]


def test_a_wide_sheet_and_small_batches(take: Any) -> None:
    names = [f"c{number}" for number in range(10_000)]
    records, _ = take(book(names, list(range(10_000)), list(range(10_000))), batch_rows=1)
    assert [line for line, _ in records] == [2, 3]
    assert records[1][1]["c9999"] == "9999"


def test_a_name_twice_in_the_heading_is_refused(take: Any) -> None:
    with pytest.raises(UnreadableFile, match="duplicate_header: sheet 'Beds', row 1: 'n' stands twice"):
        take(book(["id", "n", "n"], ["A", 1, 2]))


def _zipped(**parts: str) -> bytes:
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return room.getvalue()


ENTITIES = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><worksheet'
PROTECTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")
HOSTILE: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "empty", "holds nothing"),
    "blank": (b"\r\n \n", "empty", "holds nothing"),
    "no row": (book(), "empty", "no heading"),
    "cut": (book(*ROWS)[:-400], "not_this_format", "damaged"),
    "CSV": (b"id,day,n\nA1,2029-01-01,7\n", "not_this_format", "no Excel workbook"),
    "a line of text": (b"Service unavailable", "error_text", "Service unavailable"),
    "web page": (b"<!DOCTYPE html><html>", "html", "web page"),
    "protected": (PROTECTED, "not_this_format", "password"),
    "old": (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "not_this_format", "save it as .xlsx"),
    "a Word document": (
        _zipped(**{"[Content_Types].xml": "<Types/>", "word/document.xml": "<w/>"}),
        "not_this_format",
        "no Excel workbook",
    ),
    "entities": (changed(book(*ROWS), SHEET, "<worksheet", ENTITIES), "not_this_format", "entities"),
    "rows out of order": (
        changed(book(*ROWS), SHEET, 'row r="3"', 'row r="2"'),
        "not_this_format",
        "row 2 is out of order",
    ),
    "a cell beyond every sheet": (
        changed(book(*ROWS), SHEET, 'r="C3"', 'r="ZZZ3"'),
        "not_this_format",
        "'ZZZ3' is no cell",
    ),
    "a cut sheet": (changed(book(*ROWS), SHEET, "</sheetData>", ""), "not_this_format", "sheet 'Beds'"),
    "bomb": (
        changed(book(*ROWS), SHEET, "</sheetData>", f"<!--{' ' * 1000}-->" * 300_000 + "</sheetData>"),
        "not_this_format",
        "times its size",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_workbook_is_rejected_with_a_reason(name: str, take: Any) -> None:
    content, code, words = HOSTILE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UnreadableFile) as refused:
            take(content)
    assert (refused.value.code, words in refused.value.reason) == (code, True), refused.value


def test_the_examples_in_the_readers_hold() -> None:
    for module in (workbook, xlsx):
        failed, tried = doctest.testmod(module)
        assert (failed, tried > 0) == (0, True)


def test_a_workbook_inside_an_archive_is_read(tmp_path: Path, small: Any) -> None:
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w") as archive:
        archive.writestr("2029/beds.xlsx", book(*ROWS))
    assert small.map(small.usage(form="{type: xlsx}"), room.getvalue()).rows["code"].to_list() == ["A1", "A2"]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("{type: xlsx, encoding: utf-8}", "encoding says nothing about xlsx"),
        ("{type: csv, sheet: 1}", "sheet says nothing about csv, only about xlsx"),
        ("{type: xlsx, header: [a], header_rows: 2}", "names from header already"),
    ],
)
def test_the_check_of_feeds_knows_the_keys_of_each_format(form: str, words: str, small: Any) -> None:
    with pytest.raises(Exception, match=words):
        small.usage(form=form)
