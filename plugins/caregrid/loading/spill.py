"""Keeps the mapped rows of one file until all of it has been read: in memory while small, else on disk."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import polars as pl

from caregrid import paths
from caregrid.loading.keys import LOCAL, ORIGIN, Layout
from caregrid.loading.registry import PLACE, SERIES_KEY, LocalIds
from caregrid.mapping.types import PLACE_COLUMNS

MEMORY_BYTES = 256 * 2**20
# How many hashes are searched for repeated ones at a time; of more, a share by their first bits.
SEARCHED_HASHES = 2**22
# Rows of repeated hashes that are settled at a time, about, or bytes of them where they are long.
SUSPECTS = 500_000
_SUSPECT_BYTES = 32 * 2**20
_HASH_BYTES = 8
ROW = "row"
OUTPUT = "output"


class Spill:
    """The rows of one contract, with their places and series numbered, and a 64-bit hash of every key.

    Frames kept: ROW (UInt32, position among all rows of the contract), OUTPUT (UInt16), LOCAL, line,
    value_name, and the contract's other columns. On disk they are Arrow files in a directory of their own,
    as are the hashes: 8 bytes for each row of a file that may be larger than memory.
    """

    def __init__(self, layout: Layout, directory: Path) -> None:
        self.layout = layout
        place_beside = [name for name in PLACE_COLUMNS if name == "place_name" or name == "country_code"]
        key = (
            SERIES_KEY
            if layout.registry == "series"
            else [name for name in PLACE if name not in place_beside]
        )
        self.local_ids = LocalIds(key, place_beside)
        self.rows = 0
        self._directory = directory
        self._kept: list[pl.DataFrame | Path] = []
        self._bytes = self._bytes_in_memory = 0
        self._hashes = directory / f"{layout.contract}.hashes"

    def add(self, rows: pl.DataFrame, output: int) -> None:
        """Keep mapped rows (columns of ROW_COLUMNS) of the output with this number."""
        if not rows.height:
            return
        beside = [name for name in (*self.layout.key, *self.layout.values) if name != LOCAL]
        frame = rows.select(
            pl.int_range(self.rows, self.rows + rows.height, dtype=pl.UInt32).alias(ROW),
            pl.lit(output, pl.UInt16).alias(OUTPUT),
            self.local_ids.number(rows),
            *ORIGIN,
            *beside,
        )
        self.rows += rows.height
        with self._hashes.open("ab") as file:
            key_hashes(frame.select(self.layout.key)).to_numpy().tofile(file)
        size = int(frame.estimated_size())
        self._bytes += size
        if self._bytes_in_memory + size <= MEMORY_BYTES:
            self._bytes_in_memory += size
            self._kept.append(frame)
        else:
            path = self._directory / f"{self.layout.contract}-{len(self._kept)}.arrow"
            frame.write_ipc(path)
            self._kept.append(path)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Give the frames back in the order they came."""
        for kept in self._kept:
            yield kept if isinstance(kept, pl.DataFrame) else pl.read_ipc(kept)

    def suspects(self) -> Iterator[pl.DataFrame]:
        """Yield whole rows whose key hash occurs more than once; equal keys are in one frame, nowhere else.

        Two different keys may share a hash; one key never has two.
        """
        repeated, times = self._repeated()
        at_once = min(SUSPECTS, max(1, _SUSPECT_BYTES * self.rows // max(1, self._bytes)))
        share = (times.cumsum() - times) // at_once
        for number in np.unique(share):
            yield self._rows_of(repeated[share == number])

    def _rows_of(self, wanted: np.ndarray) -> pl.DataFrame:
        """Return the rows whose key hash is one of those wanted (sorted)."""
        found, start = [], 0
        for frame in self.frames():
            hashes = np.fromfile(self._hashes, np.uint64, frame.height, offset=start * _HASH_BYTES)
            start += frame.height
            place = np.searchsorted(wanted, hashes).clip(max=len(wanted) - 1)
            part = frame.filter(wanted[place] == hashes)
            if part.height:
                found.append(part)
        return pl.concat(found)

    def _repeated(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the hashes that occur more than once, sorted, and how often each does."""
        bits = max(0, math.ceil(math.log2(max(self.rows, 1) / SEARCHED_HASHES)))
        found = []
        for share in range(2**bits):
            hashes = np.concatenate([np.empty(0, np.uint64), *self._share(share, bits)])
            hashes.sort()
            found.append(np.unique(hashes[1:][hashes[1:] == hashes[:-1]], return_counts=True))
        repeated, again = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return repeated, again + 1

    def _share(self, share: int, bits: int) -> Iterator[np.ndarray]:
        """Give the hashes whose first bits are the number `share`."""
        for start in range(0, self.rows, SEARCHED_HASHES):
            hashes = np.fromfile(self._hashes, np.uint64, SEARCHED_HASHES, offset=start * _HASH_BYTES)
            yield hashes[hashes >> np.uint64(64 - bits) == share] if bits else hashes


def key_hashes(keys: pl.DataFrame) -> pl.Series:
    """Return a 64-bit hash per key (UInt64), the same all through one process."""
    return keys.hash_rows()


class SpillRoom:
    """A directory below var/tmp for one load, gone when the load ends; what a crash leaves is swept later."""

    def __enter__(self) -> Path:
        parent = paths.var("tmp")
        parent.mkdir(parents=True, exist_ok=True)
        self._path = Path(tempfile.mkdtemp(prefix="load-", dir=parent))
        return self._path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
