"""From a landed file to decoded text: gzip and zip members, encodings, and what is no data at all."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO

from caregrid.feeds.model import Source
from caregrid.mapping.types import UnreadableFile

BLOCK_BYTES = 1 << 22
_DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile)
# What zipfile raises besides, on a directory of members that is itself damaged.
_BROKEN_ZIP = (*_DAMAGED, RuntimeError, ValueError, LookupError, OverflowError, struct.error)
# Deflate cannot make less than a thousandth of anything; tables come to a fiftieth.
_BOMB_BYTES, _BOMB_RATIO = 1 << 28, 200
_LONGEST_NAME = 500
_MAGIC = (
    (b"PK\x03\x04", "a zip archive within another, or an Excel workbook", "unpack it, or export it as CSV"),
    (b"PK\x05\x06", "an empty zip archive", "ask the publisher for the file"),
    (b"\x1f\x8b", "compressed twice", "unpack it once"),
    (b"BZh", "compressed with bzip2", "offer it as gzip or zip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstandard", "offer it as gzip or zip"),
    (b"\xfd7zXZ", "compressed with xz", "offer it as gzip or zip"),
    (b"7z\xbc\xaf", "a 7z archive", "offer it as gzip or zip"),
    (b"Rar!", "a RAR archive", "offer it as gzip or zip"),
    (b"%PDF-", "a PDF", "ask the publisher for the data as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", "export it as CSV"),
    (b"PAR1", "Parquet", "set format: {type: parquet}"),
)
# Marks without a width that web pages and spreadsheets leave at the edges of what is copied from them.
INVISIBLE = "\u200b\u200e\u200f\u2060\ufeff"
_UTF8_BOM = b"\xef\xbb\xbf"
# C1 control characters appear when Windows-1252 bytes are read as Latin-1; NUL when UTF-16 is read as UTF-8.
_FORBIDDEN = re.compile("[\x00\x80-\x9f]")
_MARKUP = re.compile(r"\s*<(!doctype|html|head|body|script|meta|\?xml)\b", re.IGNORECASE)


def archive_members(source: Source, path: Path) -> list[str]:
    """Return the members of a zip that the source names, sorted; [] when the file is no zip.

    Raises UnreadableFile(no_member).
    """
    with path.open("rb") as stream:
        if stream.read(4) != b"PK\x03\x04":
            return []
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except _BROKEN_ZIP as error:
        raise UnreadableFile("not_this_format", f"the zip archive is damaged: {error}") from error
    names = [name for name in names if not name.startswith("__MACOSX/")]
    if "[Content_Types].xml" in names:
        raise UnreadableFile("not_this_format", "the file is an Excel or Word document: export it as CSV")
    if "" in names:
        raise UnreadableFile("not_this_format", "a member of the archive has no name")
    if any(len(name) > _LONGEST_NAME for name in names):
        raise UnreadableFile("not_this_format", f"a member's name is longer than {_LONGEST_NAME} characters")
    if outside := next((name for name in names if _leads_outside(name)), None):
        raise UnreadableFile("not_this_format", f"member {outside!r} names a place outside the archive")
    twice = repeated(names)
    if twice:
        raise UnreadableFile(
            "not_this_format", f"two members are called {twice[0]!r}: one would hide the other"
        )
    pattern = source.member or "*"
    chosen = sorted(name for name in names if fnmatch(name, pattern) or fnmatch(Path(name).name, pattern))
    if not chosen:
        raise UnreadableFile(
            "no_member", f"no member matches {pattern!r}; there are: {', '.join(names[:20])}"
        )
    return chosen


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that come more than once, sorted; in one pass: a file may have any number."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _leads_outside(name: str) -> bool:
    """Say whether a member's name would be written elsewhere by whoever unpacks the archive."""
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or name.startswith(("/", "\\")) or bool(re.match(r"[A-Za-z]:", name))


@contextmanager
def open_content(source: Source, path: Path, member: str = "") -> Iterator[BinaryIO]:
    """Give the bytes of the file, or of its one member, uncompressed; told apart by content, not by name."""
    with ExitStack() as stack:
        chosen = member or next(iter(archive_members(source, path)), "")
        stream: Any = stack.enter_context(_open_member(path, chosen, stack) if chosen else path.open("rb"))
        try:
            start = stream.peek(2)[:2]
        except _DAMAGED as error:
            raise _damaged(error) from error
        if start == b"\x1f\x8b":
            stream = stack.enter_context(_buffered(gzip.GzipFile(fileobj=stream)))
        if chosen or start == b"\x1f\x8b":
            stream = _Unpacked(stream, path.stat().st_size)
        yield stream


def _buffered(stream: Any) -> io.BufferedReader:
    return io.BufferedReader(stream)


def _open_member(path: Path, member: str, stack: ExitStack) -> io.BufferedReader:
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
        return _buffered(archive.open(member))
    except KeyError as error:
        raise UnreadableFile("no_member", f"the archive holds no member {member!r}") from error
    except _DAMAGED as error:
        raise _damaged(error) from error
    except _BROKEN_ZIP as error:  # RuntimeError: encrypted; NotImplementedError: a compression unknown
        raise UnreadableFile("not_this_format", f"the zip archive cannot be opened: {error}") from error


class _Unpacked(io.RawIOBase):
    """Uncompressed content that stops where no honest file goes: a few bytes may unpack to a full disk."""

    def __init__(self, stream: io.BufferedReader, packed: int) -> None:
        self._stream = stream
        self._left = max(_BOMB_BYTES, packed * _BOMB_RATIO)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size if size >= 0 else self._left + 1)
        self._left -= len(block)
        if self._left < 0:
            raise UnreadableFile(
                "not_this_format",
                f"the compressed file unpacks to more than {_BOMB_RATIO} times its size: no data does",
            )
        return block


def read_bytes(stream: BinaryIO, size: int = -1) -> bytes:
    """Read from possibly compressed content. Raises UnreadableFile when the compression is damaged."""
    try:
        return stream.read(size)
    except _DAMAGED as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> UnreadableFile:
    return UnreadableFile("not_this_format", f"the compressed file is damaged or cut: {error}")


def text_blocks(stream: BinaryIO, encoding: str) -> Iterator[str]:
    """Yield decoded text in blocks. A byte-order mark is tolerated and dropped under every encoding.

    Raises UnreadableFile: empty, html, undecodable, control_characters, each with the line.
    """
    codec = codecs.lookup(encoding).name
    decoder = codecs.getincrementaldecoder("utf-8" if codec == "utf-8-sig" else codec)("strict")
    line = 1
    first = True
    while True:
        block = read_bytes(stream, BLOCK_BYTES)
        if first:
            _refuse_binary(block)
        if first and block.startswith(_UTF8_BOM) and not codec.startswith("utf-16"):
            block = block[3:]
        pure_ascii = block.isascii() and b"\x00" not in block
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise _undecodable(error, codec, line, first) from error
        except UnicodeError as error:
            raise UnreadableFile("undecodable", f"line {line}: the bytes are not {codec}: {error}") from error
        if not pure_ascii and (found := _FORBIDDEN.search(text)):
            raise _forbidden(found, text, codec, line)
        if first:
            text = text.removeprefix("\ufeff")
            if not text.strip() and len(block) < BLOCK_BYTES:
                raise UnreadableFile(
                    "empty", "the file holds nothing" if not block else "the file holds blank lines only"
                )
            if _MARKUP.match(text):
                raise UnreadableFile(
                    "html", f"a web page came instead of data; it begins {text.strip()[:80]!r}"
                )
            first = False
        if text:
            line += text.count("\n")
            yield text
        if not block:
            return


def _refuse_binary(block: bytes) -> None:
    for magic, what, advice in _MAGIC:
        if block.startswith(magic):
            raise UnreadableFile("not_this_format", f"the file is {what}, no text: {advice}")


def _undecodable(error: UnicodeDecodeError, codec: str, line: int, first: bool) -> UnreadableFile:
    data = error.object if isinstance(error.object, bytes) else b""
    if first and data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        name = "utf-32" if data[:4] in (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff") else "utf-16"
        return UnreadableFile(
            "undecodable", f"the file begins with the mark of {name.upper()}; set encoding: {name}"
        )
    at = line + data[: error.start].count(b"\n")
    shown = data[error.start : error.start + 1].hex().upper()
    around = data[max(0, error.start - 12) : error.start + 12]
    advice = "declare the encoding it was written in"
    if codec.startswith("utf"):
        pairs = re.search(rb"[\x81-\xfe]{4,}", data[error.start : error.start + 40])
        advice = (
            "set encoding: gb18030, big5 or shift_jis if the text is East Asian"
            if pairs
            else "set encoding: cp1252 if the byte belongs to Western European text"
        )
    return UnreadableFile("undecodable", f"line {at}: byte {shown} is not {codec} (…{around!r}…); {advice}")


def _forbidden(found: re.Match[str], text: str, codec: str, line: int) -> UnreadableFile:
    at = line + text.count("\n", 0, found.start())
    code = f"U+{ord(found[0]):04X}"
    around = text[max(0, found.start() - 12) : found.start() + 12]
    if found[0] == "\x00":
        advice = "the file is probably UTF-16: set encoding: utf-16"
    elif codec in ("iso8859-1", "latin-1"):
        advice = "the bytes are probably Windows-1252: set encoding: cp1252"
    else:
        advice = "the text was decoded twice, or the encoding is another one"
    return UnreadableFile(
        "control_characters", f"line {at}: control character {code} near {around!r}; {advice}"
    )
