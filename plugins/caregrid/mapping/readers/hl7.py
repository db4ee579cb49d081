"""Reads HL7 v2: messages one after another, in MLLP frames or not, in batches (FHS, BHS) or not.

A record is one message, numbered through the file, with the columns of hl7_message.COLUMNS and no others.
`sift` writes what may be kept of a file, before it is landed: reading that gives the same records.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any, BinaryIO

import polars as pl

from caregrid.feeds.model import Format
from caregrid.mapping.readers.containers import Unpacked, decompressed, read_bytes
from caregrid.mapping.readers.content import NOTHING_READ, is_markup
from caregrid.mapping.readers.hl7_message import COLUMNS, Event, Refusal, parse, write
from caregrid.mapping.types import RecordBatch, Reject, UnreadableFile

_BLOCK = 1 << 20
_LONGEST_MESSAGE = 1 << 26
_START = re.compile(rb"(?:\A|(?<=[\r\n\x0b\x1c]))(?=(?:MSH|FHS|BHS)[^\w\s]|[BF]TS[^\w ])")
# Bytes by which a file is known for what it is.
_ENOUGH = 64
_BETWEEN = b"\r\n\x0b\x1c \t"


def read_hl7(stream: BinaryIO, form: Format, batch_rows: int) -> Iterator[RecordBatch]:
    """Yield the messages of a file; one that cannot be read is a reject that quotes nothing of it.

    Raises UnreadableFile: empty, html, error_text, not_this_format (also in the middle, when a trailer counts
    other messages than there are, or is missing).
    """
    lines: list[int] = []
    rows: list[Event] = []
    rejects: list[Reject] = []
    number, yielded = 0, False
    for message in _messages(stream):
        found = _kept(message, form.encoding)
        if isinstance(found, bytes):
            continue
        number += 1
        if isinstance(found, Event):
            lines.append(number)
            rows.append(found)
        else:
            reason = {"code": found.code, "field": "", "message": found.message}
            rejects.append(Reject(number, "", "", [reason], {}))
        if not yielded and not lines and len(rejects) >= NOTHING_READ:
            break
        # Until the first message comes, no batch goes out: a file without any is refused whole.
        if len(lines) + len(rejects) >= batch_rows and (yielded or lines):
            yielded = True
            yield _batch(lines, rows, rejects)
            lines, rows, rejects = [], [], []
    if rejects and not lines and not yielded:
        first = rejects[0].reasons[0]["message"]
        raise UnreadableFile("not_this_format", f"no message of the file can be read: {first}")
    if lines or rejects or not yielded:
        yield _batch(lines, rows, rejects)


def _batch(lines: list[int], rows: list[Event], rejects: list[Reject]) -> RecordBatch:
    frame = pl.DataFrame(
        {name: [row.values.get(name) for row in rows] for name in COLUMNS},
        schema=dict.fromkeys(COLUMNS, pl.String),
    )
    return RecordBatch(pl.Series("line", lines, pl.Int32), frame, rejects)


def sift(pieces: Iterable[bytes], form: Format) -> Iterator[bytes]:
    """Yield a file's messages, plain, with nothing left in them that is about a patient.

    Args:
        pieces: of the file, compressed or not.
        form: of the source.

    Raises:
        UnreadableFile: as `read_hl7`.
    """
    given = _Pieces(pieces)
    with ExitStack() as stack:
        stream: Any = io.BufferedReader(given)
        unpacked = decompressed(stream, stack)
        for message in _messages(stream if unpacked is None else Unpacked(unpacked, lambda: given.count)):
            found = _kept(message, form.encoding)
            yield found if isinstance(found, bytes) else write(found)


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a stream; counts what it gave."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        taken = self._rest[: len(buffer)]
        self._rest = self._rest[len(taken) :]
        buffer[: len(taken)] = taken
        self.count += len(taken)
        return len(taken)


def _kept(message: bytes, encoding: str) -> Event | Refusal | bytes:
    """Return what is kept of a message; of a segment around messages the bytes, without its free text."""
    name = message[:3]
    if name == b"MSH":
        return parse(message, encoding)
    if name in (b"FHS", b"BHS"):
        return name + b"|^~\\&\r\n"
    return name + b"|" + _count(message) + b"\r\n"


def _count(trailer: bytes) -> bytes:
    """Return how many messages or batches a trailer counts, as digits; nothing when it does not say."""
    fields = trailer.split(trailer[3:4] or b"|")
    count = fields[1].strip() if len(fields) > 1 else b""
    return count if count.isdigit() else b""


def _messages(stream: Any) -> Iterator[bytes]:
    """Yield messages, and the headers and trailers around them, which are checked against each other."""
    envelope = _Envelope()
    for segment in _segments(stream):
        envelope.take(segment)
        yield segment
    envelope.close()


class _Envelope:
    """Checks that a file holds the messages that its trailers count, and that no trailer is missing."""

    def __init__(self) -> None:
        self.in_file = self.in_batch = False
        self.messages = self.batches = 0

    def take(self, segment: bytes) -> None:
        name = segment[:3]
        if name == b"MSH":
            self.messages += 1
        elif name == b"FHS":
            self._ends(self.in_file, "FTS")
            self.in_file, self.batches = True, 0
        elif name == b"BHS":
            self._ends(self.in_batch, "BTS")
            self.in_batch, self.messages = True, 0
        elif name == b"BTS":
            self._agrees(segment, self.messages, "messages")
            self.in_batch, self.messages = False, 0
            self.batches += 1
        else:
            self._ends(self.in_batch, "BTS")
            self._agrees(segment, self.batches, "batches")
            self.in_file, self.batches = False, 0

    def close(self) -> None:
        self._ends(self.in_batch, "BTS")
        self._ends(self.in_file, "FTS")

    @staticmethod
    def _ends(is_open: bool, trailer: str) -> None:
        if is_open:
            raise UnreadableFile(
                "not_this_format", f"the trailer {trailer} is missing: the file was cut; ask for it again"
            )

    @staticmethod
    def _agrees(trailer: bytes, found: int, what: str) -> None:
        count = _count(trailer)
        if count and int(count) != found:
            raise UnreadableFile(
                "not_this_format",
                f"the trailer counts {int(count)} {what} and the file holds {found}; ask for it again",
            )


def _segments(stream: Any) -> Iterator[bytes]:
    """Yield what lies between one start of a message, header or trailer and the next."""
    held = b""
    begun = False
    while True:
        block = read_bytes(stream, _BLOCK)
        held += block or b"\r"
        if not begun:
            held = held.removeprefix(b"\xef\xbb\xbf").lstrip(_BETWEEN)
            if len(held) > _ENOUGH or not block:
                _refuse_others(held)
                begun = True
        # The last one may go on in the next block.
        starts = [match.start() for match in _START.finditer(held)]
        for start, end in pairwise(starts):
            yield held[start:end].rstrip(_BETWEEN)
        held = held[starts[-1] :] if starts else held
        if len(held) > _LONGEST_MESSAGE:
            raise UnreadableFile("not_this_format", "a message is longer than 64 MiB: its end is not marked")
        if not block:
            break
    if held.strip(_BETWEEN):
        yield held.rstrip(_BETWEEN)


def _refuse_others(start: bytes) -> None:
    if not start:
        raise UnreadableFile("empty", "the file holds nothing")
    if _START.match(start):
        return
    if is_markup(start.decode("latin-1")):
        raise UnreadableFile("html", "a web page came instead of HL7")
    if start.startswith(b"PK"):
        raise UnreadableFile("not_this_format", "the file is a zip archive: offer HL7 plain or as gzip")
    if b"\n" not in start.strip() and b"\r" not in start.strip():
        raise UnreadableFile("error_text", "a line of text came instead of HL7")
    raise UnreadableFile("not_this_format", "the file does not begin with MSH, FHS or BHS: it is no HL7 v2")
