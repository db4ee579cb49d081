"""Reads FHIR R4: a resource, a bundle, newline-delimited resources, or an archive of them, as one collection.

The collection is what references are looked up in; a record is one place, or one figure of a report. Records
are numbered through the whole file. Only what fhir_rows.READ names is read: nothing about a patient is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from caregrid.feeds.model import Source
from caregrid.mapping.readers import content, json_stream
from caregrid.mapping.readers.containers import every_content
from caregrid.mapping.readers.content import NOTHING_READ, batch_lines, text_blocks, text_lines
from caregrid.mapping.readers.fhir_rows import (
    PLACES,
    PatientData,
    Resolve,
    Resource,
    Row,
    base_columns,
    kind_of,
    rows_of,
)
from caregrid.mapping.readers.structured import frame_of, loads
from caregrid.mapping.types import RecordBatch, Reject, UnreadableFile

# Longer documents are bundles whose entries are read one by one, where they can be.
_HELD = 16 * 2**20
_BUNDLE = re.compile(r'"resourceType"\s*:\s*"Bundle"')


def read_fhir(source: Source, path: Path, batch_rows: int) -> Iterator[RecordBatch]:
    """Yield records in the order of the file.

    Raises UnreadableFile: not_this_format, error_text, no_records, no_member.
    """
    follow = source.format.resolve
    places = _Places(source, path) if follow else _Places()
    columns: dict[str, None] = {}
    rows: list[Row] = []
    lines: list[int] = []
    rejects: list[Reject] = []
    number, characters, yielded = 0, 0, False

    def batch() -> RecordBatch:
        columns.update(dict.fromkeys(base_columns({str(row["resourceType"]) for row in rows})))
        return RecordBatch(pl.Series("line", lines, pl.Int32), frame_of(rows, list(columns)), rejects)

    for found in _resources(source, path):
        made: list[Row | Reject]
        if isinstance(found, _Bad):
            made = [_reject(found.code, found.message)]
        else:
            try:
                made = list(rows_of(found.resource, places.resolver(), follow))
            except PatientData as problem:
                kind = str(found.resource.get("resourceType"))
                made = [_reject("patient_data", str(problem), {"resourceType": kind})]
        for one in made:
            number += 1
            if isinstance(one, Reject):
                rejects.append(Reject(number, "", "", one.reasons, one.record))
            else:
                rows.append(one)
                lines.append(number)
                columns.update(dict.fromkeys(one))
                characters += sum(len(text or "") for text in one.values())
            full = (
                len(rows) + len(rejects) >= batch_lines(batch_rows, len(columns))
                or characters >= content.BATCH_CHARACTERS
            )
            # Until the first resource comes, no batch goes out: a file without any is refused whole.
            if full and (yielded or rows):
                yielded = True
                yield batch()
                rows, lines, rejects, characters = [], [], [], 0
        if not yielded and not rows and len(rejects) >= NOTHING_READ:
            break
    if rejects and not rows and not yielded:
        first = rejects[0].reasons[0]["message"]
        raise UnreadableFile("not_this_format", f"the file holds no FHIR resource that can be read: {first}")
    if rows or rejects or not yielded:
        yield batch()


class _Found:
    """A resource, and under which full address its bundle lists it."""

    def __init__(self, resource: Resource, url: str = "") -> None:
        self.resource, self.url = resource, url


class _Bad:
    """What stands where a resource should."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message


def _reject(code: str, message: str, record: dict[str, Any] | None = None) -> Reject:
    return Reject(0, "", "", [{"code": code, "field": "", "message": message}], record or {})


class _Places:
    """The places of a collection by every name that a reference may use."""

    def __init__(self, source: Source | None = None, path: Path | None = None) -> None:
        self._named: dict[str, Resource | None] = {}
        if source is None or path is None:
            return
        for found in _resources(source, path):
            if not isinstance(found, _Found) or found.resource.get("resourceType") not in PLACES:
                continue
            resource, kind = found.resource, str(found.resource["resourceType"])
            if resource.get("id"):
                self._add(f"{kind}/{resource['id']}", resource)
            if found.url:
                self._add(found.url, resource)
            for system, value in _identifiers(resource):
                self._add(f"{kind}|{system}|{value}", resource)

    def _add(self, name: str, resource: Resource) -> None:
        # Two resources of one name are one that was written twice, or a reference that means neither.
        known = self._named.setdefault(name, resource)
        if known is not None and known != resource:
            self._named[name] = None

    def resolver(self) -> Resolve:
        """Return what finds the resource that a reference means, for the resource in which it stands."""

        def resolve(reference: Any, inside: Resource) -> Resource | None:
            if not isinstance(reference, dict):
                return None
            text = str(reference.get("reference") or "").split("/_history/")[0]
            if text.startswith("#"):
                contained = inside.get("contained")
                parts = contained if isinstance(contained, list) else []
                return next(
                    (part for part in parts if isinstance(part, dict) and part.get("id") == text[1:]), None
                )
            if text:
                return self._named.get(text) or self._named.get("/".join(text.split("/")[-2:]))
            identifier = reference.get("identifier")
            if not isinstance(identifier, dict):
                return None
            name = f"{identifier.get('system', '')}|{identifier.get('value', '')}"
            kinds = [kind_of(reference)] if kind_of(reference) else list(PLACES)
            means = [self._named[f"{kind}|{name}"] for kind in kinds if self._named.get(f"{kind}|{name}")]
            return means[0] if len(means) == 1 else None

        return resolve


def _identifiers(resource: Resource) -> list[tuple[str, str]]:
    listed = resource.get("identifier")
    return [
        (str(item.get("system", "")), str(item["value"]))
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict) and item.get("value")
    ]


def _resources(source: Source, path: Path) -> Iterator[_Found | _Bad]:
    """Yield every resource of the file, those within bundles one by one; contained ones belong to theirs."""
    for name, stream in every_content(source, path):
        at = f"{name}: " if name else ""
        pieces = text_blocks(stream, source.format.encoding)
        if source.format.type == "fhir":
            begin = _begin(pieces)
            if not name and _is_long_bundle(begin):
                yield from _streamed(chain([begin], pieces))
                continue
            text = begin + "".join(pieces)
            try:
                document = loads(text)
            except ValueError as error:
                problem = _no_json(text, at, error)
                if not name:
                    raise problem from error
                yield _Bad("malformed_json", problem.reason)
                continue
            yield from _opened(document, at, whole=True)
            continue
        for number, text in enumerate(chain.from_iterable(text_lines(pieces)), 1):
            if not text.strip():
                continue
            try:
                document = loads(text)
            except ValueError as error:
                yield _Bad("malformed_json", f"{at}line {number} is no JSON: {error}")
                continue
            yield from _opened(document, f"{at}line {number}: ", whole=False)


def _begin(pieces: Iterator[str]) -> str:
    """Take as much of a document as is parsed at once, or all of it."""
    taken: list[str] = []
    length = 0
    for piece in pieces:
        taken.append(piece)
        length += len(piece)
        if length > _HELD:
            break
    return "".join(taken)


def _is_long_bundle(begin: str) -> bool:
    """Return whether a document is long, and says that it is a bundle before its entries come."""
    return len(begin) > _HELD and bool(_BUNDLE.search(begin.partition('"entry"')[0]))


def _streamed(pieces: Iterator[str]) -> Iterator[_Found | _Bad]:
    """Yield the resources of a bundle while it passes by: one entry is held at a time."""
    text = json_stream.Text(pieces)
    around: dict[str, Any] = {}
    try:
        yield from _entries(json_stream.elements(text, ["entry"], around), "")
    except json_stream.MalformedError as error:
        raise UnreadableFile("not_this_format", f"the file is no JSON: {error}") from error


def _no_json(text: str, at: str, error: ValueError) -> UnreadableFile:
    first = text.strip()
    if first[:1] not in "{[" and "\n" not in first:
        return UnreadableFile("error_text", f"{at}a line of text came instead of FHIR")
    lines = " (newline-delimited resources want format: {type: fhir_ndjson})" if "}\n{" in first else ""
    return UnreadableFile("not_this_format", f"{at}the file is no JSON: {error}{lines}")


def _opened(document: Any, at: str, whole: bool, url: str = "") -> Iterator[_Found | _Bad]:
    kind = document.get("resourceType") if isinstance(document, dict) else None
    if not isinstance(kind, str) or not kind:
        if whole:
            raise UnreadableFile(
                "not_this_format", f"{at}the document is no FHIR resource: it has no resourceType"
            )
        yield _Bad("no_resource", f"{at}there is no resourceType")
    elif kind == "OperationOutcome":
        if whole:
            raise UnreadableFile("error_text", f"{at}the server answered: {_outcome(document)}")
        yield _Bad("server_error", f"{at}the server answered: {_outcome(document)}")
    elif kind == "Bundle":
        entries = document.get("entry", [])
        if not isinstance(entries, list):
            raise UnreadableFile("no_records", f"{at}the entries of the bundle are no list")
        yield from _entries(entries, at)
    else:
        yield _Found(document, url)


def _entries(entries: Iterable[Any], at: str) -> Iterator[_Found | _Bad]:
    for number, entry in enumerate(entries, 1):
        inner = entry.get("resource") if isinstance(entry, dict) else None
        here = f"{at}entry {number}: "
        if inner is None:
            yield _Bad("no_resource", f"{here}the entry holds no resource")
        else:
            yield from _opened(inner, here, whole=False, url=str(entry.get("fullUrl") or ""))


def _outcome(outcome: Resource) -> str:
    """Return severity and code of what a server could not do; its free text may name a person."""
    issues = outcome.get("issue")
    told = [
        f"{issue.get('severity', 'error')} {issue.get('code', 'unknown')}"
        for issue in (issues if isinstance(issues, list) else [])
        if isinstance(issue, dict)
    ]
    return ", ".join(told) or "an outcome without an issue"
