"""A feed as the rest of CareGrid sees it: identity, cadence, sources and outputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Keys of a source that say where its files come from, and nothing of what is in them.
_WHERE = ("path", "url", "query", "connection", "paging")


@dataclass(frozen=True)
class FormatField:
    """A column of a format that names none: where in a record it stands."""

    name: str
    at: str  # xml: an XPath; fixed: positions from 1, such as 1-8
    separator: str | None = None  # xml: joins several nodes; without it they are a reject


@dataclass(frozen=True)
class Format:
    """How the bytes of a source are read. `header` is True (first record) or the names of the columns."""

    type: str  # one of feeds.formats.FORMATS
    delimiter: str = ","
    encoding: str = "utf-8"  # xml: "" is what the document says
    decimal: str = "."
    thousands: str | None = None
    quote: str | None = '"'
    skip_rows: int = 0
    header: bool | tuple[str, ...] = True
    # json: dotted path to the array, "" the document itself, "." one record; xml: XPath of the records
    records: str = ""
    fields: tuple[FormatField, ...] = ()  # xml, fixed
    namespaces: tuple[tuple[str, str], ...] = ()  # xml: prefix of the XPaths, namespace
    short_lines: bool = False  # fixed: lines may have lost the blanks at their end
    positions: str = "characters"  # fixed: what is counted, characters | bytes
    resolve: tuple[str, ...] = ()  # fhir: references to follow
    sheet: str | int | None = None  # xlsx: name, or number from 1; None is the only one that is visible
    header_rows: int = 1  # xlsx: rows that the heading takes


@dataclass(frozen=True)
class Source:
    """One kind of file that a feed receives, and what is known about all its files."""

    feed: str
    name: str
    path: str | None
    url: str | None
    member: str | None
    format: Format
    missing: tuple[str, ...]
    suppressed: tuple[str, ...]
    not_applicable: tuple[str, ...]
    published_at: Mapping[str, Any]
    known_at: Mapping[str, Any]
    complete: bool
    query: str | None = None  # SQL, instead of a url
    connection: str | None = None  # id of the Airflow connection that holds the credentials
    paging: Mapping[str, Any] | None = None  # how an https address leads to its next page
    # The records are events, told apart by these columns, by file and line where there are none; None: no
    # events.
    events: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Output:
    """One contract filled from one or several sources. `spec` is the validated YAML of the output."""

    name: str
    contract: str
    sources: tuple[str, ...]
    spec: Mapping[str, Any]

    @property
    def on_conflict(self) -> str:
        """Return what to do with one key and two values in one file: reject, sum or last."""
        return str(self.spec.get("on_conflict", "reject"))


@dataclass(frozen=True)
class Feed:
    """One YAML file of dags/feeds/."""

    name: str
    file: Path
    title: Mapping[str, str]
    owner_id: str
    owner_name: str
    visibility: str
    country: str
    timezone: str
    schedule: str | None
    expected_every: str | None  # ISO 8601 duration
    lateness_tolerance: str | None  # ISO 8601 duration
    licence: str
    provenance: str
    tags: tuple[str, ...]
    sources: Mapping[str, Source]
    outputs: tuple[Output, ...]
    left_out: tuple[Mapping[str, str], ...]
    constants_checked: tuple[str, ...]
    data: Mapping[str, Any] = field(repr=False)  # the whole validated YAML

    def outputs_of(self, source: str) -> tuple[Output, ...]:
        """Return the outputs that take records of a source."""
        return tuple(output for output in self.outputs if source in output.sources)

    def mapping(self, source: str) -> dict[str, Any]:
        """Return, as JSON-ready data, all that decides how files of a source are mapped."""
        from caregrid.contracts import contract_versions

        outputs = [dict(output.spec) for output in self.outputs_of(source)]
        used = sorted({output.contract for output in self.outputs_of(source)})
        described = {key: value for key, value in self.data["sources"][source].items() if key not in _WHERE}
        return {
            "timezone": self.timezone,
            "country": self.country,
            "source": described,
            "outputs": outputs,
            "constants_checked": list(self.constants_checked),
            "contracts": {name: version for name, version in contract_versions().items() if name in used},
        }

    def mapping_version(self, source: str) -> str:
        """Return a digest that changes when, and only when, the mapping of a source's files may."""
        canonical = json.dumps(self.mapping(source), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
