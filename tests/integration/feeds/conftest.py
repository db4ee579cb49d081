"""What tests of figures share: a file mapped by the product, and the file read by the standard library."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from caregrid.feeds import load_feed
from caregrid.mapping import Reject, inspect_file, map_batch, read
from caregrid.paths import feeds_base

MappedFile = Callable[[str, str, str], tuple[pl.DataFrame, list[Reject], int, int]]
Records = Callable[..., Iterator[dict[str, str]]]


@pytest.fixture(scope="session")
def mapped_file() -> MappedFile:
    """Return a function (feed, output, file) → rows, rejects, output rows filtered, records received."""
    return _mapped


@pytest.fixture(scope="session")
def records() -> Records:
    """Return a function (file, encoding) → records of a delimited file, gzipped or not, as dicts of text."""
    return _records


@cache
def _mapped(feed_name: str, output_name: str, file: str) -> tuple[pl.DataFrame, list[Reject], int, int]:
    feed = load_feed(feed_name)
    output = next(output for output in feed.outputs if output.name == output_name)
    path = feeds_base() / file
    sources = [feed.sources[name] for name in output.sources]
    source = next(source for source in sources if source.path and Path(file).match(source.path))
    context = inspect_file(feed, source, path, file_name=path.name)
    rows, rejects, filtered, received = [], [], 0, 0
    for batch in read(source, path):
        part = map_batch(feed, output, batch, context)
        rows.append(part.rows)
        rejects += [*batch.rejects, *part.rejects]
        filtered += part.filtered.height
        received += batch.received_lines.len()
        assert part.produced == part.rows.height + len(part.rejects) + part.filtered.height
    return pl.concat(rows), rejects, filtered, received


def _records(file: str, encoding: str = "utf-8") -> Iterator[dict[str, str]]:
    path = feeds_base() / file
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    yield from csv.DictReader(io.StringIO(raw.decode(encoding), newline=""))
