"""Reads CSV and TSV: batches of records with the physical line each begins on, ragged records set aside.

Lines without a quote, or whose quotes all close within them, are split in bulk; a batch in which a record
runs over several lines goes through Python's csv module, which alone knows where it begins.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

import polars as pl

from caregrid.feeds.model import Format
from caregrid.mapping.readers.content import INVISIBLE, duplicate_header, repeated, text_blocks
from caregrid.mapping.types import RecordBatch, Reject, UnreadableFile

csv.field_size_limit(1 << 24)
_BLANK = " \r"
# No cell holds more lines, no line more characters: a stray quote is not sought to the end of the file.
_LONGEST_RECORD_LINES = 10_000
_LONGEST_LINE = 1 << 26


class Lines:
    """Physical lines of the text, without their line feed, with their numbers; lines can be put back."""

    def __init__(self, blocks: Iterator[str]) -> None:
        self._blocks = blocks
        self._lines: deque[str] = deque()
        self._rest = ""
        self._mac: bool | None = None
        self._ended = False
        self.number = 1  # of the next line

    def _fill(self) -> bool:
        while not self._lines and not self._ended:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
                if self._rest:
                    self._lines.append(self._rest)
                    self._rest = ""
                break
            if self._mac is None:
                self._mac = "\r" in block and "\n" not in block
            parts = (self._rest + (block.replace("\r", "\n") if self._mac else block)).split("\n")
            self._rest = parts.pop()
            self._lines.extend(parts)
            if len(self._rest) > _LONGEST_LINE:
                line = self.number + len(self._lines)
                raise UnreadableFile(
                    "not_this_format",
                    f"line {line}: it has more than {_LONGEST_LINE:,} characters and no end",
                )
        return bool(self._lines)

    def take(self, count: int) -> list[str]:
        """Return the next lines, at most `count`."""
        taken: list[str] = []
        while len(taken) < count and self._fill():
            for _ in range(min(count - len(taken), len(self._lines))):
                taken.append(self._lines.popleft())
        self.number += len(taken)
        return taken

    def put_back(self, lines: list[str]) -> None:
        """Let lines be taken once more."""
        self._lines.extendleft(reversed(lines))
        self.number -= len(lines)


def read_delimited(stream: BinaryIO, form: Format, batch_rows: int) -> Iterator[RecordBatch]:
    """Yield batches; every column is text. Raises UnreadableFile (see content.py; also duplicate_header)."""
    lines = Lines(text_blocks(stream, form.encoding))
    lines.take(form.skip_rows)
    columns = list(form.header) if isinstance(form.header, tuple) else _header(lines, form)
    yielded = False
    while True:
        first = lines.number
        chunk = lines.take(batch_rows)
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
