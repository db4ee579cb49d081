"""Reads newline-delimited JSON: lines of one form are taken apart together, every other line on its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import polars as pl

from caregrid.feeds.model import Format
from caregrid.mapping.readers import content
from caregrid.mapping.readers.content import NOTHING_READ, text_blocks, text_lines
from caregrid.mapping.readers.structured import flatten, frame_of, loads
from caregrid.mapping.types import RecordBatch, Reject, UnreadableFile

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[ \t\r\n]+|[^"{}\[\]:, \t\r\n]+')
# A value as it may stand: text that holds no escape, a number as JSON writes it, true, false, null.
_VALUE = r'"[^"\\\x00-\x1f]*"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null'
# Beyond so many groups at once the engine of regular expressions leaves its fast way.
_GROUPS = 14
_MOST_VALUES = 200
_MOST_FORMS = 8
# Lines of a batch that are tried as the pattern of others.
_TRIALS = 16


def read_ndjson(stream: BinaryIO, form: Format, batch_rows: int) -> Iterator[RecordBatch]:
    """Yield one record per line, flattened as in read_json; a line that is no JSON object is a reject."""
    forms: list[_Form] = []
    rejects: list[Reject] = []
    yielded = False
    unread = 0
    for lines, texts in _filled_lines(text_blocks(stream, form.encoding), batch_rows):
        for batch in _batches(lines, texts, forms):
            rejects += batch.rejects
            # Until the first object comes, no batch goes out: a file without any is refused whole.
            if yielded or batch.frame.height:
                yielded = True
                yield RecordBatch(batch.lines, batch.frame, rejects)
                rejects = []
        unread += sum(map(len, texts))
        if not yielded and (len(rejects) >= NOTHING_READ or unread >= content.NOTHING_READ_CHARACTERS):
            break
    if rejects:
        raise UnreadableFile("not_this_format", "no line of the file is a JSON object")
    if not yielded:
        yield RecordBatch(pl.Series("line", [], pl.Int32), frame_of([], []))


def _filled_lines(blocks: Iterator[str], batch_rows: int) -> Iterator[tuple[list[int], list[str]]]:
    """Yield numbers and texts of the lines that are not blank, so many lines or characters at a time."""
    lines: list[int] = []
    texts: list[str] = []
    before = characters = 0
    for parts in text_lines(blocks):
        for number, text in enumerate(parts, before + 1):
            if text and not text.isspace():
                lines.append(number)
                texts.append(text)
        before += len(parts)
        while len(texts) >= batch_rows:
            yield lines[:batch_rows], texts[:batch_rows]
            lines, texts = lines[batch_rows:], texts[batch_rows:]
            characters = 0
        characters += sum(map(len, parts))
        if texts and characters >= content.BATCH_CHARACTERS:
            yield lines, texts
            lines, texts, characters = [], [], 0
    if texts:
        yield lines, texts


@dataclass(frozen=True)
class _Form:
    """Lines that differ in their values alone: the same keys in the same order, spaces too.

    names: dotted keys, as flatten makes them, in order. patterns: regular expressions of the whole line, each
    of which captures some of the values; together all.
    """

    names: tuple[str, ...]
    patterns: tuple[str, ...]

    def values(self, texts: pl.Series) -> pl.DataFrame:
        """Return the values as JSON writes them, under `names`; all null where a line is of another form."""
        parts = [texts.str.extract_groups(pattern).struct.unnest() for pattern in self.patterns]
        columns = [column for part in parts for column in part.get_columns()]
        return pl.DataFrame(dict(zip(self.names, columns, strict=True)))


def _form_of(text: str, names: Sequence[str]) -> _Form | None:
    """Return the form of a line that is an object of these names; None where others cannot be told by it."""
    tokens = [found[0] for found in _TOKEN.finditer(text)]
    words = [index for index, token in enumerate(tokens) if not token.isspace()]
    after = dict(zip(words, (tokens[index] for index in words[1:]), strict=False))
    is_value = [
        index in after and token[0] not in "{}[]:," and after[index] != ":"
        for index, token in enumerate(tokens)
    ]
    values = [index for index, found in enumerate(is_value) if found]
    # A name that stands for two values (`a.b` beside `b` in `a`) is for the plain way to settle.
    if "".join(tokens) != text or len(values) != len(names) or not 0 < len(values) <= _MOST_VALUES:
        return None
    patterns = []
    for start in range(0, len(values), _GROUPS):
        captured = set(values[start : start + _GROUPS])
        parts = [
            f"({_VALUE})" if index in captured else f"(?:{_VALUE})" if value else pl.escape_regex(token)
            for index, (token, value) in enumerate(zip(tokens, is_value, strict=True))
        ]
        patterns.append(f"^{''.join(parts)}$")
    return _Form(tuple(names), tuple(patterns))


def _batches(lines: list[int], texts: list[str], forms: list[_Form]) -> Iterator[RecordBatch]:
    """Read lines into a batch, or several; `forms` are those met so far, and get those found here.

    Where keys are data (the code of a hospital), each line has its own, and all together have far more
    columns than values: fewer lines have fewer.
    """
    reading = _Reading(lines, texts)
    for known in list(forms):
        if reading.pending and not reading.take(known):
            forms.remove(known)
    for _ in range(_TRIALS):
        if not reading.pending or len(forms) == _MOST_FORMS:
            break
        form = reading.first_alone()
        # A form of few lines costs more than it spares.
        if form is not None and reading.take(form) >= reading.pending // _TRIALS:
            forms.append(form)
    reading.all_alone()
    if reading.cells > content.BATCH_CELLS and len(lines) > 1:
        half = len(lines) // 2
        yield from _batches(lines[:half], texts[:half], forms)
        yield from _batches(lines[half:], texts[half:], forms)
    else:
        yield reading.batch()


class _Reading:
    """The lines of one batch while they are read: those of one form together, the others one by one."""

    def __init__(self, lines: list[int], texts: list[str]) -> None:
        self._lines = lines
        self._texts = texts
        self._positions = pl.Series(range(len(texts)), dtype=pl.UInt32)
        self._left = pl.Series(texts, dtype=pl.String)
        self._frames: list[pl.DataFrame] = []
        self._taken: list[pl.Series] = []
        self._records: list[dict[str, str | None]] = []
        self._alone: list[int] = []
        self._rejects: list[Reject] = []
        # name → (position of the first record that has it, its place in that record)
        self._seen: dict[str, tuple[int, int]] = {}

    @property
    def pending(self) -> int:
        """Return how many lines are not read yet."""
        return len(self._left)

    @property
    def cells(self) -> int:
        """Return how many cells the batch would have."""
        return len(self._texts) * len(self._seen)

    def take(self, form: _Form) -> int:
        """Read the pending lines of a form; return how many."""
        values = form.values(self._left)
        here = values.to_series(0).is_not_null()
        if not here.any():
            return 0
        positions = self._positions.filter(here)
        self._note(form.names, int(positions[0]))
        self._taken.append(positions)
        self._frames.append(
            values.filter(here).select(pl.when(pl.all() != "null").then(pl.all().str.strip_chars('"')))
        )
        self._positions, self._left = self._positions.filter(~here), self._left.filter(~here)
        return len(positions)

    def first_alone(self) -> _Form | None:
        """Read the first pending line on its own; return its form, if others can be told by it."""
        position = int(self._positions[0])
        self._positions, self._left = self._positions.slice(1), self._left.slice(1)
        record = self._read(position)
        return _form_of(self._texts[position], list(record)) if record else None

    def all_alone(self) -> None:
        """Read every pending line on its own."""
        for position in self._positions:
            self._read(position)
        self._positions, self._left = self._positions.clear(), self._left.clear()

    def batch(self) -> RecordBatch:
        """Return what was read, in the order of the lines."""
        columns = sorted(self._seen, key=self._seen.__getitem__)
        frames, taken = self._frames, self._taken
        if self._records or not frames:
            frames = [*frames, frame_of(self._records, columns)]
            taken = [*taken, pl.Series(self._alone, dtype=pl.UInt32)]
        frame, positions = pl.concat(frames, how="diagonal"), pl.concat(taken)
        if len(frames) > 1:
            order = positions.arg_sort()
            frame, positions = frame[order].select(columns or frame.columns), positions.gather(order)
        lines = pl.Series("line", self._lines, pl.Int32).gather(positions)
        return RecordBatch(lines, frame, self._rejects)

    def _read(self, position: int) -> dict[str, str | None] | None:
        text, line = self._texts[position], self._lines[position]
        try:
            document = loads(text)
            if not isinstance(document, dict):
                raise ValueError("it is no object")
        except ValueError as error:
            message = f"the line is no JSON object: {error}"
            reason = {"code": "malformed_json", "field": "", "message": message}
            self._rejects.append(Reject(line, "", "", [reason], {"(text)": text}))
            return None
        record = flatten(document)
        self._alone.append(position)
        self._records.append(record)
        self._note(record, position)
        return record

    def _note(self, names: Iterable[str], position: int) -> None:
        for place, name in enumerate(names):
            self._seen[name] = min(self._seen.get(name, (position, place)), (position, place))
