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

# When a total that is told counts as the sum of its parts.
LOOKED_AT = 28  # newest periods
FEWEST = 4  # of them that tell the total and every part
MOSTLY = 0.9  # share of these; a late report or a slip may part them for once
NEAR, ROUNDED = 0.01, 1.0  # share of the total, or units, by which they may be apart


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
    told = set(_told(series).values())
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
        if len({series[row]["place_id"] for row in living}) < 2:
            continue
        total = paths[:, [place[row] for row in living]].sum(axis=1, dtype=np.float64)
        reporting = _reporting(grid, members, place, total.shape[1])
        found.append(
            Total(
                key[0], key[1], dict(zip(SHARED, key[2:], strict=True)),
                tuple(series[row]["series_id"] for row in living), len(reporting) - len(living),
                quantiles_of_paths(total, levels),
            )
        )  # fmt: skip
    return found


def follow(
    grid: Grid, rows: Ints, paths: Floats, quantiles: Floats, levels: tuple[float, ...]
) -> dict[int, str]:
    """Make the forecast of a total that the feed tells the sum of its places', where its values were.

    Else who reads the total and its places finds two answers to one question. Where the past says that the
    total is more than their sum (not all places are told), or a place has no forecast, it stays by itself.
    A country's places are its facilities, or the regions that the feed tells.

    Args:
        rows: grid rows of the paths' series; paths: [path, series, target], quantiles: [series, target,
            quantile], both changed in place.

    Returns:
        {grid row: how a total with places was forecast}.
    """
    series = list(grid.spine.series.iter_rows(named=True))
    place = {int(row): at for at, row in enumerate(rows)}
    parts: dict[tuple[str, ...], list[int]] = {}
    for row, one in enumerate(series):
        if one["is_forecast"] and one["adds_over_place"] and "place" not in _over(one):
            for level, area in (("region", one["region_key"]), ("country", one["country_code"])):
                if area and one["place_level"] == "facility":
                    parts.setdefault(("facility", level, area, *_kind(one)), []).append(row)
    regions = [row for row, (level, *_) in _told(series).items() if level == "region"]
    for row in regions:
        key = ("region", "country", str(series[row]["country_code"]), *_kind(series[row]))
        parts.setdefault(key, []).append(row)
    found = {}
    # Regions first: a country may be the sum of them.
    for row, key in sorted(_told(series).items(), key=lambda one: (one[1][0] != "region", one[0])):
        if row not in place:
            continue
        for kind in ("facility", "region"):
            members = _reporting(grid, parts.get((kind, *key), []), place, paths.shape[2])
            if len({series[one]["place_id"] for one in members}) < 2:
                continue
            missing = [one for one in members if one not in place]
            if missing:
                found[row] = (
                    f"forecast by itself: {len(missing)} of its {len(members)} parts have no forecast · "
                    f"单独预测：{len(members)} 个组成部分中有 {len(missing)} 个没有预测"
                )
            elif not _summed(grid, row, members):
                found[row] = (
                    f"forecast by itself: the sum of its {len(members)} parts was not what was told · "
                    f"单独预测：{len(members)} 个组成部分之和与公布的总数不符"
                )
            else:
                total = paths[:, [place[one] for one in members]].sum(axis=1, dtype=np.float64)
                paths[:, place[row]] = total
                quantiles[place[row]] = quantiles_of_paths(total, levels)
                found[row] = (
                    f"the sum of the forecasts of its {len(members)} parts, as its values were · "
                    f"为 {len(members)} 个组成部分预测之和，与其历史一致"
                )
                break
    return found


def _summed(grid: Grid, row: int, members: list[int]) -> bool:
    """Whether a series was the sum of others in nearly all of the newest periods that tell all of them."""
    whole, parts = grid.y[row, -LOOKED_AT:], grid.y[members, -LOOKED_AT:].sum(axis=0)
    apart = np.abs(whole - parts)[~np.isnan(whole - parts)]
    near = apart <= np.maximum(ROUNDED, NEAR * np.abs(whole[~np.isnan(whole - parts)]))
    return len(near) >= FEWEST and bool(near.mean() >= MOSTLY)


def _reporting(grid: Grid, members: list[int], place: dict[int, int], targets: int) -> list[int]:
    """Return members but those that ended, or never had a value: they are no part of a sum any more."""
    return [row for row in members if row in place or grid.last[row] >= max(0, grid.newest - targets)]


def _told(series: list[dict[str, Any]]) -> dict[int, tuple[str, ...]]:
    """Return {grid row: (level, area, *kind)} of what the feed tells of an area itself."""
    return {
        row: (one["area_level"], one["area_key"], *_kind(one))
        for row, one in enumerate(series)
        if one["area_level"] and one["is_forecast"]
    }


def _kind(one: dict[str, Any]) -> tuple[str, ...]:
    """Return what a published total shares with its parts: SHARED, but that it is summed over places."""
    over = sorted(_over(one) - {"place"})
    return (*(one[name] for name in SHARED if name != "total_over"), ",".join(over))


def _over(one: dict[str, Any]) -> set[str]:
    """Return the axes that a series sums over."""
    return set(str(one["total_over"]).strip("{}").split(",")) - {""}
