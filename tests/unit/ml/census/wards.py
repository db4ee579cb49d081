"""Stays of wards made in code, and the panels that their beds make."""

from __future__ import annotations

import numpy as np

from ml.census import Stays
from ml.census.stays import OPEN
from ml.panel import Panel

HOUR = 3_600_000_000
START = int(np.datetime64("2024-01-01", "us").astype(np.int64))


def stays(rows: list[tuple[str, float, float | None]]) -> Stays:
    """Return stays of (place, begin, end) in hours after START."""
    place, begin, end = zip(*rows, strict=True)
    ends = [OPEN if one is None else START + round(one * HOUR) for one in end]
    return Stays(np.array(place), START + np.round(np.array(begin) * HOUR).astype(np.int64), np.array(ends))


def simulated(places: int, days: int, seed: int, mean: float = 6.0, length: float = 60.0) -> Stays:
    """Return stays of places that differ: arrivals with a rhythm of day and week, some long lengths."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, float, float | None]] = []
    hours = np.arange(days * 24)
    rhythm = (1 + 0.6 * np.sin(2 * np.pi * (hours % 24 - 9) / 24)) * np.where(hours // 24 % 7 < 5, 1.1, 0.75)
    for place in range(places):
        begin = np.repeat(hours, rng.poisson(mean * (1 + place / 2) / 24 * rhythm)) + 0.0
        begin += rng.uniform(0, 1, len(begin))
        end = begin + length * rng.lognormal(-0.3, 0.8, len(begin))
        rows += [(f"w{place}", *pair) for pair in zip(begin, end, strict=True)]
    return stays(rows)


def panel(of: Stays, cutoff: float, horizon: int, frequency: str = "H", ids: tuple[str, ...] = ()) -> Panel:
    """Return the panel of the beds of places up to a cutoff in hours after START; days count at their end."""
    step, counted = (1, 0) if frequency == "H" else (24, 24)
    width = int(cutoff // step) + (frequency == "H")
    ids = ids or tuple(sorted(set(of.place)))
    hours = np.arange(width + horizon) * step
    moments = START + (hours[:width] + counted) * HOUR
    y = np.array([of.of(of.place == one).census(moments) for one in ids], dtype=float).reshape(len(ids), -1)
    times = (START + hours * HOUR).astype("datetime64[us]").astype("datetime64[s]")
    return Panel(frequency, ids, times, horizon, START + int(cutoff * HOUR), y)


def truth(of: Stays, given: Panel, counted: int = 0) -> np.ndarray:
    """Return [series, horizon] the beds at a panel's targets."""
    moments = given.times[given.width :].astype("datetime64[us]").astype(np.int64) + counted * HOUR
    return np.array([of.of(of.place == one).census(moments) for one in given.ids])
