"""Looks at a sample's bytes: format, encoding, delimiter, heading; and reads its first records by them."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import Any

import polars as pl

from caregrid.drafts import kinds
from caregrid.drafts.headings import full, is_of_figures, is_second, unique
from caregrid.drafts.markup import xml_form
from caregrid.drafts.refusals import misnamed, no_json, refuse_nuls, unreadable, utf_16
from caregrid.feeds import Source
from caregrid.feeds.spec import build_source
from caregrid.mapping import UnreadableFile, members, read
from caregrid.mapping.readers.containers import open_content, read_bytes, seekable_file

SAMPLE_ROWS = 20_000
_BLOCK = 1 << 22
_DELIMITERS = (",", ";", "\t", "|")
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8"),
)
# What is judged between. Of the Western single-byte sets only Windows-1252: any text fits
# them all, and none of the others is met in more than a handful of public files.
_LEGACY = {name: name for name in ("cp1252", "gb18030", "big5", "cp932", "euc_kr")}
_JUDGED = 1 << 15
_LINES = 50
_OF_LINES = re.compile(r"\.(ndjson|jsonl|jsonlines|ldjson)(\.(gz|zst|zip))*$", re.IGNORECASE)


@dataclass
class Look:
    """What was seen. `form` is the `format:` of a source; notes say what a person must confirm."""

    form: dict[str, Any]
    frame: pl.DataFrame
    lines: pl.Series
    rows: int
    whole: bool
    member: str | None = None
    typed: bool = False
    unread: int = 0
    first_unread: str = ""
    notes: list[str] = field(default_factory=list)


def look(path: Path) -> Look:
    """Return what a sample looks like, with its first records. Raises CareGridError: it cannot be read."""
    try:
        return _look(path)
    except UnreadableFile as error:
        raise unreadable(error, path) from error


def _look(path: Path) -> Look:
    notes: list[str] = []
    plain = _source({"type": "xlsx" if kinds.is_workbook(path) else "csv"})
    inside = members(plain, path)
    member = escape(inside[0]) if inside else None
    if len(inside) > 1:
        member = f"*{Path(inside[0]).suffix}" if Path(inside[0]).suffix else member
        notes.append(f"member: the archive holds {len(inside)} members; {inside[0]} was looked at")
    chosen = inside[0] if inside else ""
    with open_content(plain, path, chosen) as stream:
        start = read_bytes(stream, _BLOCK)
        if start[257:262] == b"ustar":
            raise UnreadableFile(
                "not_this_format", "it is a tar archive: unpack it and name one of its files"
            )
        form: dict[str, Any] = {"type": kinds.binary(start) or "unknown"}
        if form["type"] == "unknown":
            encoding = _encoding(start, stream, notes)
            if encoding != "utf-8":
                form["encoding"] = encoding
            text = _decoded(start, encoding)
    if form["type"] == "xlsx":
        with seekable_file(_source(form), path, chosen) as file:
            form = kinds.workbook_form(file, notes)
    elif form["type"] == "unknown":
        kinds.refuse_undrafted(text)
        if kinds.is_markup(text):
            with open_content(plain, path, chosen) as stream:
                # How it is encoded the document says itself.
                form, notes[:] = xml_form(stream, notes), [n for n in notes if not n.startswith("encoding")]
        else:
            named = bool(_OF_LINES.search(chosen or path.name))
            form = _text_form(text, {key: form[key] for key in form if key != "type"}, notes, of_lines=named)
    return _records(path, chosen, member, form, notes)


def _source(form: dict[str, Any], member: str | None = None) -> Source:
    return build_source("draft", "sample", {"format": form, "member": member, "published_at": {}})


def _encoding(start: bytes, stream: Any, notes: list[str]) -> str:
    """Return the encoding: by its mark, by its NULs, UTF-8 if all of it is, else by likelihood."""
    refuse_nuls(start)
    for mark, name in _MARKS:
        if start.startswith(mark) and name != "utf-8":
            return name
    if (wide := utf_16(start)) is not None:
        return wide
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    block, seen = start, b""
    try:
        while block:
            seen = block
            decoder.decode(block)
            block = read_bytes(stream, _BLOCK)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        name = _legacy(seen)
        notes.append(f"encoding: the bytes are no UTF-8; {name} is likely, look at the names with accents")
        return name
    return "utf-8"


def _legacy(data: bytes) -> str:
    """Return the likeliest encoding of bytes that are no UTF-8, judged by the lines that are not ASCII."""
    from charset_normalizer import from_bytes

    lines = [line for line in data.split(b"\n") if not line.isascii()]
    best = from_bytes(b"\n".join(lines)[:_JUDGED], cp_isolation=list(_LEGACY)).best()
    return _LEGACY.get(best.encoding, "cp1252") if best else "cp1252"


def _decoded(start: bytes, encoding: str) -> str:
    text = codecs.getincrementaldecoder(encoding)("replace").decode(start).removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _text_form(text: str, form: dict[str, Any], notes: list[str], *, of_lines: bool) -> dict[str, Any]:
    begin = text.lstrip()[:1]
    if begin in "{[" and begin:
        return {**form, "type": "ndjson" if begin == "{" and _is_of_lines(text, of_lines) else "json"}
    return _delimited(text, form, notes)


def _is_of_lines(text: str, of_lines: bool) -> bool:
    """Say whether most lines are a JSON object each: some may be broken, the first as well.

    Args:
        of_lines: the file's name says so, which decides where an object is alone in its file.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    whole = sum(map(_is_json, lines[:_LINES]))
    return whole * 2 > len(lines[:_LINES]) and (len(lines) > 1 or of_lines or not _holds_records(lines[0]))


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _holds_records(line: str) -> bool:
    """Say whether an object that is alone in its file is a document around an array of records."""
    return bool(_arrays(json.loads(line)))


def _delimited(text: str, form: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return the format of delimited text: the delimiter that cuts most lines alike, and its heading."""
    lines = text.split("\n")[:400]
    best, score, rows = ",", -1.0, [[line] for line in lines]
    for delimiter in _DELIMITERS:
        try:
            cut = [row for row in csv.reader(lines, delimiter=delimiter) if any(cell.strip() for cell in row)]
        except csv.Error:
            continue
        (width, count), *_ = Counter(map(len, cut)).most_common(1) or [(1, 0)]
        value = count / max(len(cut), 1) * min(width, 4) if width > 1 else 0
        if value > score:
            best, score, rows = delimiter, value, cut
    if score <= 0:
        kinds.refuse_fixed(lines)
    form = {**form, "type": "tsv" if best == "\t" else "csv"}
    if best not in ",\t":
        form["delimiter"] = best
    if "encoding" in form:
        form["encoding"] = form.pop("encoding")  # read best after the type
    return {**form, **_heading(rows, lines, best, notes)}


def _heading(rows: list[list[str]], lines: list[str], delimiter: str, notes: list[str]) -> dict[str, Any]:
    """Return skip_rows and header, where the heading is not simply the first line."""
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 1
    at = next((index for index, row in enumerate(rows[:30]) if len(row) == width and full(row)), 0)
    if rows and width > 1 and is_of_figures(rows[at]):
        notes.append("header: the sample seems to have no heading; name its columns")
        return {"header": [f"column_{number}" for number in range(1, width + 1)]}
    upper = rows[at] if rows else []
    skipped = next(
        (i for i, line in enumerate(lines) if next(csv.reader([line], delimiter=delimiter), []) == upper), 0
    )
    second = rows[at + 1] if len(rows) > at + 2 else []
    if second and is_second(upper, second, rows[at + 2 : at + 12]):
        group, names = "", []
        for top, low in zip(upper, second, strict=False):
            group = top.strip() or group
            names.append(" ".join(f"{group} {low.strip()}".split()))
        notes.append("header: the heading has two rows; they are joined")
        return {"skip_rows": skipped + 2, "header": unique(names)}
    names = [" ".join(cell.split()) or f"(column {number})" for number, cell in enumerate(upper, 1)]
    if len(set(names)) < len(names):
        notes.append("header: a column's name stands twice; the second is numbered")
        return {"skip_rows": skipped + 1, "header": unique(names)}
    if skipped:
        notes.append(f"skip_rows: {skipped} lines stand before the heading")
        return {"skip_rows": skipped}
    return {}


def _records(path: Path, chosen: str, member: str | None, form: dict[str, Any], notes: list[str]) -> Look:
    if form["type"] == "json":
        form = {**form, **_array(path, chosen, form)}
    source = _source(form, member)
    frames: list[pl.DataFrame] = []
    lines: list[pl.Series] = []
    unread, rows, whole, first = 0, 0, True, ""
    for batch in read(source, path, member=chosen):
        frames.append(batch.frame)
        lines.append(batch.lines)
        unread += len(batch.rejects)
        if batch.rejects and not first:
            first = f"line {batch.rejects[0].line}: {batch.rejects[0].reasons[0]['message']}"
        rows += batch.frame.height
        if rows >= SAMPLE_ROWS:
            whole = False
            break
    frame = pl.concat(frames, how="diagonal").head(SAMPLE_ROWS)
    if not frame.height:
        broken = f" that can be read; the first of {unread:,} that cannot, {first}" if first else ""
        raise UnreadableFile("no_rows", f"there is no record in it{broken}")
    if called := misnamed(path):
        notes.append(f"type: {called}")
    at = pl.concat(lines).head(SAMPLE_ROWS)
    return Look(
        form, frame, at, frame.height, whole, member, form["type"] in kinds.TYPED, unread, first, notes
    )


def _array(path: Path, chosen: str, form: dict[str, Any]) -> dict[str, str]:
    """Return where the records stand: the longest array of objects in the document."""
    with open_content(_source(form), path, chosen) as stream:
        blocks = []
        while block := read_bytes(stream, _BLOCK):
            blocks.append(block)
    try:
        document = json.loads(b"".join(blocks).decode(form.get("encoding", "utf-8-sig")))
    except (ValueError, RecursionError) as error:
        raise no_json(error) from error
    found = _arrays(document)
    if not found:
        raise UnreadableFile("no_records", "the document holds no array of objects")
    _, at = max(found)
    return {"records": at} if at else {}


def _arrays(document: Any) -> list[tuple[int, str]]:
    """Return the arrays of objects in a document: how long, and at which path."""
    found: list[tuple[int, str]] = []

    def visit(value: Any, at: str, depth: int) -> None:
        if isinstance(value, list):
            if value and isinstance(value[0], dict):
                found.append((len(value), at))
        elif isinstance(value, dict) and depth < 4:
            for key, item in value.items():
                if "." not in key:
                    visit(item, f"{at}.{key}" if at else key, depth + 1)

    visit(document, "", 0)
    return found
