"""What is wrong with a CSV that a reader of tables takes, or refuses without a line."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caregrid.errors import CareGridError

from .words import many

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_GZIP = b"\x1f\x8b"


def check_header(path: Path) -> None:
    """Refuse a header that is parted by something other than commas, or names a column twice.

    Raises:
        CareGridError: naming the separator, or the column; or the file is packed, and damaged.
    """
    with _records(path) as records:
        header = next(records, (0, []))[1]
    marks = [mark for mark in SEPARATORS if len(header) == 1 and mark in header[0]]
    if marks:
        raise CareGridError(
            f"its columns are parted by {SEPARATORS[marks[0]]}",
            where=f"{path.name}, line 1",
            fix="part them by commas, and write numbers with a decimal point",
        )
    twice = [name for name in dict.fromkeys(header) if name and header.count(name) > 1]
    if twice:
        raise CareGridError(
            f"there are {header.count(twice[0])} columns called {twice[0]}",
            where=f"{path.name}, line 1",
            fix="keep the one that is meant, or rename the others",
        )


def refuse_ragged(path: Path) -> None:
    """Refuse a file with a line that has more or fewer cells than its header.

    Raises:
        CareGridError: naming the first such line; or the file is packed, and damaged.
    """
    found: tuple[int, int] | None = None
    with _records(path) as records:
        width = len(next(records, (0, []))[1])
        # To its end: what stands before a damaged place may be wrong already, and is no line of anybody's.
        for line, cells in records:
            if found is None and cells and len(cells) != width:
                found = line, len(cells)
    if found is not None:
        line, count = found
        raise CareGridError(
            f"has {many(count, 'cell')}, the header {width}",
            where=f"{path.name}, line {line}",
            fix="give every line as many cells as the header; a text with a comma stands in quotes, "
            "a number has a decimal point",
        )


@contextmanager
def _records(path: Path) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """Open a CSV, plain or .gz, and yield its records with their lines; what cannot be read ends them."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    opened = gzip.open if packed else open
    with opened(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as stream:

        def records() -> Iterator[tuple[int, list[str]]]:
            reader = csv.reader(stream)
            try:
                for cells in reader:
                    yield reader.line_num, cells
            except (zlib.error, EOFError, gzip.BadGzipFile) as error:
                raise CareGridError(
                    f"is damaged, it cannot be unpacked: {error}",
                    where=path.name,
                    fix="fetch the file anew, or pack it anew with gzip",
                ) from error
            except (csv.Error, OSError):
                return  # its own reader says what is wrong with it

        yield records()
