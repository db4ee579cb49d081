"""From the bytes of a file to decoded text: encodings, and what is no data at all."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from caregrid.mapping.readers.containers import read_bytes
from caregrid.mapping.types import UnreadableFile

BLOCK_BYTES = 1 << 22
# A batch ends after so many characters or cells, however few its records are: what reading it takes of
# memory is some times as much.
BATCH_CHARACTERS = 32 * 2**20
BATCH_CELLS = 4 * 2**20
# No line has more characters: what has no end is not sought to the end of the file.
LONGEST_LINE = 1 << 26
# A file that begins with so many records, or characters, of which none can be read, holds none that can.
NOTHING_READ = 50_000
NOTHING_READ_CHARACTERS = 4 * BATCH_CHARACTERS
# Records without a field are records, which a frame without a column has none of: the name of such a column.
NO_FIELD = "(nothing)"
_MAGIC = (
    (
        b"PK\x03\x04",
        "a zip archive within another, or an Excel workbook",
        "unpack it, or set format: {type: xlsx}",
    ),
    (b"PK\x05\x06", "an empty zip archive", "ask the publisher for the file"),
    (b"\x1f\x8b", "compressed twice", "unpack it once"),
    (b"BZh", "compressed with bzip2", "offer it as gzip, zstd or zip"),
    (b"\x28\xb5\x2f\xfd", "compressed twice", "unpack it once"),
    (b"\xfd7zXZ", "compressed with xz", "offer it as gzip, zstd or zip"),
    (b"7z\xbc\xaf", "a 7z archive", "offer it as gzip, zstd or zip"),
    (b"Rar!", "a RAR archive", "offer it as gzip, zstd or zip"),
    (b"%PDF-", "a PDF", "ask the publisher for the data as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old or protected Office file", "save it as .xlsx without a password"),
    (b"PAR1", "Parquet", "set format: {type: parquet}"),
    (b"ORC", "ORC", "set format: {type: orc}"),
    (b"Obj\x01", "Avro", "set format: {type: avro}"),
)
_TAR_MARK = 257  # where a tar says what it is
# Marks without a width that web pages and spreadsheets leave at the edges of what is copied from them.
INVISIBLE = "\u200b\u200e\u200f\u2060\ufeff"
_UTF8_BOM = b"\xef\xbb\xbf"
# C1 control characters appear when Windows-1252 bytes are read as Latin-1; NUL when UTF-16 is read as UTF-8.
_FORBIDDEN = re.compile("[\x00\x80-\x9f]")
_MARKUP = re.compile(r"\s*<(!doctype|html|head|body|script|meta|\?xml)\b", re.IGNORECASE)
_WEB_PAGE = re.compile(r"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)


def duplicate_header(where: str, twice: list[str], fix: str) -> UnreadableFile:
    """Return what to raise for names that more than one column bears."""
    shown = ", ".join(map(repr, twice[:10]))
    return UnreadableFile(
        "duplicate_header", f"{where}: {shown} stands twice in the heading; give format: {fix}"
    )


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that stand more than once, sorted; in one pass: a file may have any number."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


def is_markup(text: str) -> bool:
    """Return whether a text begins as web pages and XML do."""
    return _MARKUP.match(text) is not None


def is_web_page(text: str) -> bool:
    """Return whether a text begins as a web page does, and not as other XML."""
    return _WEB_PAGE.match(text) is not None


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
            refuse_binary(block)
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
            if is_markup(text):
                raise UnreadableFile(
                    "html", f"a web page came instead of data; it begins {text.strip()[:80]!r}"
                )
            first = False
        if text:
            line += text.count("\n")
            yield text
        if not block:
            return


def text_lines(blocks: Iterator[str]) -> Iterator[list[str]]:
    """Yield the lines of decoded text, without their line feed, so many as a block holds.

    Raises UnreadableFile: a line is longer than LONGEST_LINE.
    """
    rest: list[str] = []  # of a line that goes on
    length, number = 0, 1
    for block in blocks:
        lines = block.split("\n")
        rest.append(lines[0])
        length += len(lines[0])
        if length > LONGEST_LINE:
            raise UnreadableFile(
                "not_this_format", f"line {number}: it has no end within {LONGEST_LINE:,} characters"
            )
        if len(lines) > 1:
            lines[0] = "".join(rest)
            rest = [lines.pop()]
            length = len(rest[0])
            number += len(lines)
            yield lines
    if length:
        yield ["".join(rest)]


def batch_lines(batch_rows: int, columns: int) -> int:
    """Return how many records of so many columns a batch may hold."""
    return max(1, min(batch_rows, BATCH_CELLS // max(1, columns)))


def no_such_file(head: bytes, what: str) -> UnreadableFile:
    """Return what to raise for a file that is not the binary kind its feed says, by how it begins."""
    text = head[:2048].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if not text:
        return UnreadableFile("empty", "the file holds nothing")
    begins = f"it begins {text[:80]!r}"
    if is_web_page(text):
        return UnreadableFile("html", f"a web page came instead of data; {begins}")
    if text[:80].isprintable():
        return UnreadableFile("error_text", f"text came instead of data; {begins}")
    return UnreadableFile("not_this_format", f"the file is no {what}; {begins}")


def refuse_binary(block: bytes) -> None:
    """Raise UnreadableFile for bytes that begin as a format does which is no text."""
    for magic, what, advice in _MAGIC:
        if block.startswith(magic):
            raise UnreadableFile("not_this_format", f"the file is {what}, no text: {advice}")
    if block[_TAR_MARK:].startswith(b"ustar"):
        raise UnreadableFile("not_this_format", "the file is a tar archive within another: unpack it")


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
    if found[0] == "\x00" and text.count("\x00") * 10 < len(text):
        advice = "take it out: no text holds it"
    elif found[0] == "\x00":
        advice = "the file is probably UTF-16: set encoding: utf-16"
    elif codec in ("iso8859-1", "latin-1"):
        advice = "the bytes are probably Windows-1252: set encoding: cp1252"
    else:
        advice = "the text was decoded twice, or the encoding is another one"
    return UnreadableFile(
        "control_characters", f"line {at}: control character {code} near {around!r}; {advice}"
    )
