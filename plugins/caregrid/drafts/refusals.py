"""Says of a sample that no draft can be made of what is wrong with it, and what to do about it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from caregrid.errors import CareGridError
from caregrid.mapping import UnreadableFile
from caregrid.mapping.readers.content import refuse_binary

_AS_CSV = "ask the publisher for the data as CSV"
_BY_HAND = "write the feed by hand from the example in docs/feeds.md"
_AGAIN = "ask the publisher for the whole file again"
_FIXES = {
    "empty": _AGAIN,
    "html": "name the data file itself, as its own link gives it, not the page about it",
    "error_text": "fetch the file again: what came is the server's answer to a mistake",
    "no_rows": "name a file that holds records below its heading",
    "no_member": "unpack it, and name the file that holds the records",
    "no_records": f"{_BY_HAND}, with records: in its format",
    "not_this_format": _AGAIN,
    "undecodable": f"save it as UTF-8, or {_BY_HAND}, with the encoding in its format",
    "control_characters": f"take the character out, or {_AGAIN}",
    "duplicate_header": "give each column a name of its own",
}
RENAME = "name the file that its name promises, or give this one the name of what it holds"
_ADVICE = ", no text: "  # as the readers end what they say of a format that is none of text
# An Excel file is a zip archive, unless it is old or has a password; programs give either any of the endings.
_EXCEL = ("an Excel file", (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"))
_CALLED = {
    ".xlsx": _EXCEL,
    ".xlsm": _EXCEL,
    ".xls": _EXCEL,
    ".parquet": ("a Parquet file", (b"PAR1",)),
    ".orc": ("an ORC file", (b"ORC",)),
    ".avro": ("an Avro file", (b"Obj\x01",)),
    ".zip": ("a zip archive", (b"PK",)),
    ".gz": ("a gzip file", (b"\x1f\x8b",)),
    ".zst": ("a zstd file", (b"\x28\xb5\x2f\xfd",)),
}
_NUL_LEAST = 0.1  # of the bytes of UTF-16: spaces, digits and delimiters have one each, in any script
_ONE_SIDE = 0.9
_NUL_RUN = 16
_LOOKED_AT = 1 << 16


def refuse_no_file(sample: Path) -> None:
    """Raise CareGridError for a path that is no file which can be read."""
    try:
        told = _no_file(sample)
        if told is None:
            sample.open("rb").close()
    except OSError as error:
        # Looking at a path fails as opening it does: below a directory that is closed to this account.
        raise CareGridError(
            f"the file cannot be opened: {error.strerror}",
            where=str(sample),
            fix="let this account read it"
            if isinstance(error, PermissionError)
            else "name a data file on this machine",
        ) from error
    if told is not None:
        raise CareGridError(told[0], where=str(sample), fix=told[1])


def _no_file(sample: Path) -> tuple[str, str] | None:
    """Return what a path is that is no file, and the fix; None for a file."""
    if sample.is_dir():
        inside = next((path.name for path in sorted(sample.iterdir()) if path.is_file()), None)
        fix = f"name one file in it, for example {sample / inside}" if inside else "name a data file"
        return "this is a directory, and a draft is made of one file", fix
    if not sample.exists():
        return "there is no such file", "name a data file on this machine"
    if not sample.is_file():
        return "this is no plain file", "name a data file on this machine"
    return None


def unreadable(error: UnreadableFile, sample: Path) -> CareGridError:
    """Return what to raise for a sample that no reader can read: what is wrong, and the fix of its kind."""
    reason, _, advice = error.reason.partition(_ADVICE)
    fix = advice or _FIXES.get(error.code, _BY_HAND)
    if error.code == "not_this_format" and not advice and re.search(r"\bline \d", reason):
        fix = f"mend that place, or {_AGAIN}"
    if called := misnamed(sample):
        reason, fix = f"{called}; {reason}", advice or RENAME
    return CareGridError(f"the sample cannot be read: {reason}", where=str(sample), fix=fix)


def misnamed(sample: Path) -> str:
    """Return how a file differs from what its name says it is, '' when it does not."""
    kind, magic = _CALLED.get(sample.suffix.lower(), ("", ()))
    with sample.open("rb") as stream:
        start = stream.read(64)
    if not kind or start.startswith(magic) or not start:
        return ""
    return f"by its name it is {kind}, but it is none: it begins with {start[:20]!r}"


def refuse_nuls(start: bytes) -> None:
    """Raise UnreadableFile for a file that holds NULs, and at most a mark and blank lines besides."""
    if start.count(0) * 2 > len(start) and not start.strip(b"\0 \r\n\xef\xbb\xbf\xff\xfe"):
        raise UnreadableFile("empty", f"the file holds NUL bytes (00) only{_ADVICE}{_AGAIN}")


def utf_16(start: bytes) -> str | None:
    """Return the UTF-16 without a mark that NULs on one side of each pair show, None without NULs.

    Raises UnreadableFile: the NULs are those of no text, or stand in one by mistake.
    """
    looked = start[:_LOOKED_AT]
    many = looked.count(0)
    odd = looked[1::2].count(0)
    if many and many >= _NUL_LEAST * len(looked) and max(odd, many - odd) >= _ONE_SIDE * many:
        return "utf-16-le" if odd * 2 > many else "utf-16-be"
    at = start.find(0)
    if at < 0:
        return None
    refuse_binary(start)
    if _is_binary(looked):
        raise UnreadableFile("not_this_format", f"the file is in no format that feeds read{_ADVICE}{_AS_CSV}")
    line, near = start.count(b"\n", 0, at) + 1, start[max(at - 12, 0) : at + 12]
    if (run := len(start[at:]) - len(start[at:].lstrip(b"\0"))) >= _NUL_RUN:
        raise UnreadableFile(
            "control_characters",
            f"line {line}: there are {run:,} NUL bytes (00) in a row, as where a transfer broke off"
            f"{_ADVICE}{_AGAIN}",
        )
    raise UnreadableFile(
        "control_characters",
        f"line {line}: there is a NUL byte (00) near {near!r}, which no text holds",
    )


def _is_binary(looked: bytes) -> bool:
    """Say whether other bytes stand in a file as well that texts do not hold."""
    return any(byte < 32 and byte not in b"\x00\t\n\x0b\x0c\r\x1a\x1b" for byte in looked)


def no_json(error: Exception) -> UnreadableFile:
    """Return what to raise for a document that is no JSON, with its line."""
    if isinstance(error, json.JSONDecodeError):
        if not error.doc[error.pos :].strip():
            return UnreadableFile(
                "not_this_format", f"the file is no whole JSON: it ends in line {error.lineno}, cut off"
            )
        near = error.doc[max(error.pos - 20, 0) : error.pos + 20]
        return UnreadableFile(
            "not_this_format",
            f"the file is no JSON: line {error.lineno}, column {error.colno}: {error.msg}, near {near!r}",
        )
    return UnreadableFile("not_this_format", f"the file is no JSON: {error}")
