"""Reads one sheet of an Excel workbook row by row; every cell as the exact text of its value.

Numbers keep their digits, dates and times read as ISO 8601, formulas as the value that was computed last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from caregrid.feeds.model import Format
from caregrid.mapping.readers import content
from caregrid.mapping.readers.content import batch_lines, duplicate_header, repeated
from caregrid.mapping.readers.markup import parse
from caregrid.mapping.readers.workbook import Sheet, Workbook, local_name, rich_text, whole
from caregrid.mapping.types import RecordBatch, Reject, UnreadableFile

_ROWS, _COLUMNS = 1 << 20, 1 << 14  # what a sheet of Excel can have
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_MERGED = re.compile(rb"""<(?:\w+:)?mergeCell\b[^>]*?\bref\s*=\s*["']([A-Z0-9:]+)["']""")
_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - a local time, whose zone the feed names
_DAYS_TO_1904 = 1462
_FALSE_LEAP_DAY = 60  # Excel believes in 29 February 1900: nothing on or before it has a certain date
_LAST_DAY = 2_958_466
_DAY_MILLISECONDS = 86_400_000

_Row = tuple[int, dict[int, str], str]  # number, column → text, cell of a formula without a value


def read_xlsx(path: Path, form: Format, batch_rows: int) -> Iterator[RecordBatch]:
    """Yield batches of text; `line` is the number of the sheet's row. Raises UnreadableFile."""
    with Workbook(path) as book:
        sheet = book.sheet(form.sheet)
        rows: Iterator[_Row] = (row for row in sheet_rows(book, sheet) if row[0] > form.skip_rows)
        if isinstance(form.header, tuple):
            columns = list(form.header)
        else:
            columns, rows = _heading(book, sheet, rows, form.header_rows)
        yield from _batches(rows, columns, batch_rows)


def _batches(rows: Iterator[_Row], columns: list[str], batch_rows: int) -> Iterator[RecordBatch]:
    width, yielded = len(columns), False
    characters, at_once = 0, batch_lines(batch_rows, width)
    lines: list[int] = []
    records: list[list[str | None]] = []
    rejects: list[Reject] = []
    for number, cells, formula in rows:
        if not cells and not formula:
            continue  # a blank row is no record
        last = max(cells, default=0)
        if formula:
            message = (
                f"cell {formula} holds a formula whose value was never computed: "
                "open and save the workbook in a spreadsheet program"
            )
            rejects.append(_reject(number, "formula_without_value", message, cells, columns))
        elif last >= width:
            message = f"cell {letters(last)}{number} holds a value, the heading ends in {letters(width - 1)}"
            rejects.append(_reject(number, "ragged", message, cells, columns))
        else:
            lines.append(number)
            records.append([cells.get(column) for column in range(width)])
        characters += sum(map(len, cells.values()))
        if len(records) + len(rejects) >= at_once or characters >= content.BATCH_CHARACTERS:
            yielded = True
            yield _batch(lines, records, rejects, columns)
            lines, records, rejects, characters = [], [], [], 0
    if lines or rejects or not yielded:
        yield _batch(lines, records, rejects, columns)


def _batch(
    lines: list[int], records: list[list[str | None]], rejects: list[Reject], columns: list[str]
) -> RecordBatch:
    frame = pl.DataFrame(records, schema=dict.fromkeys(columns, pl.String), orient="row")
    return RecordBatch(pl.Series("line", lines, pl.Int32), frame, rejects)


def _reject(number: int, code: str, message: str, cells: dict[int, str], columns: list[str]) -> Reject:
    record = {
        columns[column] if column < len(columns) else f"(column {letters(column)})": text
        for column, text in sorted(cells.items())
    }
    return Reject(number, "", "", [{"code": code, "field": "", "message": message}], record)


def _heading(
    book: Workbook, sheet: Sheet, rows: Iterator[_Row], count: int
) -> tuple[list[str], Iterator[_Row]]:
    """Return the columns that a heading of `count` rows names, and the rows that follow it.

    The parts of a column's name are joined by " / "; a merged cell stands over all its columns.
    """
    first = next((row for row in rows if row[1]), None)
    if first is None:
        raise UnreadableFile("empty", f"sheet {sheet.name!r} holds no heading")
    start, parts = first[0], {first[0]: first[1]}
    following: list[_Row] = []
    while len(parts) < count:
        row = next(rows, None)
        if row is None or row[0] >= start + count:
            following = [] if row is None else [row]
            break
        parts[row[0]] = row[1]
    if count > 1:
        _spread(parts, _merged(book, sheet))
    width = max(max(cells, default=-1) for cells in parts.values()) + 1
    names = []
    for column in range(width):
        texts = [" ".join(parts[number].get(column, "").split()) for number in sorted(parts)]
        names.append(" / ".join(text for text in texts if text) or f"(column {letters(column)})")
    if twice := repeated(names):
        raise duplicate_header(
            f"sheet {sheet.name!r}, row {start}",
            twice,
            f"header: [name, …] with skip_rows: {start + count - 1}",
        )

    def rest() -> Iterator[_Row]:
        yield from following
        yield from rows

    return names, rest()


def _spread(parts: dict[int, dict[int, str]], merged: list[tuple[int, int, int, int]]) -> None:
    """Give every column under a merged cell of the heading its text, once."""
    for top, left, _, right in merged:
        if top in parts and left in parts[top]:
            for column in range(left + 1, right + 1):
                parts[top][column] = parts[top][left]


def _merged(book: Workbook, sheet: Sheet) -> list[tuple[int, int, int, int]]:
    """Return (top row, left column, bottom row, right column) of the merged cells.

    They stand behind all rows, so that the sheet is looked through for them alone.
    """
    found: list[tuple[int, int, int, int]] = []
    with book.open(sheet.part) as stream:
        rest = b""
        while block := stream.read(1 << 20):
            text = rest + block
            for match in _MERGED.finditer(text):
                first, _, last = match[1].decode().partition(":")
                (top, left), (bottom, right) = _place(first), _place(last or first)
                found.append((top, left, bottom, right))
            begun = text.rfind(b"<")  # a tag may go on in the next block
            rest = text[begun:] if begun >= 0 and b">" not in text[begun:] else b""
    return found


def sheet_rows(book: Workbook, sheet: Sheet) -> Iterator[_Row]:
    """Yield the rows that the sheet writes down, in order, blank ones too."""
    previous = 0
    with book.open(sheet.part) as stream:
        for _, row in parse(stream, f"sheet {sheet.name!r}", ("{*}row",)):
            number = whole(row.get("r")) or previous + 1
            if number <= previous or number > _ROWS:
                raise UnreadableFile("not_this_format", f"sheet {sheet.name!r}: row {number} is out of order")
            previous = number
            yield (number, *_cells(book, row, number))
            row.clear()
            while row.getprevious() is not None:
                del row.getparent()[0]


def _cells(book: Workbook, row: Any, number: int) -> tuple[dict[int, str], str]:
    cells: dict[int, str] = {}
    formula, column = "", -1
    for cell in row:
        place = cell.get("r")
        column = _place(place)[1] if place else column + 1
        value, inline, computed = None, None, False
        for child in cell:
            local = local_name(child)
            if local == "v":
                value = child.text
            elif local == "is":
                inline = rich_text(child)
            elif local == "f":
                computed = True
        kind = cell.get("t", "n")
        if inline is not None:
            text = inline
        elif value is None:
            if computed and kind != "str":  # the value of a text formula may be the empty text
                formula = formula or f"{letters(column)}{number}"
            continue
        else:
            text = _text(book, kind, value, cell.get("s"))
        if text:
            cells[column] = text
    return cells, formula


def _text(book: Workbook, kind: str, value: str, style: str | None) -> str:
    if kind == "s":
        if not value.isdigit() or int(value) >= len(book.texts):
            raise UnreadableFile("not_this_format", f"the workbook has no shared text {value!r}")
        return book.texts[int(value)]
    if kind == "b":
        return "true" if value == "1" else "false" if value == "0" else value
    if kind != "n":  # text of a formula, a date as text, or an error such as #N/A
        return value
    number = whole(style)
    shown = book.styles[number] if number < len(book.styles) else ""
    return moment(value, shown, book.since_1904) if shown else plain(value)


def plain(value: str) -> str:
    """Return a number in its shortest exact spelling: 0.10000000000000001 is how Excel writes 0.1.

    >>> [plain(value) for value in ("7", "7.0", "0.10000000000000001", "1E+3", "12345678901234567890", "x")]
    ['7', '7', '0.1', '1000', '12345678901234567890', 'x']
    """
    if value.lstrip("-").isdigit():
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def moment(value: str, shown: str, since_1904: bool) -> str:
    """Return a number that a style shows as a date, a time or both as such, to the millisecond.

    >>> [moment("47119.25", shown, False) for shown in ("date", "datetime")], moment("0.25", "time", False)
    (['2029-01-01T06:00:00', '2029-01-01T06:00:00'], '06:00:00')
    >>> moment("47119", "date", False), moment("1.25", "elapsed", False), moment("59", "date", False)
    ('2029-01-01', '30:00:00', '59')
    """
    try:
        serial = float(value)
    except ValueError:
        return value
    if shown == "elapsed" or (shown == "time" and 0 <= serial < 1):
        return _clock(round(serial * _DAY_MILLISECONDS)) if serial >= 0 else plain(value)
    serial += _DAYS_TO_1904 if since_1904 else 0
    if not _FALSE_LEAP_DAY < serial < _LAST_DAY:
        return plain(value)
    days, milliseconds = divmod(round(serial * _DAY_MILLISECONDS), _DAY_MILLISECONDS)
    day = f"{_DAY_ZERO + timedelta(days=days):%Y-%m-%d}"
    return day if shown == "date" and not milliseconds else f"{day}T{_clock(milliseconds)}"


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{rest:03}" if rest else text


def letters(column: int) -> str:
    """Return the letters of a column, counted from 0.

    >>> letters(0), letters(25), letters(26), letters(16383)
    ('A', 'Z', 'AA', 'XFD')
    """
    text = ""
    column += 1
    while column:
        column, digit = divmod(column - 1, 26)
        text = chr(65 + digit) + text
    return text


def _place(text: str) -> tuple[int, int]:
    """Return (row from 1, column from 0) of a cell's address such as C7."""
    match = _PLACE.fullmatch(text)
    column = 0
    for letter in match[1] if match else "":
        column = column * 26 + ord(letter) - 64
    if match is None or column > _COLUMNS:
        raise UnreadableFile("not_this_format", f"{text!r} is no cell of a sheet")
    return int(match[2]), column - 1
