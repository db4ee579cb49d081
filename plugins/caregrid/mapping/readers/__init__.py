"""Readers: the bytes of a landed file as batches of records."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caregrid.feeds.model import Source
from caregrid.mapping.readers.content import archive_members, open_content, read_bytes
from caregrid.mapping.readers.delimited import read_delimited
from caregrid.mapping.readers.fhir import read_fhir
from caregrid.mapping.readers.hl7 import read_hl7
from caregrid.mapping.readers.structured import read_json, read_ndjson, read_parquet
from caregrid.mapping.types import RecordBatch

BATCH_ROWS = 50_000


def members(source: Source, path: Path) -> list[str]:
    """Return the zip members the source names, sorted; [] for a file that is no zip."""
    if source.format.type.startswith("fhir"):  # references lead from one member to another
        return []
    return archive_members(source, path)


def read(
    source: Source, path: Path, *, member: str = "", batch_rows: int = BATCH_ROWS
) -> Iterator[RecordBatch]:
    """Yield the records of a file in order, `batch_rows` at a time; at least one batch, maybe without rows.

    Args:
        source: how the file is written.
        path: the landed file; gzip and zip are told by content, so its name does not matter.
        member: of a zip; '' takes the first that the source names.
        batch_rows: physical lines (delimited) or records per batch. The records do not depend on it.

    Raises:
        UnreadableFile: at once or in the middle, when the file cannot be read as the feed says.
    """
    form = source.format
    if form.type == "parquet":
        with _parquet_file(source, path, member) as file:
            yield from read_parquet(file, batch_rows)
        return
    if form.type.startswith("fhir"):
        yield from read_fhir(source, path, batch_rows)
        return
    with open_content(source, path, member) as stream:
        if form.type == "json":
            yield from read_json(stream, form, batch_rows)
        elif form.type == "hl7":
            yield from read_hl7(stream, form, batch_rows)
        elif form.type == "ndjson":
            yield from read_ndjson(stream, form, batch_rows)
        else:
            yield from read_delimited(stream, form, batch_rows)


@contextmanager
def _parquet_file(source: Source, path: Path, member: str) -> Iterator[Path]:
    """Give Parquet a file it can seek in: the landed one, or a temporary copy of what is compressed."""
    with path.open("rb") as stream:
        packed = stream.read(2) in (b"\x1f\x8b", b"PK")
    if not packed:
        yield path
        return
    with open_content(source, path, member) as stream, tempfile.NamedTemporaryFile(suffix=".parquet") as copy:
        while block := read_bytes(stream, 1 << 22):
            copy.write(block)
        copy.flush()
        yield Path(copy.name)
