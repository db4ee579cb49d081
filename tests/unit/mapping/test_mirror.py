"""The real files of the mirror, in all their encodings, through the feeds of the repository."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import polars as pl
import pytest
from caregrid.feeds import Feed, Source, load_feeds
from caregrid.loading.preview import source_files
from caregrid.mapping import UnreadableFile, inspect_file, map_batch, members, read
from caregrid.paths import feeds_base

BASE = feeds_base()
pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(
        not (BASE / "README.md").is_file(), reason="the mirror of the real feeds is not on this machine"
    ),
]


def sources() -> list[tuple[Feed, Source]]:
    """Return every source of the repository's feeds that reads real files."""
    return [
        (feed, source)
        for feed in load_feeds().values()
        for source in feed.sources.values()
        if source.path and feed.data.get("base") != "simulated"
    ]


def independent_count(path: Path, source: Source) -> int:
    """Count the records of a delimited file with Python's csv module alone."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode(
        source.format.encoding
    )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=source.format.delimiter)
    return sum(1 for record in reader if record) - (source.format.header is True)


@pytest.mark.parametrize(("feed", "source"), sources(), ids=lambda item: item.name)
def test_the_first_file_of_every_source_maps_without_loss(feed: Feed, source: Source) -> None:
    path = source_files(feed, source)[0]
    member = next(iter(members(source, path)), "")
    name = f"{path.name}/{member}" if member else path.name
    context = inspect_file(feed, source, path, file_name=name, member=member)
    attempted = refused = received = 0
    for batch in read(source, path, member=member):
        received += len(batch.received_lines)
        for output in feed.outputs_of(source.name):
            mapped = map_batch(feed, output, batch, context)
            rows, rejects, filtered = mapped.rows.height, len(mapped.rejects), mapped.filtered.height
            assert mapped.produced == rows + rejects + filtered
            attempted += mapped.produced
            refused += rejects
    assert attempted >= received > 0
    assert refused <= 0.05 * attempted
    if source.format.type in ("csv", "tsv") and not member:
        assert received == independent_count(path, source)


@pytest.mark.parametrize(
    ("file", "right", "wrong", "code"),
    [
        ("tw_mohw_hospital_beds_2015/Hospital-BedSize.csv.gz", "utf-16", "utf-8", "undecodable"),
        ("ca_quebec_er_snapshot/urgence_time.csv", "latin-1", "utf-8", "undecodable"),
    ],
)
def test_a_wrong_encoding_is_refused(file: str, right: str, wrong: str, code: str) -> None:
    from caregrid.feeds.model import Format

    def frames(encoding: str) -> list[pl.DataFrame]:
        source = Source(
            "f", "s", None, None, None, Format("csv", encoding=encoding), ("",), (), (), {}, {}, False
        )
        return [batch.frame for batch in read(source, BASE / file)]

    assert sum(frame.height for frame in frames(right)) > 100
    with pytest.raises(UnreadableFile) as refused:
        frames(wrong)
    assert refused.value.code == code
