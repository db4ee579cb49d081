"""XML from anyone: parsed as a stream, without entities, without a DTD, without the network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from lxml import etree

from caregrid.mapping.readers.containers import Rejoined, read_bytes
from caregrid.mapping.readers.content import is_web_page
from caregrid.mapping.types import UnreadableFile

_HEAD_BYTES = 1 << 16
_ASIDE = re.compile(r"<!--.*?-->|<\?.*?\?>", re.DOTALL)
_DOCTYPE = re.compile(r"\s*<!DOCTYPE\s[^\[>]*([\[>]?)")
_ENTITIES = (
    "the document declares entities or other rules of its own (<!DOCTYPE … [ … ]>), which may make gigabytes "
    "of a few bytes or read other files: ask the publisher for it without them"
)


def parse(
    stream: BinaryIO,
    what: str,
    tags: Sequence[str] | None = None,
    events: Sequence[str] = ("end",),
    encoding: str | None = None,
) -> Iterator[tuple[str, Any]]:
    """Yield the parser's events (see lxml's iterparse) on a document that may be hostile.

    Args:
        what: the document, for messages: "the file", "sheet 'Beds'".
        tags: of the elements to tell of; None is all. `{*}name` is in any namespace.
        encoding: instead of what the document says of itself.

    Raises:
        UnreadableFile: empty, html, undecodable, not_this_format.
    """
    head = read_bytes(stream, _HEAD_BYTES)
    _check_head(head, what)
    parser = etree.iterparse(
        Rejoined(head, stream),
        events=tuple(events),
        tag=None if tags is None else list(tags),
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    first = True
    try:
        for event, element in parser:
            if first:
                declared = element.getroottree().docinfo.internalDTD
                if declared is not None and any(True for _ in declared.iterentities()):
                    raise UnreadableFile("not_this_format", _ENTITIES)
                first = False
            yield event, element
    except etree.XMLSyntaxError as error:
        raise _unreadable(error, what) from error


def _check_head(head: bytes, what: str) -> None:
    if not head.strip():
        raise UnreadableFile("empty", f"{what} holds nothing")
    if head[:4] in (b"\x00\x00\xfe\xff", b"\xff\xfe\x00\x00", b"\x00\x00\x00<", b"<\x00\x00\x00"):
        raise UnreadableFile("undecodable", f"{what} is UTF-32: ask for UTF-8")
    if head[:2] in (b"\xff\xfe", b"<\x00"):
        text = head.decode("utf-16-le", "replace")
    elif head[:2] in (b"\xfe\xff", b"\x00<"):
        text = head.decode("utf-16-be", "replace")
    else:
        text = head.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    text = text.lstrip("\ufeff \t\r\n")
    if not text.startswith("<"):
        begins = f"{what} is no XML; it begins {text[:80]!r}"
        if text[:1].isalnum() and text[:200].isprintable():
            raise UnreadableFile("error_text", begins)
        raise UnreadableFile("not_this_format", begins)
    prolog = _ASIDE.sub(" ", text)
    if is_web_page(prolog):
        raise UnreadableFile("html", f"a web page came instead of data; it begins {text[:80]!r}")
    if (doctype := _DOCTYPE.match(prolog)) and doctype[1] != ">":
        raise UnreadableFile("not_this_format", _ENTITIES)


def _unreadable(error: etree.XMLSyntaxError, what: str) -> UnreadableFile:
    line, column = error.position or (0, 0)
    said = str(error.msg or error).splitlines()[0]
    if "ncoding" in said or "UTF-8" in said or "bytes" in said.lower():
        return UnreadableFile(
            "undecodable",
            f"line {line}: the bytes of {what} are not in the encoding it declares ({said}); "
            "set encoding: to what it was written in",
        )
    return UnreadableFile("not_this_format", f"{what} is no whole XML: line {line}, column {column}: {said}")
