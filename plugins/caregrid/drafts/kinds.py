"""Tells the formats that say themselves what they are, and which of them a draft cannot be made of."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

from caregrid.drafts.headings import full, is_of_figures, is_second, unique
from caregrid.errors import CareGridError
from caregrid.mapping import UnreadableFile
from caregrid.mapping.readers.workbook import Sheet, Workbook
from caregrid.mapping.readers.xlsx import sheet_rows

_MAGIC = {b"PAR1": "parquet", b"ORC": "orc", b"Obj\x01": "avro", b"PK\x03\x04": "xlsx"}
# These carry the types of their columns; the text in others has to be judged.
TYPED = ("parquet", "orc", "avro")
_LOOKED_AT = 400
_NO_DRAFT = {
    "FHIR": "what its resources hold only the publisher's guide says: begin with the FHIR example",
    "HL7 v2": "its messages are counted, not mapped column by column: begin with the HL7 v2 example",
    "fixed-width text": "its publisher says where columns stand: give format: {type: fixed, fields: …} as",
}


def is_workbook(path: Path) -> bool:
    """Return whether a file is an Excel workbook, which is a zip archive and yet no archive of files."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, LookupError, RuntimeError):
        return False


def binary(start: bytes) -> str:
    """Return the format of bytes that are no text, '' for any other."""
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "")


def is_markup(text: str) -> bool:
    """Return whether a text is XML and no web page."""
    begin = re.sub(r"<!--.*?-->|<\?.*?\?>", " ", text[:4096], flags=re.DOTALL).lstrip()
    return text.lstrip()[:1] == "<" and re.match(r"<(!doctype\s+html|html)\b", begin, re.IGNORECASE) is None


def refuse_undrafted(text: str) -> None:
    """Raise CareGridError for a format of feeds that no draft is made of, and say how to begin."""
    begin = text.lstrip()
    if re.match(r"(MSH|FHS|BHS)[^\w\s]", begin):
        raise _undrafted("HL7 v2")
    if begin[:1] in ("{", "[") and _is_fhir(begin):
        raise _undrafted("FHIR")
    if "http://hl7.org/fhir" in text[:4096] and begin[:1] == "<":
        raise _undrafted("FHIR")


def refuse_fixed(lines: list[str]) -> None:
    """Raise CareGridError where lines without a delimiter keep their words at the same positions."""
    written = [line for line in lines if line.strip()]
    if len(written) < 3 or Counter(map(len, written)).most_common(1)[0][1] * 2 < len(written):
        return
    width = min(map(len, written))
    is_cut_alike = any(all(line[at] == " " for line in written) for at in range(width))
    if is_cut_alike or (width >= 12 and len(set(map(len, written))) == 1):
        raise _undrafted("fixed-width text")


def workbook_form(file: Path, notes: list[str]) -> dict[str, Any]:
    """Return how the workbook's sheet with the largest table is read."""
    with Workbook(file) as book:
        visible = [sheet for sheet in book.sheets if sheet.visible]
        tables = [(sheet, list(islice(sheet_rows(book, sheet), _LOOKED_AT))) for sheet in visible]
    written = [(sheet, [row[:2] for row in rows if row[1]]) for sheet, rows in tables]
    if not any(rows for _, rows in written):
        raise UnreadableFile("empty", "no sheet of the workbook that is shown holds anything")
    sheet, rows = max(written, key=lambda table: sum(len(cells) for _, cells in table[1]))
    form: dict[str, Any] = {"type": "xlsx"}
    if len(visible) > 1:
        form["sheet"] = _name_of(sheet, visible)
        names = ", ".join(repr(other.name) for other in visible if other is not sheet)
        notes.append(f"sheet: the workbook also has {names}; each is a source of its own")
    return {**form, **_sheet_heading(rows, notes)}


def _name_of(sheet: Sheet, visible: list[Sheet]) -> str | int:
    twice = [other for other in visible if other.name.strip().lower() == sheet.name.strip().lower()]
    return sheet.name if len(twice) == 1 else visible.index(sheet) + 1


def _sheet_heading(rows: list[tuple[int, dict[int, str]]], notes: list[str]) -> dict[str, Any]:
    """Return skip_rows, header_rows or header, where the heading is not simply the first row."""
    width = Counter(max(cells) + 1 for _, cells in rows).most_common(1)[0][0]
    table = [[cells.get(column, "") for column in range(max(width, max(cells) + 1))] for _, cells in rows]
    at = next((index for index, row in enumerate(table[:30]) if len(row) == width and full(row)), 0)
    number, upper = rows[at][0], table[at]
    above = {"skip_rows": number - 1} if at else {}
    if at:
        notes.append(f"skip_rows: {number - 1} rows stand before the heading")
    if len(upper) > 1 and is_of_figures(upper):
        notes.append("header: the sheet seems to have no heading; name its columns")
        return {**above, "header": [f"column_{place}" for place in range(1, len(upper) + 1)]}
    second = table[at + 1] if len(table) > at + 2 and rows[at + 1][0] == number + 1 else []
    if second and is_second(upper, second, table[at + 2 : at + 12]):
        notes.append("header_rows: the heading has two rows; they are joined")
        return {**above, "header_rows": 2}
    names = [" ".join(cell.split()) or f"column_{place}" for place, cell in enumerate(upper, 1)]
    if len(set(names)) < len(names):
        notes.append("header: a column's name stands twice; the second is numbered")
        return {"skip_rows": number, "header": unique(names)}
    return above


def _is_fhir(text: str) -> bool:
    """Return whether JSON is a resource of FHIR, or lines of them."""
    first = text.partition("\n")[0]
    for part in (text, first):
        try:
            found = json.loads(part)
        except (ValueError, RecursionError):
            continue
        found = found[0] if isinstance(found, list) and found else found
        return isinstance(found, dict) and isinstance(found.get("resourceType"), str)
    # A document longer than what was looked at.
    return re.match(r'\{\s*"resourceType"\s*:\s*"[A-Z]', text) is not None


def _undrafted(kind: str) -> CareGridError:
    return CareGridError(
        f"the sample is {kind}, of which no draft is made", fix=f"{_NO_DRAFT[kind]} in docs/feeds.md"
    )
