"""Keeps the rejects of one load until the file has been read: counted in memory, written out to disk."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import psycopg

from caregrid.feeds.model import Output
from caregrid.loading.copying import copy_frame
from caregrid.loading.lines import Lines
from caregrid.mapping import Reject

# What is gathered before it is written to disk, and what a part of the COPY holds at most, about.
PART_BYTES = 16 * 2**20
# The rejects of one record each repeat it, up to so many bytes in all: ten thousand values that cannot be
# would write a record of ten thousand columns ten thousand times.
REPEATED_BYTES = 2**20
REPEATED = '{"(record)": "it is long: the first reject of this line and output holds it"}'
_COLUMNS = ("line", "output", "contract", "value_name", "reasons", "record")
_SCHEMA = {name: pl.Int32 if name == "line" else pl.String for name in _COLUMNS}


class Refused:
    """The rejects of one load, as they will stand in rejected.record.

    rows: output rows rejected; a record that could not be read at all is none. lines: of all rejects.

    Args:
        directory: of the load (see SpillRoom); Arrow files in it hold what is more than one part.
        outputs: of the file's source.
    """

    def __init__(self, directory: Path, outputs: Sequence[Output]) -> None:
        self.rows = 0
        self.lines: list[Lines] = []
        self._contracts = {output.name: output.contract for output in outputs} | {"": ""}
        self._directory = directory
        self._files: list[Path] = []
        self._waiting: list[pl.DataFrame] = []
        self._bytes = 0

    def add(self, rejects: Sequence[Reject]) -> None:
        """Keep rejects of one output, or of the reader; those of one record in one call."""
        if not rejects:
            return
        self.rows += sum(1 for reject in rejects if reject.output)
        frame, size = self._frame(rejects)
        self.lines.append(Lines.of(frame["line"]))
        self._waiting.append(frame)
        self._bytes += size
        if self._bytes >= PART_BYTES:
            path = self._directory / f"rejects-{len(self._files)}.arrow"
            pl.concat(self._waiting).write_ipc(path)
            self._files.append(path)
            self._waiting, self._bytes = [], 0

    def copy(self, connection: psycopg.Connection[Any], load_id: int) -> None:
        """COPY all of them into rejected.record, in the order they came."""
        if not self.lines:
            return
        number = pl.lit(load_id, pl.Int64).alias("load_id")
        parts = (part.with_columns(number) for part in self._parts())
        with connection.cursor() as cursor:
            copy_frame(cursor, ("rejected", "record"), ["load_id", *_COLUMNS], parts)

    def _frame(self, rejects: Sequence[Reject]) -> tuple[pl.DataFrame, int]:
        """Return rejects as rows, and how long their texts are; a record that several share counts once."""
        records: list[str] = [REPEATED]
        sizes: list[int] = [0]
        known: dict[int, int] = {}
        written: dict[int, int] = {}
        places: list[int] = []
        for reject in rejects:
            place = known.get(id(reject.record))
            if place is None:
                place = known[id(reject.record)] = len(records)
                records.append(_json(reject.record))
                sizes.append(len(records[-1]))
                written[place] = 0
            written[place] += sizes[place]
            again = written[place] > sizes[place]
            places.append(0 if again and written[place] > REPEATED_BYTES else place)
        reasons = [_json(reject.reasons) for reject in rejects]
        frame = pl.DataFrame(
            {
                "line": [reject.line for reject in rejects],
                "output": [reject.output for reject in rejects],
                "contract": [self._contracts[reject.output] for reject in rejects],
                "value_name": [reject.value_name for reject in rejects],
                "reasons": reasons,
                # The texts themselves are shared by the rows that repeat them, in memory and on disk.
                "record": pl.Series(records, dtype=pl.String).gather(places),
            },
            schema=_SCHEMA,
        )
        return frame, sum(sizes) + sum(map(len, reasons))

    def _parts(self) -> Iterator[pl.DataFrame]:
        for path in self._files:
            yield from _cut(pl.read_ipc(path))
        if self._waiting:
            yield from _cut(pl.concat(self._waiting))


def _cut(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Part rows so that what is written of each part has about PART_BYTES at most."""
    size = pl.sum_horizontal(pl.col("reasons", "record").str.len_bytes().cast(pl.Int64))
    parts = frame.select(((size.cum_sum() - size) // PART_BYTES).alias("part"))["part"]
    ends = [*parts.search_sorted(parts.unique(maintain_order=True), side="right").to_list()]
    start = 0
    for end in ends:
        yield frame.slice(start, end - start)
        start = end


def _json(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        return _json(_visible(value))
    # jsonb cannot hold the NUL character; its picture can be seen.
    return json.dumps(_visible(value), ensure_ascii=False, default=str) if "\\u0000" in text else text


def _visible(value: Any) -> Any:
    """Return a value without what jsonb cannot hold: NUL characters, and numbers that are none."""
    if isinstance(value, str):
        return value.replace("\x00", "\u2400")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {_visible(key): _visible(item) for key, item in value.items()}
    return [_visible(item) for item in value] if isinstance(value, list) else value
