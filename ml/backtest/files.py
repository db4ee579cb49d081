"""What a back-test leaves: forecasts and paths as Parquet, written cutoff by cutoff, and small CSVs."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..panel import Floats, Panel
from .times import Cutoff

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

FORECASTS, PATHS = "forecasts.parquet", "paths.parquet"


def unfinished(path: Path) -> Path:
    """Return what a Parquet file is called that was not written to its end."""
    return path.with_suffix(".unfinished.parquet")


class Writer:
    """A Parquet file that grows by row groups and has its name only when it is whole.

    Where the work breaks off, what there is keeps another name, and is readable.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._partial = path, path.with_suffix(".partial")
        self._file: Any = None

    def __enter__(self) -> Writer:
        return self

    def write(self, table: pa.Table) -> None:
        """Append a row group."""
        import pyarrow.parquet as pq

        if self._file is None:
            self._file = pq.ParquetWriter(self._partial, table.schema, compression="zstd")
        self._file.write_table(table, row_group_size=max(len(table), 1))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._partial.replace(self.path if kind is None else unfinished(self.path))
        if kind is None:
            unfinished(self.path).unlink(missing_ok=True)


def forecast_rows(
    ids: np.ndarray, times: np.ndarray, cutoff: Cutoff, model: str, levels: tuple[float, ...], values: Floats
) -> pa.Table:
    """Return unique_id, cutoff, ds, horizon, model, quantile, value of the cells that are answered.

    Args:
        ids: [series] texts; times: [horizon] targets; values: [series, horizon, quantile], NaN: no answer.
    """
    import pyarrow as pa

    series, step, level = (at.ravel() for at in np.indices(values.shape))
    told = ~np.isnan(values).any(axis=2)[series, step]
    series, step, level = series[told], step[told], level[told]
    return pa.table(
        {
            "unique_id": _repeated(series, ids),
            "cutoff": pa.array(np.full(len(series), cutoff.label), type=pa.timestamp("us")),
            "ds": pa.array(times.astype("datetime64[us]")[step], type=pa.timestamp("us")),
            "horizon": pa.array(step + 1, type=pa.int32()),
            "model": _repeated(np.zeros(len(series), dtype=int), np.array([model])),
            "quantile": pa.array(np.asarray(levels)[level]),
            "value": pa.array(values[series, step, level]),
        }
    )


def external_rows(rows: pl.DataFrame) -> pa.Table:
    """Return others' forecasts, which have the columns of ours, in the types of ours."""
    import pyarrow as pa

    kinds = {
        "unique_id": pa.string(),
        "cutoff": pa.timestamp("us"),
        "ds": pa.timestamp("us"),
        "horizon": pa.int32(),
        "model": pa.string(),
        "quantile": pa.float64(),
        "value": pa.float64(),
    }
    return rows.select(*kinds).to_arrow().cast(pa.schema(kinds.items()))


def path_rows(ids: np.ndarray, times: np.ndarray, cutoff: Cutoff, model: str, values: Floats) -> pa.Table:
    """Return cutoff, model, path, unique_id, ds, value.

    Args:
        values: [path, series, horizon].
    """
    import pyarrow as pa

    path, series, step = (at.ravel() for at in np.indices(values.shape))
    return pa.table(
        {
            "cutoff": pa.array(np.full(len(path), cutoff.label), type=pa.timestamp("us")),
            "model": _repeated(np.zeros(len(path), dtype=int), np.array([model])),
            "path": pa.array(path, type=pa.int32()),
            "unique_id": _repeated(series, ids),
            "ds": pa.array(times.astype("datetime64[us]")[step], type=pa.timestamp("us")),
            "value": pa.array(values.ravel().astype(np.float32)),
        }
    )


def _repeated(codes: np.ndarray, names: np.ndarray) -> Any:
    """Return texts that repeat. In the file they are a dictionary; who reads it sees text."""
    import pyarrow as pa

    texts = pa.array([str(name) for name in names], type=pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes, type=pa.int32()), texts).dictionary_decode()


def targets(panel: Panel) -> np.ndarray:
    """Return the `ds` of a panel's targets."""
    return panel.times[panel.width :]


def write_csv(path: Path, header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Write a small table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
