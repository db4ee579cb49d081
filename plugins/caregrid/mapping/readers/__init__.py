"""Readers: the bytes of a landed file as batches of records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from caregrid.feeds.model import Format, Source
from caregrid.mapping.readers.avro import read_avro
from caregrid.mapping.readers.containers import archive_members, open_content, seekable_file
from caregrid.mapping.readers.delimited import read_delimited
from caregrid.mapping.readers.fhir import read_fhir
from caregrid.mapping.readers.fixed_width import read_fixed_width
from caregrid.mapping.readers.hl7 import read_hl7
from caregrid.mapping.readers.json_lines import read_ndjson
from caregrid.mapping.readers.orc import read_orc
from caregrid.mapping.readers.structured import read_json, read_parquet
from caregrid.mapping.readers.xlsx import read_xlsx
from caregrid.mapping.readers.xml_records import read_xml
from caregrid.mapping.types import RecordBatch

BATCH_ROWS = 50_000

# Formats that are read from beginning to end, and formats whose readers seek in a file.
_ON_STREAM: dict[str, Callable[[BinaryIO, Format, int], Iterator[RecordBatch]]] = {
    "csv": read_delimited,
    "tsv": read_delimited,
    "ndjson": read_ndjson,
    "xml": read_xml,
    "avro": read_avro,
    "fixed": read_fixed_width,
    "hl7": read_hl7,
}
_ON_FILE: dict[str, Callable[[Path, Format, int], Iterator[RecordBatch]]] = {
    "parquet": read_parquet,
    "orc": read_orc,
    "xlsx": read_xlsx,
}


def members(source: Source, path: Path) -> list[str]:
    """Return the members of an archive that the source names, sorted; [] for a file that is none."""
    if source.format.type.startswith("fhir"):  # references lead from one member to another
        return []
    return archive_members(source, path)


def read(
    source: Source, path: Path, *, member: str = "", batch_rows: int = BATCH_ROWS
) -> Iterator[RecordBatch]:
    """Yield the records of a file in order, `batch_rows` at a time; at least one batch, maybe without rows.

    Args:
        source: how the file is written.
        path: the landed file; archives and compression are told by content, so its name does not matter.
        member: of an archive; '' takes the first that the source names.
        batch_rows: physical lines (delimited) or records per batch. The records do not depend on it.

    Raises:
        UnreadableFile: at once or in the middle, when the file cannot be read as the feed says.
    """
    form = source.format
    if form.type.startswith("fhir"):
        yield from read_fhir(source, path, batch_rows)
    elif form.type == "json":
        yield from read_json(lambda: open_content(source, path, member), form, batch_rows)
    elif form.type in _ON_FILE:
        with seekable_file(source, path, member) as file:
            yield from _ON_FILE[form.type](file, form, batch_rows)
    else:
        with open_content(source, path, member) as stream:
            yield from _ON_STREAM[form.type](stream, form, batch_rows)
