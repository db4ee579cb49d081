"""What a load takes of memory at most does not grow with its file, whatever becomes of the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from caregrid.bench.ground import in_a_process

pytestmark = pytest.mark.integration

MEBI = 2**20
# Of the smaller and the larger file. What the batches under way take is filled at about 160 MiB: below
# that memory grows as a file does, and the difference of two files says nothing about keeping one.
SIZES = (160 * MEBI, 384 * MEBI)
REMARK = "bed moved twice today; see the ward's own book for who and when and why. " * 14
COLUMNS = [f"c{number}" for number in range(5000)]
CELLS = ",".join(f"{number:07d}" for number in range(len(COLUMNS)))
HEAD = ["site", "site_name", "day", "occupied", "capacity"]
SETUP = """
from caregrid.quiet import apply_quiet; apply_quiet()
import polars
from caregrid.loading import ingest
"""


def days(form: str) -> Iterator[str]:
    """Days without end, as a publisher writes them."""
    number = 0
    while True:
        year, rest = divmod(number, 336)
        yield form.format(year=1900 + year, month=1 + rest // 28, day=1 + rest % 28)
        number += 1


def right() -> Iterator[str]:
    """Lines with a long remark."""
    for day in days("{year}-{month:02d}-{day:02d}"):
        yield "".join(f"S{site},,{day},{site},90,{REMARK}\n" for site in range(50))


def rejected() -> Iterator[str]:
    """The same lines, but the days have another form since last week."""
    for day in days("{day:02d}.{month:02d}.{year}"):
        yield "".join(f"S{site},,{day},{site},90,{REMARK}\n" for site in range(50))


def contradicting() -> Iterator[str]:
    """Lines of which many are of one site and day, each with other figures."""
    for number in range(10**9):
        yield f"S{number // 1000},,2025-03-01,{number},90,{REMARK}\n"


def wide() -> Iterator[str]:
    """Lines of very many columns."""
    for day in days("{year}-{month:02d}-{day:02d}"):
        yield f"S1,,{day},7,90,{CELLS}\n"


SHAPES: dict[str, tuple[list[str], Callable[[], Iterator[str]]]] = {
    "right": (["remark"], right),
    "rejected": (["remark"], rejected),
    "contradicting": (["remark"], contradicting),
    "wide": (COLUMNS, wide),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_memory_does_not_grow_with_the_file(shape: str, publisher: Any) -> None:
    names, make = SHAPES[shape]
    taken, received = [], []
    for number, size in enumerate(SIZES):
        file = publisher.base / f"beds_2025-12-{number + 10}.csv"
        write(file, [*HEAD, *names], make(), size)
        _, peak, before = in_a_process(f"ingest(Path({str(publisher.feed)!r}))", SETUP)
        file.unlink()
        taken.append(peak - before)
        ((count,),) = publisher.query(
            "select row_count from raw.fate where output = '' and fate = 'received' "
            "order by load_id desc limit 1"
        )
        received.append(count)
    assert received[0] * 2 < received[1]
    assert taken[1] < 1024 * MEBI
    # Whoever kept a file's bytes but once would take all of the difference more.
    assert taken[1] - taken[0] < (SIZES[1] - SIZES[0]) * 3 / 4, f"files of {SIZES} bytes took {taken}"


def write(file: Path, names: list[str], blocks: Iterator[str], size: int) -> None:
    """Write a file of about this size."""
    with file.open("w", encoding="utf-8") as out:
        written = out.write(",".join(names) + "\n")
        while written < size:
            written += out.write(next(blocks))
