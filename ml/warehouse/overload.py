"""Overload risk of a feed and grain, read off joint paths: any period within h over what may be occupied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import levels
from ..panel import Floats, Ints, last_known
from .spine import Grid

DRAWN_TOWARDS_ALL = 10  # windows


@dataclass
class Overload:
    """What is said about pairs of demand and capacity.

    Args:
        demand, capacity: [pair] grid rows.
        held: [pair] capacity last known; limit: [pair] above how many occupied there is overload.
        over_now: [pair] whether there is overload already.
        probability: [pair, risk horizon] of any period within h; never falls with h.
        definition: what overload means for this source.
    """

    demand: Ints
    capacity: Ints
    held: Floats
    limit: Floats
    over_now: np.ndarray
    probability: Floats
    definition: levels.Definition


def assess(
    grid: Grid, rows: Ints, paths: Floats, pairs: dict[int, int], steps: tuple[int, ...]
) -> Overload | None:
    """Say P(any of the first steps has more occupied than may be) for every pair; None where there is none.

    Args:
        rows: grid rows of the paths' series; paths: [path, series, lead]; pairs: {demand row: capacity row};
        steps: how many leads each risk horizon takes in.
    """
    known = [at for at, row in enumerate(rows.tolist()) if row in pairs and grid.last[pairs[row]] >= 0]
    if not known:
        return None
    demand = rows[known]
    capacity = np.array([pairs[row] for row in demand.tolist()])
    wanted, held = grid.y[demand], last_known(grid.y[capacity])
    # Told from every pair of the feed as it reports, whatever this run forecasts.
    all_pairs = sorted(pairs.items())
    definition = levels.definition(
        grid.y[[one for one, _ in all_pairs]], grid.y[[other for _, other in all_pairs]]
    )
    now = held[:, grid.newest]
    limit = levels.limit(now, definition)
    present = wanted[np.arange(len(demand)), grid.last[demand]]
    over = np.maximum.accumulate(paths[:, known] > _between(limit, wanted)[None, :, None], axis=2)
    chosen = np.array([min(step, paths.shape[2]) for step in steps]) - 1
    return Overload(
        demand, capacity, now, limit, present > limit, over[:, :, chosen].mean(axis=0), definition
    )


def _between(limit: Floats, wanted: Floats) -> Floats:
    """Return where, between two whole numbers of beds, the first one lies that is too many.

    Where a series' own values are no whole numbers (means of days, shares), the limit is what it is.

    Args:
        limit: [pair]; wanted: [pair, period], NaN where unknown.
    """
    whole = (np.isnan(wanted) | (wanted == np.round(wanted))).all(axis=1)
    found: Floats = np.where(whole, np.floor(limit) + 0.5, limit)
    return found


def past_share(state: Floats, over: np.ndarray, steps: tuple[int, ...]) -> Floats:
    """Return [pair, risk horizon] how often the past was over within h, given whether it was at the start.

    A harder reference than plain persistence: it knows how long an overload lasts here and how often one
    begins. Each pair's own past is drawn towards all pairs' by ten windows.

    Args:
        state: [pair, period] 1 over, 0 not, NaN unknown; over: [pair] whether it is over now.
    """
    known, hit = ~np.isnan(state), np.nan_to_num(state) > 0
    found = np.empty((len(state), len(steps)))
    for number, step in enumerate(steps):
        ahead, seen = np.zeros_like(hit), np.zeros_like(hit)
        for shift in range(1, step + 1):
            ahead[:, :-shift] |= hit[:, shift:]
            seen[:, :-shift] |= known[:, shift:]
        for start in (False, True):
            windows = known & seen & (hit == start)
            windows[:, -step:] = False
            count, total = windows.sum(axis=1), (ahead & windows).sum(axis=1)
            prior = (total.sum() + 0.5) / (count.sum() + 1.0)
            mine = over == start
            found[mine, number] = ((total + DRAWN_TOWARDS_ALL * prior) / (count + DRAWN_TOWARDS_ALL))[mine]
    return found


def events(state: Floats, steps: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return [pair, risk horizon] whether any period within h was over, and whether that can be told.

    Args:
        state: [pair, lead] 1 over, 0 not, NaN unknown. "No" needs half of the window observed.
    """
    found, told = (np.zeros((len(state), len(steps)), bool) for _ in range(2))
    for number, step in enumerate(steps):
        window = state[:, :step]
        found[:, number] = (window > 0).any(axis=1)
        told[:, number] = found[:, number] | ((~np.isnan(window)).mean(axis=1) >= 0.5)
    return found, told
