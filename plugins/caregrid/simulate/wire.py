"""Bytes of the wire formats, the same on every run: no time of writing in gzip, zip or Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

Row = Mapping[str, Any]


def delimited(rows: Sequence[Row], *, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    """Return CSV or TSV with a header taken from the first row's keys. None becomes an empty field."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def ndjson(rows: Sequence[Row]) -> bytes:
    """Return one JSON object a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")


def json_document(document: Mapping[str, Any]) -> bytes:
    """Return one indented JSON document."""
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def parquet(frame: pl.DataFrame) -> bytes:
    """Return a Parquet file of the frame."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", statistics=False)
    return buffer.getvalue()


def gzipped(content: bytes) -> bytes:
    """Return gzip without a time of writing."""
    return gzip.compress(content, compresslevel=6, mtime=0)


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive whose members bear the earliest date a zip can hold."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(
                zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED
            )
    return buffer.getvalue()
