"""Reads XML element by element: XPath says which elements are records, and what their fields are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, BinaryIO

import polars as pl
from lxml import etree

from caregrid.feeds.model import Format
from caregrid.feeds.xml_paths import looks_outside, split_path
from caregrid.mapping.readers import content
from caregrid.mapping.readers.content import NO_FIELD, batch_lines
from caregrid.mapping.readers.markup import parse
from caregrid.mapping.types import RecordBatch, Reject, UnreadableFile

# Elements beside the records that are kept because a field may look at them.
_MOST_KEPT = 200_000
_SHOWN_NAMES = 12
# C1 control characters appear when Windows-1252 bytes are declared to be Latin-1.
_FORBIDDEN = re.compile("[\x80-\x9f]")


def read_xml(stream: BinaryIO, form: Format, batch_rows: int) -> Iterator[RecordBatch]:
    """Yield batches of text; `line` is the record's order. What no record of a batch has is no column.

    A field is the text of the node, or the value, that its XPath finds from the record; several nodes reject
    the record unless the field has a separator to join them. Raises UnreadableFile.
    """
    spaces = dict(form.namespaces)
    fields = [
        (field.name, etree.XPath(field.at, namespaces=spaces or None), field.separator)
        for field in form.fields
    ]
    lines: list[int] = []
    records: list[dict[str, str]] = []
    rejects: list[Reject] = []
    yielded = False
    characters, at_once = 0, batch_lines(batch_rows, len(fields))
    for number, element in enumerate(_elements(stream, form, spaces), 1):
        record, problem = _record(element, fields)
        if problem:
            rejects.append(Reject(number, "", "", [problem], dict(record)))
        else:
            lines.append(number)
            records.append(record)
        characters += sum(map(len, record.values()))
        if len(records) + len(rejects) >= at_once or characters >= content.BATCH_CHARACTERS:
            yielded = True
            yield _batch(lines, records, rejects, form)
            lines, records, rejects, characters = [], [], [], 0
    if records or rejects or not yielded:
        yield _batch(lines, records, rejects, form)


def _batch(
    lines: list[int], records: list[dict[str, str]], rejects: list[Reject], form: Format
) -> RecordBatch:
    found = {name for record in records for name in record}
    columns = [field.name for field in form.fields if field.name in found or not records]
    columns = columns or [NO_FIELD]
    frame = pl.DataFrame(
        {name: [record.get(name) for record in records] for name in columns},
        schema=dict.fromkeys(columns, pl.String),
    )
    return RecordBatch(pl.Series("line", lines, pl.Int32), frame, rejects)


def _record(
    element: Any, fields: list[tuple[str, etree.XPath, str | None]]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the XPaths find, and the reason to reject the record, if any."""
    record: dict[str, str] = {}
    problem: dict[str, str] = {}
    unknown = next(element.iter(etree.Entity), None)
    if unknown is not None:
        message = f"the entity {unknown.text} is not defined: what it stood for is lost"
        problem = {"code": "unknown_entity", "field": "", "message": message}
    for name, xpath, separator in fields:
        found = xpath(element)
        if isinstance(found, list):
            texts = [str(node) if isinstance(node, str) else node.xpath("string()") for node in found]
            if len(texts) > 1 and separator is None:
                message = (
                    f"XPath {xpath.path} finds {len(texts)} nodes in one record: choose one, or give the "
                    "field a separator to join them"
                )
                problem = {"code": "several_values", "field": name, "message": message}
            if texts:
                record[name] = (separator or "; ").join(texts)
        elif isinstance(found, bool):
            record[name] = "true" if found else "false"
        elif isinstance(found, float):
            record[name] = str(int(found)) if found.is_integer() else repr(found)
        else:
            record[name] = str(found)
        if name in record and not record[name].isascii() and _FORBIDDEN.search(record[name]):
            raise UnreadableFile(
                "control_characters",
                f"field {name!r}: a control character in {record[name][:60]!r}; the bytes are probably "
                "Windows-1252: set encoding: cp1252",
            )
    return record, problem


class _Around:
    """What stands around the records, as far as the document has been told: the parser itself runs ahead.

    Elements are kept until the one around them ends, so that a record finds what stands before it.
    """

    def __init__(self) -> None:
        self._open: list[Any] = []
        self._kept = 0

    def start(self, element: Any) -> None:
        """Note an element that begins; its attributes are known."""
        attributes = dict(element.attrib)
        try:
            made = (
                etree.SubElement(self._open[-1], element.tag, attributes)
                if self._open
                else etree.Element(element.tag, attributes)
            )
        except ValueError as error:  # names that the parser lets pass and a tree does not
            raise UnreadableFile("not_this_format", f"the file is no whole XML: {error}") from error
        self._open.append(made)
        self._kept += 1
        if self._kept > _MOST_KEPT:
            raise UnreadableFile(
                "not_this_format",
                f"more than {_MOST_KEPT:,} elements stand beside the records and are kept, because an "
                "XPath looks out of its record: let the fields be taken from the record itself",
            )

    def end(self, element: Any, held: bool) -> None:
        """Note the text of an element that ends; one that held records is forgotten."""
        made = self._open.pop()
        if held:
            self._kept -= sum(1 for _ in made.iter())
            self.drop(made)
            return
        if (unknown := next(element.iter(etree.Entity), None)) is not None:
            raise UnreadableFile("not_this_format", f"the entity {unknown.text} is not defined")
        made.text = element.text

    def place(self, record: Any) -> Any:
        """Return a record in its place among what stands around it."""
        if not self._open:
            return record
        placed = deepcopy(record)
        placed.tail = None
        self._open[-1].append(placed)
        return placed

    @staticmethod
    def drop(made: Any) -> None:
        """Forget an element."""
        if (parent := made.getparent()) is not None:
            parent.remove(made)


def _elements(stream: BinaryIO, form: Format, spaces: dict[str, str]) -> Iterator[Any]:
    """Yield each element that the path leads to, when it is complete; what was passed is forgotten."""
    path = split_path(form.records)
    matches = path.matcher(spaces)
    condition = etree.XPath(f"boolean(self::node(){path.condition})", namespaces=spaces or None)
    looks_out = any(looks_outside(xpath) for xpath in (path.condition, *(field.at for field in form.fields)))
    around = _Around() if looks_out else None
    names: list[str] = []
    holds: list[bool] = []  # whether records were found in each open element
    seen: dict[str, None] = {}
    passed: Any = None  # the last element to forget: the parser may need it until the next event
    inside = found = 0
    for event, element in parse(stream, "the file", None, ("start", "end"), form.encoding or None):
        if passed is not None:
            passed.getparent().remove(passed)
            passed = None
        if event == "start":
            if element.tag[0] != "{" and ":" in element.tag:  # the parser goes on after that
                raise UnreadableFile(
                    "not_this_format", f"the document declares no namespace for the prefix of {element.tag!r}"
                )
            names.append(element.tag)
            holds.append(False)
            if len(seen) < _SHOWN_NAMES:
                seen[element.tag] = None
            if inside or matches(names):
                inside += 1
            elif around:
                around.start(element)
            continue
        names.pop()
        held = holds.pop()
        if inside > 1:
            inside -= 1
            continue
        if inside == 1:
            inside, held = 0, True
            record = around.place(element) if around else element
            if condition(record):
                found += 1
                yield record
            if around:
                around.drop(record)
        elif around:
            around.end(element, held)
        if holds and held:
            holds[-1] = True
        if element.getparent() is not None:
            element.clear(keep_tail=True)
            passed = element
    if not found:
        raise UnreadableFile(
            "no_records",
            f"XPath {form.records} finds no record; the document begins with the elements {', '.join(seen)}",
        )
