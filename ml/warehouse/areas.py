"""Regions and countries as the sums of their places, path by path: their forecasts agree with the places'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..panel import Floats, Ints
from ..paths import quantiles_of_paths
from .spine import Grid

# What a total shares with its members, besides its area.
SHARED = ("measure", "service_or_resource", "statistic", "unit", "dimensions", "total_over")


@dataclass(frozen=True)
class Total:
    """The forecast of the sum of one kind of series over the places of an area.

    Args:
        level: region or country; area: its key; kind: what its members share, by SHARED.
        members: series ids; absent: how many demand series of the same kind and area have no forecast.
        quantiles: [target, quantile].
    """

    level: str
    area: str
    kind: dict[str, str]
    members: tuple[int, ...]
    absent: int
    quantiles: Floats


def add(grid: Grid, rows: Ints, paths: Floats, levels: tuple[float, ...]) -> list[Total]:
    """Return the totals of areas with at least two places, which the feed does not tell itself.

    Args:
        rows: grid rows of the paths' series; paths: [path, series, target].
    """
    series = list(grid.spine.series.iter_rows(named=True))
    place = {int(row): at for at, row in enumerate(rows)}
    told = {
        (one["area_level"], one["area_key"], *_kind(one))
        for one in series
        if one["area_level"] and one["is_forecast"]
    }
    groups: dict[tuple[str, ...], list[int]] = {}
    for row, one in enumerate(series):
        if one["place_level"] != "facility" or not (one["is_forecast"] and one["adds_over_place"]):
            continue
        for level, area in (("region", one["region_key"]), ("country", one["country_code"])):
            key = (level, area, *(one[name] for name in SHARED))
            if area and (level, area, *_kind(one)) not in told:
                groups.setdefault(key, []).append(row)
    found = []
    for key, members in sorted(groups.items()):
        living = [row for row in members if row in place]
        if len(living) < 2:
            continue
        total = paths[:, [place[row] for row in living]].sum(axis=1, dtype=np.float64)
        # A series that ended, or never had a value, is no part of the sum any more.
        reporting = [row for row in members if row in place or grid.last[row] >= grid.newest - total.shape[1]]
        found.append(
            Total(
                key[0], key[1], dict(zip(SHARED, key[2:], strict=True)),
                tuple(series[row]["series_id"] for row in living), len(reporting) - len(living),
                quantiles_of_paths(total, levels),
            )
        )  # fmt: skip
    return found


def _kind(one: dict[str, Any]) -> tuple[str, ...]:
    """Return what a published total shares with its parts: SHARED, but that it is summed over places."""
    over = sorted(set(str(one["total_over"]).strip("{}").split(",")) - {"place", ""})
    return (*(one[name] for name in SHARED if name != "total_over"), ",".join(over))
