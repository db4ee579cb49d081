"""Sums of places: a region is the sum of its places path by path, so its forecast agrees with theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..panel import Floats, Panel
from .classical import LONGEST_GAP
from .table import Table


@dataclass(frozen=True)
class Sums:
    """Series that are sums of a table's series.

    Args:
        ids: [sum] names, `column=value`; members: [sum] names of its series.
        told: sums that the table holds itself, under their plain value, and which are therefore not made.
    """

    ids: tuple[str, ...]
    members: tuple[frozenset[str], ...]
    told: tuple[str, ...] = ()


def sums_of(table: Table, columns: tuple[str, ...]) -> Sums:
    """Return the sums over the values of the hierarchy columns that have at least two series.

    A series belongs where it was first said to: a later word must not change a forecast from before it.
    """
    ids, members, told = [], [], []
    for column in columns:
        values = table.first_told(column)
        for value in np.unique(values):
            of_value = frozenset(table.ids[row] for row in np.flatnonzero(values == value))
            if str(value) in ("", "nan") or len(of_value) < 2:
                continue
            if str(value) in table.ids or f"{column}={value}" in table.ids:
                told.append(f"{column}={value}")
                continue
            ids.append(f"{column}={value}")
            members.append(of_value)
    return Sums(tuple(ids), tuple(members), tuple(told))


def living(panel: Panel, sums: Sums) -> list[np.ndarray]:
    """Return the panel's rows of each sum's members that still reported shortly before the cutoff.

    As far as was known then: a place that closed is no part of the sum any more.
    """
    recent = panel.y[:, -LONGEST_GAP * panel.horizon :]
    alive = ~np.isnan(recent).all(axis=1)
    return [
        np.array([row for row, one in enumerate(panel.ids) if alive[row] and one in members], dtype=int)
        for members in sums.members
    ]


def add(panel: Panel, sums: Sums, paths: Floats, answered: np.ndarray) -> tuple[tuple[str, ...], Floats]:
    """Return the names and [path, sum, horizon] of the sums whose living members all have an answer.

    Args:
        paths: [path, series, horizon]; answered: [series].
    """
    ids, values = [], []
    for name, rows in zip(sums.ids, living(panel, sums), strict=True):
        if len(rows) and answered[rows].all():
            ids.append(name)
            values.append(paths[:, rows].sum(axis=1, dtype=np.float64))
    shape = (len(paths), 0, paths.shape[2])
    return tuple(ids), np.stack(values, axis=1) if values else np.empty(shape)


def summed(table: Table, sums: Sums, values: Floats) -> Floats:
    """Return [sum, column] of a [series, column] array.

    A cell is told where every member has a value that reports then at all, from its first to its last value.
    """
    seen = ~np.isnan(values)
    spans = np.maximum.accumulate(seen, axis=1) & np.maximum.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    out = np.full((len(sums.ids), values.shape[1]), np.nan)
    for at, members in enumerate(sums.members):
        rows = [row for row, name in enumerate(table.ids) if name in members]
        whole = (seen[rows] == spans[rows]).all(axis=0) & seen[rows].any(axis=0)
        out[at, whole] = np.nansum(values[rows][:, whole], axis=0)
    return out
