"""The one door through which tables of people come in: a CSV, packed or plain, or a Parquet file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from caregrid.errors import CareGridError

from . import csvs, parquet

if TYPE_CHECKING:
    import polars as pl


def is_parquet(path: Path) -> bool:
    """Return whether a file is one of Parquet, by its name."""
    return path.suffix.lower() in (".parquet", ".pq")


def row(path: Path, index: int) -> str:
    """Return in words where a row stands, counted from 0: a CSV's by its line, below the header."""
    return f"{path.name}, row {index + 1}" if is_parquet(path) else f"{path.name}, line {index + 2}"


def read(path: Path, given_to: str) -> pl.DataFrame:
    """Return a file's cells, those of a CSV all as text.

    Args:
        given_to: the option or the like that named the file.

    Raises:
        CareGridError: there is no such file, or it is no table.
    """
    import polars as pl

    try:
        if not path.is_file():
            raise CareGridError(
                "there is no such file", where=str(path), fix=f"check the path given to {given_to}"
            )
        if is_parquet(path):
            return parquet.read(path)
        csvs.check_header(path)
        made = pl.read_csv(path, infer_schema=False, null_values="", encoding="utf8")
        # A line that is too short ends in empty cells.
        if len(made.columns) and made[made.columns[-1]].null_count():
            csvs.refuse_ragged(path)
        return made
    except (pl.exceptions.PolarsError, OSError) as error:
        if not is_parquet(path):
            with suppress(OSError):  # what cannot be opened has been told of by the first error
                csvs.refuse_ragged(path)
        raise CareGridError(
            f"is not a table that can be read: {str(error).splitlines()[0]}",
            where=path.name,
            fix="give a CSV in UTF-8 with commas and a header (also .csv.gz), or a Parquet file",
        ) from error
