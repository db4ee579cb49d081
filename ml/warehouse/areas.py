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
HIDDEN = 0.1  # units by which they may be apart on average


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


@dataclass(frozen=True)
class Following:
    """Which totals that the feed tells are forecast as the sum of their parts.

    Args:
        parts: {grid row of a total: grid rows of its parts}, regions before countries.
        remarks: {grid row of a total that has parts: how it is forecast}.
    """

    parts: dict[int, list[int]]
    remarks: dict[int, str]


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
        for level, area in _summed_into(one):
            if (level, area, *_kind(one)) not in told:
                groups.setdefault((level, area, *(one[name] for name in SHARED)), []).append(row)
    found = []
    for key, members in sorted(groups.items()):
        reporting = _parts(grid, members, set(place), paths.shape[2])
        living = [row for row in reporting if row in place]
        if len(living) < 2:
            continue
        total = paths[:, [place[row] for row in living]].sum(axis=1, dtype=np.float64)
        found.append(
            Total(
                key[0], key[1], dict(zip(SHARED, key[2:], strict=True)),
                tuple(series[row]["series_id"] for row in living), len(reporting) - len(living),
                quantiles_of_paths(total, levels),
            )
        )  # fmt: skip
    return found


def following(grid: Grid, answered: set[int], living: set[int], targets: int) -> Following:
    """Return which totals that the feed tells are forecast as the sum of their parts, as their values were.

    Else who reads the total and its places finds two answers to one question. Where the past says that the
    total is more than their sum (not all places are told), or a part has no forecast, it stays by itself.
    A country's parts are its facilities, or the regions that the feed tells.

    Args:
        answered: grid rows with a forecast; living: those of them that are not withdrawn. A total that
            follows its parts is not judged by a forecast of its own.
        targets: how many periods are forecast.
    """
    series = list(grid.spine.series.iter_rows(named=True))
    told = _told(series)
    parts: dict[tuple[str, ...], list[int]] = {}
    for row, one in enumerate(series):
        if "place" not in _over(one):
            for level, area in _summed_into(one):
                parts.setdefault(("facility", level, area, *_kind(one)), []).append(row)
    for row, (level, *_) in told.items():
        if level == "region" and series[row]["adds_over_place"]:
            key = ("region", "country", str(series[row]["country_code"]), *_kind(series[row]))
            parts.setdefault(key, []).append(row)
    found, living = Following({}, {}), set(living)
    # Regions first: a country may be the sum of them.
    for row, key in sorted(told.items(), key=lambda one: (one[1][0] != "region", one[0])):
        if row not in answered or not series[row]["adds_over_place"]:
            continue
        for kind in ("facility", "region"):
            members = _parts(grid, parts.get((kind, *key), []), living, targets)
            if len(members) < 2:
                continue
            missing, count = sum(one not in living for one in members), len(members)
            if missing:
                found.remarks[row] = (
                    f"forecast by itself: {missing} of its {count} parts have no forecast · "
                    f"单独预测：{count} 个组成部分中有 {missing} 个没有预测"
                )
            elif not _summed(grid, row, members):
                found.remarks[row] = (
                    f"forecast by itself: the sum of its {count} parts was not what was told, or too few "
                    f"periods tell all of them · "
                    f"单独预测：{count} 个组成部分之和与公布的总数不符，或可比较的时段太少"
                )
            else:
                found.parts[row] = members
                living.add(row)
                found.remarks[row] = (
                    f"the sum of the forecasts of its {count} parts, as its values were · "
                    f"为 {count} 个组成部分预测之和，与其历史一致"
                )
                break
    return found


def follow(
    parts: dict[int, list[int]], rows: Ints, paths: Floats, quantiles: Floats, levels: tuple[float, ...]
) -> None:
    """Make the forecasts of totals the sums of their parts', in place.

    Args:
        parts: {grid row of a total: those of its parts} (`following`).
        rows: grid rows of the paths' series; paths: [path, series, target]; quantiles: [series, target,
            quantile].
    """
    place = {int(row): at for at, row in enumerate(rows)}
    for row, members in parts.items():
        total = paths[:, [place[one] for one in members]].sum(axis=1, dtype=np.float64)
        paths[:, place[row]] = total
        quantiles[place[row]] = quantiles_of_paths(total, levels)


def _summed(grid: Grid, row: int, members: list[int]) -> bool:
    """Whether a series was the sum of others in nearly all of the newest periods that tell all of them."""
    whole, parts = grid.y[row, -LOOKED_AT:], grid.y[members, -LOOKED_AT:].sum(axis=0)
    both = ~np.isnan(whole - parts)
    if both.sum() < FEWEST:
        return False
    apart, size = (whole - parts)[both], np.abs(whole[both])
    near = np.abs(apart) <= np.maximum(ROUNDED, NEAR * size)
    # A small place that nobody tells hides within what rounding allows, but always on the same side.
    even = abs(float(apart.mean())) <= max(HIDDEN, NEAR * float(size.mean()))
    return bool(near.mean() >= MOSTLY and even)


def _parts(grid: Grid, members: list[int], living: set[int], targets: int) -> list[int]:
    """Return one series per place, of those that did not end: what ended is no part of a sum any more.

    A place that is told by the hour and by the moment has two of a kind; the one that has a forecast, and the
    one of the grain itself, stands for it.
    """
    series = grid.spine.series
    places, grains = series["place_id"].to_list(), series["grain"].to_list()
    found: dict[int, int] = {}
    for row in sorted(members, key=lambda one: (one not in living, grains[one] != grid.spine.grain, one)):
        if row in living or grid.last[row] >= max(0, grid.newest - targets):
            found.setdefault(places[row], row)
    return sorted(found.values())


def _summed_into(one: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (level, area) of the region and the country that a facility's series is summed into."""
    if one["place_level"] != "facility" or not (one["is_forecast"] and one["adds_over_place"]):
        return []
    areas = (("region", one["region_key"]), ("country", one["country_code"]))
    return [(level, area) for level, area in areas if area]


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
