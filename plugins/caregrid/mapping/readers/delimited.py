"""Reads CSV and TSV: batches of records with the physical line each begins on, ragged records set aside.

Lines without a quote, or whose quotes all close within them, are split in bulk; a batch in which a record
runs over several lines goes through Python's csv module, which alone knows where it begins.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

import polars as pl

from caregrid.feeds.model import Format
from caregrid.mapping.readers import content
from caregrid.mapping.readers.content import (
    INVISIBLE,
    batch_lines,
    duplicate_header,
    repeated,
    text_blocks,
    text_lines,
)
from caregrid.mapping.types import RecordBatch, Reject, UnreadableFile

csv.field_size_limit(1 << 24)
_BLANK = " \r"
# No cell holds more lines: a stray quote is not sought to the end of the file.
_LONGEST_RECORD_LINES = 10_000


class Lines:
    """Physical lines of the text, without their line feed, with their numbers; lines can be put back."""

    def __init__(self, blocks: Iterator[str]) -> None:
        self._blocks = text_lines(_line_feeds(blocks))
        self._lines: list[str] = []
        self._at = 0  # of the next line among those
        self.number = 1  # of the next line

    def take(self, count: int) -> list[str]:
        """Return the next lines: at most `count`, and at most about BATCH_CHARACTERS of text."""
        taken: list[str] = []
        characters = 0
        while len(taken) < count and characters < content.BATCH_CHARACTERS:
            if self._at == len(self._lines):
                block = next(self._blocks, None)
                if block is None:
                    break
                self._lines, self._at = block, 0
            lines = self._lines[self._at : self._at + count - len(taken)]
            self._at += len(lines)
            taken += lines
            if count > 1:
                characters += sum(map(len, lines))
        self.number += len(taken)
        return taken

    def skip(self, count: int) -> None:
        """Pass lines that say nothing."""
        while count > 0 and (passed := self.take(count)):
            count -= len(passed)

    def put_back(self, lines: list[str]) -> None:
        """Let the lines that were taken last be taken once more."""
        self.number -= len(lines)
        if len(lines) <= self._at:
            self._at -= len(lines)
        else:
            self._lines, self._at = lines + self._lines[self._at :], 0


def _line_feeds(blocks: Iterator[str]) -> Iterator[str]:
    """Yield blocks with line feeds for carriage returns, where the first has only those."""
    mac: bool | None = None
    for block in blocks:
        if mac is None:
            mac = "\r" in block and "\n" not in block
        yield block.replace("\r", "\n") if mac else block


def read_delimited(stream: BinaryIO, form: Format, batch_rows: int) -> Iterator[RecordBatch]:
    """Yield batches; every column is text. Raises UnreadableFile (see content.py; also duplicate_header)."""
    lines = Lines(text_blocks(stream, form.encoding))
    lines.skip(form.skip_rows)
    columns = list(form.header) if isinstance(form.header, tuple) else _header(lines, form)
    at_once = batch_lines(batch_rows, len(columns))
    yielded = False
    while True:
        first = lines.number
        chunk = lines.take(at_once)
        if not chunk:
            break
        batch = _bulk(chunk, first, columns, form)
        if batch is None:
            lines.put_back(chunk)
            batch = _one_by_one(lines, len(chunk), columns, form)
        if batch.frame.height or batch.rejects:
            yielded = True
            yield batch
    if not yielded:
        yield RecordBatch(
            pl.Series("line", [], pl.Int32), pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
        )


def _header(lines: Lines, form: Format) -> list[str]:
    while True:
        line, names, problem, _ = next(_records(lines, form), (0, [], "", ""))
        if not line:
            raise UnreadableFile("empty", "the file holds no heading")
        if problem:
            raise UnreadableFile("not_this_format", f"line {line}: the heading cannot be read: {problem}")
        if any(name.strip() for name in names):
            break
    names = [
        " ".join(name.strip(INVISIBLE).split()) or f"(column {number})"
        for number, name in enumerate(names, 1)
    ]
    if twice := repeated(names):
        raise duplicate_header(f"line {line}", twice, "header: [name, …] with skip_rows: 1")
    return names


def _well_formed(form: Format) -> str:
    quote, delimiter = re.escape(form.quote or '"'), re.escape(form.delimiter)
    field = f"(?:[^{quote}{delimiter}]*|{quote}(?:[^{quote}]|{quote}{quote})*{quote})"
    return f"^{field}(?:{delimiter}{field})*$"


def _bulk(chunk: list[str], first: int, columns: list[str], form: Format) -> RecordBatch | None:
    """Split a chunk whose records are one line each; None when it has to be read one by one."""
    text = pl.Series("text", chunk, pl.String).str.strip_suffix("\r")
    line = pl.Series("line", range(first, first + len(chunk)), pl.Int32)
    frame = pl.DataFrame([line, text]).filter(pl.col("text").str.strip_chars(_BLANK) != "")
    text = frame["text"]
    quoted = False
    bare = text
    if form.quote:
        has_quote = text.str.contains(form.quote, literal=True)
        quoted = bool(has_quote.any())
        if quoted:
            if not text.filter(has_quote).str.contains(_well_formed(form)).all():
                return None
            quote = re.escape(form.quote)
            bare = text.str.replace_all(f"{quote}[^{quote}]*{quote}", "")
    whole = bare.str.count_matches(form.delimiter, literal=True) == len(columns) - 1
    rejects = [_ragged(number, torn, columns, form) for number, torn in frame.filter(~whole).rows()]
    if rejects:
        frame = frame.filter(whole)
        text = frame["text"]
    return RecordBatch(frame["line"], _split(text, columns, form, quoted), rejects)


def _split(text: pl.Series, columns: list[str], form: Format, quoted: bool) -> pl.DataFrame:
    schema = dict.fromkeys(columns, pl.String)
    if not len(text):
        return pl.DataFrame(schema=schema)
    if quoted:
        return pl.read_csv(
            text.str.join("\n").item().encode(),
            has_header=False,
            separator=form.delimiter,
            quote_char=form.quote,
            schema=schema,
            empty_string_is_null=False,
            missing_columns="raise",
            extra_columns="raise",
        )
    if len(columns) == 1:
        return text.alias(columns[0]).to_frame()
    fields = text.str.split_exact(form.delimiter, len(columns) - 1).struct.unnest()
    return fields.rename(dict(zip(fields.columns, columns, strict=True)))


def _ragged(line: int, text: str, columns: list[str], form: Format) -> Reject:
    fields = text.split(form.delimiter)
    if form.quote:
        # What the module refuses (a carriage return within the line) is cut at the delimiters.
        with suppress(csv.Error):
            fields = next(csv.reader([text], delimiter=form.delimiter, quotechar=form.quote), [])
    return _ragged_reject(line, fields, columns)


def _ragged_reject(line: int, fields: list[str], columns: list[str]) -> Reject:
    names = [*columns, *(f"(field {number})" for number in range(len(columns) + 1, len(fields) + 1))]
    reason = {
        "code": "ragged",
        "field": "",
        "message": f"{len(fields)} fields where the heading has {len(columns)}",
    }
    return Reject(line, "", "", [reason], dict(zip(names, fields, strict=False)))


def _records(lines: Lines, form: Format) -> Iterator[tuple[int, list[str], str, str]]:
    """Yield (line, fields, problem, first physical line) record by record.

    A record whose quotes are broken is a problem of its first line only: reading goes on with the next
    line, so that one stray quote cannot swallow the rest of the file.
    """
    consumed: list[str] = []

    def feed() -> Iterator[str]:
        while len(consumed) < _LONGEST_RECORD_LINES and (taken := lines.take(1)):
            consumed.append(taken[0])
            yield taken[0] + "\n"

    def fresh() -> Iterator[list[str]]:
        return csv.reader(
            feed(),
            delimiter=form.delimiter,
            quotechar=form.quote,
            strict=True,
            quoting=csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE,
        )

    reader = fresh()
    while True:
        start = lines.number
        consumed.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.put_back(consumed[1:])
            reader = fresh()
            yield start, [], str(error), consumed[0]
            continue
        yield start, fields, "", consumed[0]


def _one_by_one(lines: Lines, count: int, columns: list[str], form: Format) -> RecordBatch:
    """Read records until at least `count` physical lines are used up."""
    last = lines.number + count
    starts: list[int] = []
    rows: list[list[str]] = []
    rejects: list[Reject] = []
    if lines.number < last:
        for line, fields, problem, text in _records(lines, form):
            if problem:
                reason = {
                    "code": "malformed_quotes",
                    "field": "",
                    "message": f"the quotes of the record are broken: {problem}",
                }
                rejects.append(Reject(line, "", "", [reason], {"(text)": text}))
            elif not text.strip(_BLANK):
                pass  # a blank line is no record
            elif len(fields) == len(columns):
                starts.append(line)
                rows.append(fields)
            else:
                rejects.append(_ragged_reject(line, fields, columns))
            if lines.number >= last:
                break
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    return RecordBatch(pl.Series("line", starts, pl.Int32), frame, rejects)
