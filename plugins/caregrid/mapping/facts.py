"""Finds what must be known of a whole file before mapping: header, publication, constants, order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from caregrid.feeds.formats import FORMATS
from caregrid.feeds.model import Feed, Output, Source
from caregrid.feeds.times import parse_duration
from caregrid.mapping.cells import moment_cell
from caregrid.mapping.columns import Need, absent, describe_absent, needs_of_source
from caregrid.mapping.periods import TimeProblem, read_moment
from caregrid.mapping.readers import read
from caregrid.mapping.table import Table, cleaned
from caregrid.mapping.times import hours_key, repeated_hour_keys
from caregrid.mapping.types import FileContext, RecordBatch, UnreadableFile


def inspect_file(
    feed: Feed,
    source: Source,
    path: Path,
    *,
    file_name: str,
    member: str = "",
    last_modified: datetime | None = None,
) -> FileContext:
    """Return what is known about a file, from its beginning, or from all of it where the feed asks for that.

    Args:
        feed: as loaded.
        source: one of its sources.
        path: the landed bytes.
        file_name: the name it was published under (of the zip member, where there is one).
        member: of a zip.
        last_modified: aware; what the transport said, for `published_at: {last_modified: true}`.

    Raises:
        UnreadableFile: what `read` raises; also missing_column, no_rows, error_text, no_time.
    """
    needs = needs_of_source(feed, source)
    batches = read(source, path, member=member)
    first = next(batches)
    whole = _needs_whole(feed, source)
    columns = list(first.frame.columns)
    facts = _Facts(feed, source, file_name, columns)
    unseen = source.format.type == "xml" and len(columns) < len(source.format.fields)
    # a key may first appear in the last record
    if source.format.type in ("ndjson", "fhir", "fhir_ndjson") or unseen:
        # where none does, the facts are found in the same reading
        at_once = whole and not absent(needs, columns)
        grown = dict.fromkeys(columns)
        for batch in chain([first], batches):
            grown.update(dict.fromkeys(batch.frame.columns))
            at_once = at_once and len(grown) == len(columns)
            if at_once:
                facts.add(batch)
        whole, batches = whole and not at_once, iter([])
        if not at_once:
            columns = list(grown)
            facts = _Facts(feed, source, file_name, columns)
            batches = read(source, path, member=member)
            first = next(batches)
    _check_columns(feed, source, needs, columns, first, lambda: chain([first], batches))
    if whole:
        for batch in chain([first], batches):
            facts.add(batch)
    facts.finish(last_modified)
    return facts.context


def _needs_whole(feed: Feed, source: Source) -> bool:
    return (
        bool(feed.constants_checked)
        or "column" in source.published_at
        or any(_ordered_periods(output) for output in feed.outputs_of(source.name))
    )


def _ordered_periods(output: Output) -> list[dict[str, Any]]:
    from caregrid.contracts import contracts
    from caregrid.mapping.values import expand_values

    if contracts()[output.contract].values != "measures":
        return []
    found = [value["period"] for value in expand_values(output, [])]
    ordered = [spec for spec in found if spec.get("ambiguous") == "in_order"]
    return list({hours_key(output, spec): spec for spec in ordered}.values())


def _separates(line: str) -> bool:
    """Return whether a heading that came as one column seems to be of several."""
    return any(line.count(mark) > 1 for mark in ",;|\t")


def _check_columns(
    feed: Feed, source: Source, needs: list[Need], columns: list[str], first: RecordBatch, batches: Any
) -> None:
    empty = first.frame.height == 0 and not first.rejects
    gone = absent(needs, columns)
    required = [need for need in needs if not need.optional]
    if empty and not FORMATS[source.format.type].has_heading:
        raise UnreadableFile("no_rows", "the file holds no record")
    if len(columns) == 1 and gone and len(gone) == len(required):
        raise UnreadableFile(
            "error_text",
            f"a line of text came instead of this feed's columns: {columns[0][:120]!r}"
            + ("; if it is the heading, correct format: delimiter" if _separates(columns[0]) else ""),
        )
    if gone and empty and len(gone) == len(required):
        raise UnreadableFile(
            "error_text", f"no column of this feed; the heading is {', '.join(columns)[:120]!r}"
        )
    if gone:
        words = describe_absent(gone, needs, columns)
        asked = {field.name: field.at for field in source.format.fields}
        words += "".join(
            f"; no record has what {name!r} takes by XPath {asked[name]}"
            for name in dict.fromkeys(name for need in gone for name in need.names if name in asked)
        )
        unknown = _unknown_codes(feed, source, columns, batches())
        raise UnreadableFile(
            "missing_column", words + (f"; codes the feed does not map: {unknown}" if unknown else "")
        )
    if empty:
        raise UnreadableFile("no_rows", "the file holds a heading and no record")


def _unknown_codes(feed: Feed, source: Source, columns: list[str], batches: Iterator[RecordBatch]) -> str:
    """Return the codes of the first records that no map knows, so that one repair can cover all."""
    maps: list[tuple[str, set[str]]] = []

    def collect(spec: Any) -> None:
        if isinstance(spec, list):
            for item in spec:
                collect(item)
        if isinstance(spec, dict):
            if "map" in spec and "column" in spec and spec.get("otherwise", "reject") == "reject":
                names = [spec["column"]] if isinstance(spec["column"], str) else spec["column"]
                maps.extend((name, set(spec["map"])) for name in names if name in columns)
            for item in spec.values():
                collect(item)

    for output in feed.outputs_of(source.name):
        collect(dict(output.spec))
    found: dict[str, set[str]] = {}
    for _, batch in zip(range(4), batches, strict=False):
        for name, known in maps:
            if name in batch.frame.columns:
                texts = cleaned(batch.frame[name]).unique().to_list()
                found.setdefault(name, set()).update(set(texts) - known - set(source.missing) - {""})
    return "; ".join(f"{', '.join(sorted(codes)[:10])} in {name!r}" for name, codes in found.items() if codes)


class _Facts:
    """Gathers facts over all batches of a file."""

    def __init__(self, feed: Feed, source: Source, file_name: str, columns: list[str]) -> None:
        self.feed, self.source = feed, source
        context = FileContext(source.name, file_name, datetime.min.replace(tzinfo=UTC), True, columns)
        self.context = context
        self.newest: datetime | None = None
        self.constants: dict[str, set[str]] = {
            name: set() for name in feed.constants_checked if name in context.columns
        }
        self.records = 0
        self.hours: dict[str, Counter[str]] = {}
        self.ordered = {
            hours_key(output, period): (output, period)
            for output in feed.outputs_of(source.name)
            for period in _ordered_periods(output)
        }

    def add(self, batch: RecordBatch) -> None:
        """Take in one batch."""
        table = Table(self.feed, self.source, batch, self.context)
        self.records += batch.frame.height
        if "column" in self.source.published_at and batch.frame.height:
            newest: Any = moment_cell(table, dict(self.source.published_at), "published_at").series.max()
            if newest is not None and (self.newest is None or newest > self.newest):
                self.newest = newest
        for name, seen in self.constants.items():
            if len(seen) < 2:
                seen.update(
                    value
                    for value in table.text(name).unique().head(3).to_list()
                    if value not in self.source.missing
                )
        for name, (output, period) in self.ordered.items():
            rows = table
            if "where" in output.spec:
                rows = table.filter(table.evaluate(output.spec["where"]).fill_null(False).cast(pl.Boolean))
            keys = repeated_hour_keys(rows, output, period).drop_nulls()
            self.hours.setdefault(name, Counter()).update(keys.to_list())

    def finish(self, last_modified: datetime | None) -> None:
        """Write what was found into the context."""
        self.context.constant_columns = [
            name for name, seen in self.constants.items() if len(seen) == 1 and self.records > 1
        ]
        for name, hours in self.hours.items():
            self.context.state[("repeated_hours", name)] = dict(hours)
        self.context.published_at, self.context.published_at_is_assumed = self._published(last_modified)

    def _published(self, last_modified: datetime | None) -> tuple[datetime, bool]:
        spec, zone = self.source.published_at, ZoneInfo(self.feed.timezone)
        plus = parse_duration(spec.get("plus", "PT0S"))
        if "value" in spec:
            formats = ["iso8601"] if "format" not in spec else _listed(spec["format"])
            return read_moment(str(spec["value"]), formats, zone) + plus, bool(spec.get("assumed", True))
        if "column" in spec:
            if self.newest is None:
                raise UnreadableFile("no_time", f"no record has a time of publication in {spec['column']!r}")
            return self.newest, False
        if "file_name" in spec:
            match = re.search(spec["file_name"], self.context.file_name)
            if match is None:
                raise UnreadableFile(
                    "no_time",
                    f"the file name {self.context.file_name!r} does not match {spec['file_name']!r}",
                )
            try:
                return read_moment(match[1], _listed(spec["format"]), zone) + plus, bool(
                    spec.get("assumed", False)
                )
            except TimeProblem as error:
                raise UnreadableFile(
                    "no_time", f"the file name {self.context.file_name!r}: {error}"
                ) from error
        if last_modified is None:
            raise UnreadableFile("no_time", "the transport gave no time of last modification")
        return last_modified.astimezone(UTC) + plus, True


def _listed(formats: Any) -> list[str]:
    return [formats] if isinstance(formats, str) else list(formats)
