"""The formats a source may have: which keys of `format` say something about each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FormatKind:
    """What the rest of CareGrid must know of one format.

    keys: of `format` in the YAML, beside type, decimal and thousands, which every format has.
    required: those without which the file cannot be read.
    names_columns: the YAML names them all, as `fields`.
    has_heading: the file names its columns in a record of its own, which may be there without any other.
    """

    keys: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    has_heading: bool = False
    names_columns: bool = False


_DELIMITED = FormatKind(("delimiter", "encoding", "quote", "skip_rows", "header"), has_heading=True)

FORMATS: dict[str, FormatKind] = {
    "csv": _DELIMITED,
    "tsv": _DELIMITED,
    "json": FormatKind(("encoding", "records")),
    "ndjson": FormatKind(("encoding",)),
    "parquet": FormatKind(),
    "orc": FormatKind(),
    "avro": FormatKind(),
    "xml": FormatKind(
        ("encoding", "records", "fields", "namespaces"), required=("records", "fields"), names_columns=True
    ),
    "fixed": FormatKind(
        ("encoding", "skip_rows", "fields", "short_lines", "positions"), ("fields",), names_columns=True
    ),
    "fhir": FormatKind(("encoding", "resolve")),
    "fhir_ndjson": FormatKind(("encoding", "resolve")),
    "hl7": FormatKind(("encoding",)),
    "xlsx": FormatKind(("sheet", "skip_rows", "header", "header_rows"), has_heading=True),
}
COMMON_KEYS = ("type", "decimal", "thousands")


def span(positions: str) -> tuple[int, int]:
    """Return the first and last position that a text such as 1-8, or 9 alone, names. Raises ValueError."""
    first, _, last = positions.partition("-")
    start, end = int(first), int(last or first)
    if not 0 < start <= end:
        raise ValueError(positions)
    return start, end
