"""The parts of an Excel workbook (Office Open XML): its sheets, shared texts, and which numbers are dates."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from caregrid.mapping.readers.containers import BROKEN_ZIP, DAMAGED, Unpacked, damaged
from caregrid.mapping.readers.content import no_such_file
from caregrid.mapping.readers.markup import parse
from caregrid.mapping.types import UnreadableFile

_OLE = b"\xd0\xcf\x11\xe0"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
# Number formats that every workbook has without naming them; 27 to 58 are East Asian dates.
_BUILT_IN = {
    **dict.fromkeys([14, 15, 16, 17, *range(27, 37), *range(50, 59)], "date"),
    **dict.fromkeys([18, 19, 20, 21, 45, 47], "time"),
    22: "datetime",
    46: "elapsed",
}
_NO_CODE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)


@dataclass(frozen=True)
class Sheet:
    """A worksheet: its name, the part of the archive that holds it, and whether a reader sees it."""

    name: str
    part: str
    visible: bool


class Workbook:
    """An open workbook. Raises UnreadableFile: empty, html, error_text, not_this_format."""

    def __init__(self, path: Path) -> None:
        _refuse_other_files(path)
        self._limit = path.stat().st_size
        try:
            self._archive = zipfile.ZipFile(path)
        except BROKEN_ZIP as error:
            raise damaged(error) from error
        if "[Content_Types].xml" not in self._archive.namelist():
            raise UnreadableFile("not_this_format", "the file is a zip archive and no Excel workbook")
        root = next(iter(self._related("").values()), None)
        main = next((part for kind, part in self._related("").values() if kind == "officeDocument"), None)
        if root is None or main is None or not main.endswith(".xml"):
            raise UnreadableFile("not_this_format", "the file is a document and no Excel workbook (.xlsx)")
        related = self._related(main)
        self.sheets: list[Sheet] = []
        self.since_1904 = False
        for element in self._elements(main, ("{*}sheet", "{*}workbookPr")):
            if local_name(element) == "workbookPr":
                self.since_1904 = element.get("date1904") in ("1", "true")
                continue
            kind, part = related.get(element.get(_RELATION) or element.get(_STRICT_RELATION), ("", ""))
            if kind == "worksheet":
                shown = element.get("state", "visible") == "visible"
                self.sheets.append(Sheet(element.get("name", ""), part, shown))
        parts = dict(related.values())
        self.texts = list(self._texts(parts["sharedStrings"])) if "sharedStrings" in parts else []
        self.styles = list(self._styles(parts["styles"])) if "styles" in parts else []

    def __enter__(self) -> Workbook:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def sheet(self, wanted: str | int | None) -> Sheet:
        """Return a sheet by its name or number from 1; None is the only visible one."""
        listed = ", ".join(
            f"{number} {sheet.name!r}{'' if sheet.visible else ' (hidden)'}"
            for number, sheet in enumerate(self.sheets, 1)
        )
        if isinstance(wanted, int):
            if wanted > len(self.sheets):
                raise UnreadableFile("no_records", f"there is no sheet {wanted}; the workbook has: {listed}")
            return self.sheets[wanted - 1]
        if wanted is None:
            found = [sheet for sheet in self.sheets if sheet.visible]
            if len(found) == 1:
                return found[0]
            raise UnreadableFile(
                "no_records", f"the workbook has several sheets, name one as format: sheet: {listed}"
            )
        exact = [sheet for sheet in self.sheets if sheet.name == wanted]
        near = [sheet for sheet in self.sheets if sheet.name.strip().lower() == wanted.strip().lower()]
        if len(exact or near) != 1:
            raise UnreadableFile("no_records", f"there is no sheet {wanted!r}; the workbook has: {listed}")
        return (exact or near)[0]

    @contextmanager
    def open(self, part: str) -> Iterator[BinaryIO]:
        """Give the bytes of one part, never more than an honest workbook holds."""
        try:
            stream = self._archive.open(part)
        except KeyError as error:
            raise UnreadableFile("not_this_format", f"the workbook lacks its part {part!r}") from error
        except DAMAGED as error:
            raise damaged(error) from error
        except BROKEN_ZIP as error:  # RuntimeError: encrypted; NotImplementedError: a compression unknown
            raise UnreadableFile("not_this_format", f"the workbook cannot be opened: {error}") from error
        with stream:
            yield Unpacked(stream, self._limit)  # type: ignore[misc]

    def _elements(self, part: str, tags: tuple[str, ...]) -> Iterator[Any]:
        with self.open(part) as stream:
            for _, element in parse(stream, f"the workbook's part {part!r}", tags):
                yield element
                element.clear()

    def _related(self, part: str) -> dict[str, tuple[str, str]]:
        """Return id → (kind, part) of what a part refers to; '' is the workbook as a whole."""
        folder, name = posixpath.split(part)
        rels = posixpath.join(folder, "_rels", f"{name}.rels")
        if rels not in self._archive.namelist():
            return {}
        return {
            element.get("Id", ""): (
                element.get("Type", "").rpartition("/")[2],
                posixpath.normpath(posixpath.join("/", folder, element.get("Target", ""))).lstrip("/"),
            )
            for element in self._elements(rels, ("{*}Relationship",))
        }

    def _texts(self, part: str) -> Iterator[str]:
        for element in self._elements(part, ("{*}si",)):
            yield rich_text(element)
            while element.getprevious() is not None:
                del element.getparent()[0]

    def _styles(self, part: str) -> Iterator[str]:
        """Yield what the numbers of each cell style are: '', date, time, datetime or elapsed."""
        custom: dict[int, str] = {}
        for element in self._elements(part, ("{*}numFmt", "{*}xf")):
            local = local_name(element)
            if local == "numFmt":
                custom[whole(element.get("numFmtId"))] = kind_of(element.get("formatCode", ""))
            elif (parent := element.getparent()) is not None and local_name(parent) == "cellXfs":
                number = whole(element.get("numFmtId"))
                yield custom.get(number, _BUILT_IN.get(number, ""))


def whole(text: str | None) -> int:
    """Return the whole number that an attribute holds, 0 where it holds none."""
    return int(text) if text and text.isdigit() else 0


def local_name(element: Any) -> str:
    """Return the name of an element without its namespace, which differs between the kinds of workbook."""
    return str(element.tag).rpartition("}")[2]


def rich_text(element: Any) -> str:
    """Return the text of a cell without the reading aids that East Asian texts carry."""
    parts: list[str] = []
    for child in element:
        local = local_name(child)
        if local == "t":
            parts.append(child.text or "")
        elif local == "r":
            parts += [run.text or "" for run in child if local_name(run) == "t"]
    text = "".join(parts)
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def kind_of(code: str) -> str:
    """Return what a number format shows: '', date, time, datetime or elapsed.

    >>> [kind_of(code) for code in ('0.00', 'dd/mm/yyyy', '[h]:mm', 'h:mm "Uhr"', 'yyyy"年"m"月" hh:mm')]
    ['', 'date', 'elapsed', 'time', 'datetime']
    """
    bare = _NO_CODE.sub("", code.split(";")[0]).lower()
    if "[" in bare:
        return "elapsed"
    if "general" in bare or "@" in bare or "#" in bare:
        return ""
    day, clock = bool(re.search("[yd]", bare)), bool(re.search("[hs]", bare))
    if day or clock:
        return "datetime" if day and clock else "date" if day else "time"
    return "date" if "m" in bare else ""


def _refuse_other_files(path: Path) -> None:
    with path.open("rb") as stream:
        head = stream.read(2048)
        if head[:4] == _OLE:
            rest = head + stream.read()
            if "EncryptedPackage".encode("utf-16-le") in rest:
                raise UnreadableFile(
                    "not_this_format",
                    "the workbook is protected by a password: ask the publisher for it without",
                )
            raise UnreadableFile("not_this_format", "the file is an old Excel file (.xls): save it as .xlsx")
    if head[:2] != b"PK":
        raise no_such_file(head, "Excel workbook (.xlsx)")
