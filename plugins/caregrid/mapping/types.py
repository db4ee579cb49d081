"""What passes between reading, mapping and loading: batches of records, mapped rows, rejects, file facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

UTC_TIME = pl.Datetime("us", "UTC")
JSON_TEXT = pl.String  # compact JSON with sorted keys, ready for a jsonb column

# Columns every mapped frame begins with: where the row came from and what place it is about. The loader
# exchanges (id_system, place_level, code) for place_id in its registry.
ORIGIN_COLUMNS: dict[str, Any] = {"line": pl.Int32, "value_name": pl.String}
PLACE_COLUMNS: dict[str, Any] = {
    "id_system": pl.String,
    "place_level": pl.String,
    "code": pl.String,
    "place_name": pl.String,  # null when the source gives none
    "country_code": pl.String,  # of the row, else the feed's
    "timezone": pl.String,  # IANA name
}
# What a series is a series of; the loader exchanges it (with feed and place) for series_id.
SERIES_COLUMNS: dict[str, Any] = {
    "service_or_resource": pl.String,
    "measure": pl.String,
    "statistic": pl.String,
    "unit": pl.String,
    "grain": pl.String,
    "week_ends_on": pl.Int16,  # ISO weekday 1-7 of a week's last day; null for other grains
    "dimensions": JSON_TEXT,
    "total_over": pl.List(pl.String),  # sorted, never null
    "subset_of": pl.String,
}
KNOWN_COLUMNS: dict[str, Any] = {"known_at": UTC_TIME, "known_at_is_assumed": pl.Boolean}
PERIOD_COLUMNS: dict[str, Any] = {"period_start": UTC_TIME, "period_end": UTC_TIME}
PUBLISHED_COLUMNS: dict[str, Any] = {"published_at": UTC_TIME}

# Column order and type of Mapped.rows, per contract. Beyond these, names are those of canonical.<contract>.
ROW_COLUMNS: dict[str, dict[str, Any]] = {
    "usage": {
        **ORIGIN_COLUMNS,
        **PLACE_COLUMNS,
        **SERIES_COLUMNS,
        **PERIOD_COLUMNS,
        **KNOWN_COLUMNS,
        "observed_at": UTC_TIME,
        "value": pl.Float64,
        "value_status": pl.String,
        "reporting_units": pl.Int32,
        "is_provisional": pl.Boolean,
        "time_is_ambiguous": pl.Boolean,
    },
    "facility": {
        **ORIGIN_COLUMNS,
        **PLACE_COLUMNS,
        **PUBLISHED_COLUMNS,
        **KNOWN_COLUMNS,
        **dict.fromkeys(
            [
                "name",
                "name_local",
                "facility_type",
                "ownership",
                "address",
                "city",
                "postal_code",
                "region_code",
                "region_name",
                "county_name",
            ],
            pl.String,
        ),
        "latitude": pl.Float64,
        "longitude": pl.Float64,
        "phone": pl.String,
        "opening_hours": pl.String,
        "service_slots": JSON_TEXT,
        "services": pl.List(pl.String),
        "accreditation": pl.String,
        "parent_network": pl.String,
        "status": pl.String,
        "valid_from": pl.Date,
        "valid_to": pl.Date,
        "extra": JSON_TEXT,
        "identifiers": JSON_TEXT,  # [{"system": ..., "value": ...}] for canonical.facility_identifier
    },
    "resource": {
        **ORIGIN_COLUMNS,
        **PLACE_COLUMNS,
        **PUBLISHED_COLUMNS,
        **KNOWN_COLUMNS,
        "resource_type": pl.String,
        "name": pl.String,
        "valid_from": pl.Date,
        "valid_to": pl.Date,
        "extra": JSON_TEXT,
    },
    "quality": {
        **ORIGIN_COLUMNS,
        **PLACE_COLUMNS,
        **PUBLISHED_COLUMNS,
        **KNOWN_COLUMNS,
        **PERIOD_COLUMNS,
        "measure": pl.String,
        "period_source": pl.String,
        "numerator": pl.Float64,
        "numerator_status": pl.String,
        "denominator": pl.Float64,
        "denominator_status": pl.String,
        "value": pl.Float64,
        "value_status": pl.String,
        "value_kind": pl.String,
        "unit": pl.String,
        "improvement_direction": pl.String,
        "benchmark": pl.Float64,
        "benchmark_source": pl.String,
        "assessment_result": pl.String,
        "footnote": pl.String,
        "dimensions": JSON_TEXT,
    },
    "improvement_action": {
        **ORIGIN_COLUMNS,
        **PLACE_COLUMNS,
        **PUBLISHED_COLUMNS,
        **KNOWN_COLUMNS,
        "action_code": pl.String,
        "measure": pl.String,
        "action": pl.String,
        "owner": pl.String,
        "started_on": pl.Date,
        "due_on": pl.Date,
        "status": pl.String,
        "effect": pl.String,
    },
    "external_forecast": {
        **ORIGIN_COLUMNS,
        **PLACE_COLUMNS,
        **SERIES_COLUMNS,
        **PERIOD_COLUMNS,
        **KNOWN_COLUMNS,
        "team": pl.String,
        "made_at": UTC_TIME,
        "horizon": pl.Int32,
        "quantile": pl.Float64,
        "value": pl.Float64,
    },
}


class UnreadableFile(Exception):  # noqa: N818 - a file, not a programming error
    """A landed file that cannot be read as its feed says: one rejected file, outside the row equation.

    Args:
        code: one of UNREADABLE_CODES; stored in rejected.file.code.
        reason: what is wrong, with line or column, and the fix; stored in rejected.file.reason.
    """

    def __init__(self, code: str, reason: str) -> None:
        if code not in UNREADABLE_CODES:
            raise ValueError(f"unknown code {code!r}")
        self.code = code
        self.reason = reason
        super().__init__(f"{code}: {reason}")


UNREADABLE_CODES = {
    "empty": "the file has no bytes, or blank lines only",
    "no_rows": "a heading and no record",
    "html": "a web page instead of data",
    "error_text": "a line of text instead of data",
    "not_this_format": "bytes that are not of the declared type, or a damaged archive",
    "undecodable": "bytes that the declared encoding cannot hold",
    "control_characters": "C1 control characters or NULs after decoding: the encoding is another one",
    "duplicate_header": "two columns bear one name",
    "missing_column": "a column that the mapping needs is gone",
    "no_member": "the archive holds no member that the feed names",
    "no_records": "the path leads to no array, no sheet or no element",
    "expression_failed": "an expression of the feed fails on a cell of the file",
    "no_time": "the publication time cannot be found as the feed says",
}


@dataclass(frozen=True, slots=True)
class Reject:
    """One output row (or, with output '', one whole record) that breaks its contract.

    line: physical line where the record begins (1-based; Excel: row; without lines: ordinal).
    output: the output's name; '' when the record could not be read at all (it counts once).
    value_name: which of the output's values (unpivot); '' for contracts of one row per record.
    reasons: every reason, as {"code": ..., "field": ..., "message": ...}; ready for jsonb.
    record: the source record as received, column → text.
    """

    line: int
    output: str
    value_name: str
    reasons: list[dict[str, str]]
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one file, as received.

    lines: Int32 series, the physical line where each record of the frame begins.
    frame: one row per readable record; every column String (null only where JSON has null or no key, and
        in Parquet), except Parquet columns, which keep their type. Column names are stripped headers.
    rejects: records that could not be read (ragged rows), with output ''. Their lines are not in `lines`;
        received records = len(lines) + len(rejects).
    """

    lines: pl.Series
    frame: pl.DataFrame
    rejects: list[Reject] = field(default_factory=list)

    @property
    def received_lines(self) -> pl.Series:
        """Return the lines of every record received, readable or not, sorted (Int32)."""
        rejected = pl.Series("line", [reject.line for reject in self.rejects], pl.Int32)
        return pl.concat([self.lines.rename("line"), rejected]).sort()

    def parts(self, rows: int) -> Iterator[RecordBatch]:
        """Yield the records so many at a time; those that could not be read are in the first part."""
        if self.frame.height <= rows:
            yield self
            return
        for start in range(0, self.frame.height, rows):
            rejects = [] if start else self.rejects
            yield RecordBatch(self.lines.slice(start, rows), self.frame.slice(start, rows), rejects)


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of one batch under one output.

    rows: columns and types of ROW_COLUMNS[contract]; value by value, each in file order.
    rejects: one per output row that breaks the contract.
    filtered: frame (line Int32, value_name String): one row per output row filtered. A record that `where`
        leaves out is one row with value_name ''; a future value that is not there yet one under its name.
    produced: output rows attempted, counted before the checks:
        produced == rows.height + len(rejects) + filtered.height.
    """

    rows: pl.DataFrame
    rejects: list[Reject]
    filtered: pl.DataFrame
    produced: int


@dataclass(slots=True)
class FileContext:
    """What is known about one landed file before its records are mapped; made by `inspect_file`.

    source: name of the feed's source it came from.
    file_name: the name it was published under (not its content address).
    published_at: UTC; published_at_is_assumed: the feed's author set it, or the file's age stands in.
    columns: the header as read.
    constant_columns: those of `constants_checked` that hold one value all over; they are not loaded.
    state: private to the mapper (compiled outputs, resolution of repeated hours). One context per pass.
    """

    source: str
    file_name: str
    published_at: datetime
    published_at_is_assumed: bool
    columns: list[str]
    constant_columns: list[str] = field(default_factory=list)
    state: dict[Any, Any] = field(default_factory=dict)

    @property
    def empty_columns(self) -> list[str]:
        """Return the mapped columns without any value so far."""
        filled: dict[str, bool] = self.state.get("filled", {})
        return sorted(name for name, has_value in filled.items() if not has_value)
