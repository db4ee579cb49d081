"""Finds the records of an XML sample: elements that repeat and hold fields, and the XPaths of the fields."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from caregrid.drafts.words import best_of, means
from caregrid.mapping import UnreadableFile
from caregrid.mapping.readers.markup import parse

_MOST_ELEMENTS = 200_000
_MOST_FIELDS = 200
_NAME = re.compile(r"[\w.-]+")

_Path = tuple[str, ...]


@dataclass
class _Kind:
    """What was seen of the elements at one path from the root. texts: path below it → most in one element."""

    count: int = 0
    attributes: dict[str, None] = field(default_factory=dict)
    texts: Counter[_Path] = field(default_factory=Counter)
    now: Counter[_Path] = field(default_factory=Counter)
    # Tags right below the element that is open, in order; and pairs of which the first once came later.
    order: dict[str, None] = field(default_factory=dict)
    later: set[tuple[str, str]] = field(default_factory=set)


def xml_form(stream: BinaryIO, notes: list[str]) -> dict[str, Any]:
    """Return the `format` of an XML document. Raises UnreadableFile: no_records, or it is no whole XML."""
    kinds = _kinds(stream)
    path = _records(kinds)
    spaces: dict[str, str] = {}
    for at in kinds:
        for tag in at:
            if tag.startswith("{") and (uri := tag[1:].partition("}")[0]) not in spaces:
                spaces[uri] = f"n{len(spaces) + 1}"
    fields: dict[str, Any] = {}
    for above in range(1, len(path)):
        up = "../" * (len(path) - above)
        for attribute in kinds[path[:above]].attributes:
            _add(fields, _local(attribute), f"{up}@{_step(attribute, spaces)}", _local(path[above - 1]))
        for below in _standing_before(kinds[path[:above]], path[above]):
            xpath = up + "/".join(_step(tag, spaces) for tag in below)
            _add(fields, _named(below), xpath, _local(path[above - 1]))
    for attribute in kinds[path].attributes:
        _add(fields, _local(attribute), f"@{_step(attribute, spaces)}", _local(path[-1]))
    for below, most in kinds[path].texts.items():
        xpath = "/".join(_step(tag, spaces) for tag in below) or "."
        _add(
            fields,
            _named(below or path[-1:]),
            xpath if most == 1 else {"xpath": xpath, "separator": "; "},
            _local(path[-1]),
        )
    if any(isinstance(given, dict) for given in fields.values()):
        notes.append("fields: some elements stand several times in one record; they are joined")
    if len(fields) > _MOST_FIELDS:
        notes.append(
            f"fields: the records have {len(fields)} fields, of which the first {_MOST_FIELDS} are taken"
        )
    records = "/" + "/".join(_step(tag, spaces) for tag in path)
    notes.append(f"records: {kinds[path].count} elements {records} were taken for the records")
    form: dict[str, Any] = {"type": "xml"}
    if spaces:
        form["namespaces"] = {prefix: uri for uri, prefix in spaces.items()}
    return {**form, "records": records, "fields": dict(list(fields.items())[:_MOST_FIELDS])}


def _kinds(stream: BinaryIO) -> dict[_Path, _Kind]:
    """Look through the first elements of a document."""
    kinds: dict[_Path, _Kind] = {}
    open_now: list[str] = []
    leaf = True
    for seen, (event, element) in enumerate(parse(stream, "the sample", None, ("start", "end"))):
        if event == "start":
            open_now.append(element.tag)
            leaf = True
            kind = kinds.setdefault(tuple(open_now), _Kind())
            kind.count += 1
            kind.now.clear()
            kind.order.clear()
            if len(open_now) > 1:
                _note_order(kinds[tuple(open_now[:-1])], element.tag)
            kind.attributes |= dict.fromkeys(element.attrib)
            continue
        here = tuple(open_now)
        # What it holds belongs to every element around it as well, each of which may be the record.
        for above in range(1, len(here) + 1):
            around, inner = kinds[here[:above]], here[above:]
            found = [inner] if leaf and (element.text or "").strip() else []
            found += [(*inner, f"@{name}") for name in element.attrib] if inner else []
            for below in found:
                around.now[below] += 1
                around.texts[below] = max(around.texts[below], around.now[below])
        open_now.pop()
        leaf = False
        element.clear(keep_tail=True)
        if seen > _MOST_ELEMENTS:
            break
    return kinds


def _note_order(around: _Kind, tag: str) -> None:
    """Note behind which of its siblings an element stands."""
    around.later |= {(tag, sooner) for sooner in around.order if sooner != tag}
    around.order[tag] = None


def _standing_before(around: _Kind, inner: str) -> list[_Path]:
    """Return the single texts of an element that stand before the part with the records begins.

    What stands behind it is not known yet when a record is read, and so is no field of it.
    """
    return [
        below
        for below, most in around.texts.items()
        if most == 1 and below and below[0] != inner and (below[0], inner) not in around.later
    ]


def _records(kinds: dict[_Path, _Kind]) -> _Path:
    """Return the path of the elements that repeat most and hold two fields; of equals the outermost."""

    def own(path: _Path) -> int:
        return len(kinds[path].attributes) + sum(most == 1 for most in kinds[path].texts.values())

    found = [path for path, kind in kinds.items() if kind.count > 1 and len(path) > 1 and own(path) > 1]
    if not found:
        raise UnreadableFile("no_records", "no element of the document repeats and holds fields")
    return max(found, key=lambda path: (kinds[path].count, -len(path)))


def _add(fields: dict[str, Any], name: str, xpath: Any, around: str) -> None:
    name = name.lstrip("@")
    # A bare `id` or `name` is the name of what it stands in: of a hospital, a ward, a region.
    is_bare = best_of(name, "place")[0] is None and (means(name, "code") or means(name, "name"))
    if name in fields or (is_bare and best_of(around, "place")[0]):
        name = f"{around}.{name}"
    fields.setdefault(name, xpath)


def _named(below: _Path) -> str:
    return ".".join(map(_local, below)).replace(".@", ".")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _step(tag: str, spaces: dict[str, str]) -> str:
    """Return a tag or attribute, {namespace}name, as it is written in an XPath."""
    mark, tag = ("@", tag[1:]) if tag.startswith("@") else ("", tag)
    uri, _, name = tag[1:].partition("}") if tag.startswith("{") else ("", "", tag)
    if not _NAME.fullmatch(name):
        raise UnreadableFile("no_records", f"the name {name!r} cannot be written in an XPath")
    if uri and uri not in spaces:
        spaces[uri] = f"n{len(spaces) + 1}"
    return f"{mark}{spaces[uri]}:{name}" if uri else mark + name
