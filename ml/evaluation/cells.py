"""From rows of quantiles to scored cells: one per series, cutoff and horizon, the same for every model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from caregrid.errors import CareGridError

if TYPE_CHECKING:
    import polars as pl

Floats = np.ndarray
Ints = np.ndarray

LEVELS = (50, 80, 95)  # central intervals whose coverage is told, in percent


@dataclass
class Model:
    """What is known of one model's cells.

    Args:
        quantiles: the set of levels the model is scored on.
        code: [own cell] ascending, see Cells.
        figures: {name: [own cell]}: point, wis, wis_log1p, covered50/80/95, width95, over.
        rows: forecast rows read.
        incomplete: cells left out, since a level is missing or no number.
        without_truth: cells left out, since the truth is not known.
        unknown: rows of series that have no truth at all.
        crossed: scored cells in which a higher level lies below a lower one.
        stray: {level: cells} levels left out, since most cells have none.
        reached: {level: (cells with truth below the quantile, at or below it)}.
        loss: {level: sum of pinball losses}.
        mass: [len(quantiles) + 1] truth that fell between neighbouring quantiles, ties shared out.
    """

    quantiles: tuple[float, ...]
    code: Ints
    figures: dict[str, Floats]
    rows: int = 0
    incomplete: int = 0
    without_truth: int = 0
    unknown: int = 0
    crossed: int = 0
    stray: dict[float, int] = field(default_factory=dict)
    reached: dict[float, tuple[int, int]] = field(default_factory=dict)
    loss: dict[float, float] = field(default_factory=dict)
    mass: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass
class Cells:
    """Every cell that some model forecast and whose truth is known.

    Args:
        ids: names of the series, each once; cutoffs: datetime64[us], ascending; horizon: the farthest.
        code: [cell] (series × cutoffs + cutoff) × horizon + step - 1, ascending.
        ds: [cell] datetime64[us]; truth, naive_error, capacity: [cell], NaN where not known.
    """

    ids: tuple[str, ...]
    cutoffs: np.ndarray
    horizon: int
    code: Ints
    ds: np.ndarray
    truth: Floats
    naive_error: Floats
    capacity: Floats
    models: dict[str, Model]

    @property
    def step(self) -> Ints:
        """Return [cell] the horizon, from 1."""
        return self.code % self.horizon + 1

    @property
    def cutoff(self) -> Ints:
        """Return [cell] the number of the cutoff."""
        return self.code // self.horizon % max(1, len(self.cutoffs))

    @property
    def series(self) -> Ints:
        """Return [cell] the number of the series."""
        return self.code // self.horizon // max(1, len(self.cutoffs))

    def figure(self, model: str, name: str) -> Floats:
        """Return [cell] a figure of a model, NaN in the cells it has not."""
        found = np.full(len(self.code), np.nan)
        own = self.models[model]
        if name in own.figures:
            found[np.searchsorted(self.code, own.code)] = own.figures[name]
        return found


def per_cutoff(frame: pl.DataFrame | None, column: str, ids: tuple[str, ...], cutoffs: np.ndarray) -> Floats:
    """Return [series, cutoff] what a frame says of each series at each cutoff, NaN where it says nothing."""
    import polars as pl

    table = np.full((len(ids), len(cutoffs)), np.nan)
    if frame is None:
        return table
    has_columns(frame.columns, ("unique_id", "cutoff", column), column)
    said = frame.select(
        series=pl.col("unique_id").cast(pl.String).cast(pl.Enum(list(ids)), strict=False).to_physical(),
        cutoff=pl.col("cutoff").cast(pl.Datetime("us")),
        value=pl.col(column).cast(pl.Float64),
    ).drop_nulls()
    moments = said["cutoff"].to_numpy()
    at = np.minimum(np.searchsorted(cutoffs, moments), len(cutoffs) - 1)
    same = cutoffs[at] == moments
    table[said["series"].to_numpy()[same], at[same]] = said["value"].to_numpy()[same]
    return table


def has_columns(there: list[str], wanted: tuple[str, ...], where: str) -> None:
    """Refuse a table that lacks a column, saying which."""
    missing = [name for name in wanted if name not in there]
    if missing:
        raise CareGridError(
            f"it lacks {', '.join(missing)}; there are {', '.join(there)}",
            where=where,
            fix=f"give the columns {', '.join(wanted)}",
        )
