"""From a landed file to decoded text: gzip and zip members, encodings, and what is no data at all."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO

from caregrid.feeds.model import Source
from caregrid.mapping.types import UnreadableFile

BLOCK_BYTES = 1 << 22
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
            names = [item.filename for item in archive.infolist() if not item.is_dir()]
    except zipfile.BadZipFile as error:
        raise UnreadableFile("not_this_format", f"the zip archive is damaged: {error}") from error
    names = [name for name in names if not name.startswith("__MACOSX/")]
    pattern = source.member or "*"
    chosen = sorted(name for name in names if fnmatch(name, pattern) or fnmatch(Path(name).name, pattern))
    if not chosen:
        raise UnreadableFile(
            "no_member", f"no member matches {pattern!r}; there are: {', '.join(names[:20])}"
        )
    return chosen


@contextmanager
def open_content(source: Source, path: Path, member: str = "") -> Iterator[BinaryIO]:
    """Give the bytes of the file, or of its one member, uncompressed; told apart by content, not by name."""
    with ExitStack() as stack:
        chosen = member or next(iter(archive_members(source, path)), "")
        if chosen:
            archive = stack.enter_context(zipfile.ZipFile(path))
            try:
                stream: BinaryIO = stack.enter_context(io.BufferedReader(archive.open(chosen)))  # type: ignore[type-var]
            except KeyError as error:
                raise UnreadableFile("no_member", f"the archive holds no member {chosen!r}") from error
        else:
            stream = stack.enter_context(path.open("rb"))
        if isinstance(stream, io.BufferedReader) and stream.peek(2)[:2] == b"\x1f\x8b":
            yield stack.enter_context(gzip.GzipFile(fileobj=stream))  # type: ignore[misc]
        else:
            yield stream


def read_bytes(stream: BinaryIO, size: int = -1) -> bytes:
    """Read from possibly compressed content. Raises UnreadableFile when the compression is damaged."""
    try:
        return stream.read(size)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise UnreadableFile("not_this_format", f"the compressed file is damaged or cut: {error}") from error


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


def _undecodable(error: UnicodeDecodeError, codec: str, line: int, first: bool) -> UnreadableFile:
    data = error.object if isinstance(error.object, bytes) else b""
    if first and data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return UnreadableFile("undecodable", "the file begins with the mark of UTF-16; set encoding: utf-16")
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
