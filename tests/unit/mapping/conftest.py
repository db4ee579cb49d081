"""Helpers to map small texts and files through a feed's YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from caregrid.feeds import Feed, parse_feed
from caregrid.mapping import ROW_COLUMNS, Mapped, RecordBatch, Reject, inspect_file, map_batch, read

HEAD = """\
feed: small
name: {en: "Small", zh: "小"}
owner: {id: someone, name: "Someone"}
visibility: public
country: DE
timezone: Europe/Berlin
schedule: null
expected_every: null
lateness_tolerance: null
licence: "none"
provenance: "invented"
"""


@dataclass
class Outcome:
    batches: list[RecordBatch]
    results: list[Mapped]
    contract: str
    constant_columns: list[str] = field(default_factory=list)
    empty_columns: list[str] = field(default_factory=list)

    @property
    def rows(self) -> pl.DataFrame:
        frames = [result.rows for result in self.results]
        return pl.concat(frames) if frames else pl.DataFrame(schema=ROW_COLUMNS[self.contract])

    @property
    def rejects(self) -> list[Reject]:
        return [reject for result in self.results for reject in result.rejects]

    @property
    def unread(self) -> list[Reject]:
        return [reject for batch in self.batches for reject in batch.rejects]

    @property
    def reasons(self) -> list[tuple[int, str, str]]:
        return [
            (reject.line, reason["code"], reason["field"])
            for reject in self.rejects
            for reason in reject.reasons
        ]

    @property
    def filtered(self) -> pl.DataFrame:
        return pl.concat([result.filtered for result in self.results])


def make_feed(body: str, timezone: str = "Europe/Berlin") -> Feed:
    return parse_feed(Path("small.yml"), HEAD.replace("Europe/Berlin", timezone) + body)


def run(feed: Feed, path: Path, batch_rows: int = 50_000, file_name: str | None = None) -> Outcome:
    (source,) = feed.sources.values()
    context = inspect_file(feed, source, path, file_name=file_name or path.name)
    batches, results = [], []
    for batch in read(source, path, batch_rows=batch_rows):
        batches.append(batch)
        results += [map_batch(feed, output, batch, context) for output in feed.outputs]
    return Outcome(
        batches, results, feed.outputs[0].contract, context.constant_columns, context.empty_columns
    )


USAGE = """\
sources:
  s:
    path: small.csv
    format: {format}
    missing: ["", "-"]
    suppressed: ["*"]
    not_applicable: ["n/a"]
    published_at: {{value: "2030-01-01", assumed: true}}
    known_at: {{period_end_plus: P1D}}
outputs:
  - name: out
    contract: usage
    source: s
    place: {{level: facility, system: small, code: id}}
    period: {period}
    service_or_resource: bed
    values: {values}
{more}"""
DAY = '{column: day, format: "%Y-%m-%d", role: label, grain: day}'
OCCUPIED = "[{column: n, measure: occupied, statistic: snapshot}]"


def usage(
    values: str = OCCUPIED,
    period: str = DAY,
    form: str = "{type: csv}",
    more: str = "",
    timezone: str = "Europe/Berlin",
) -> Feed:
    return make_feed(USAGE.format(format=form, period=period, values=values, more=more), timezone)


class Small:
    """What tests map: feeds made of a few lines, texts of a few records."""

    day, occupied = DAY, OCCUPIED
    feed = staticmethod(make_feed)
    usage = staticmethod(usage)
    run = staticmethod(run)

    @staticmethod
    def text(form: str) -> str:
        """Return the YAML of the usage feed for a format."""
        return HEAD + USAGE.format(format=form, period=DAY, values=OCCUPIED, more="")

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def map(self, feed: Feed, text: str | bytes, **options: Any) -> Outcome:
        """Map a text as the file small.csv."""
        path = self.directory / "small.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return run(feed, path, **options)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return Small(tmp_path_factory.mktemp("small"))


@pytest.fixture
def read_records(tmp_path: Path, small: Any) -> Any:
    """Return a function that reads content in a format: ([(line, record)], [reject])."""

    def reading(content: bytes, form: str, batch_rows: int = 50_000) -> Any:
        path = tmp_path / "file"
        path.write_bytes(content)
        (source,) = small.usage(form=form).sources.values()
        batches = list(read(source, path, batch_rows=batch_rows))
        records = [
            (line, record)
            for batch in batches
            for line, record in zip(batch.lines, batch.frame.to_dicts(), strict=True)
        ]
        return records, [reject for batch in batches for reject in batch.rejects]

    return reading
