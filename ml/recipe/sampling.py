"""Which (series, origin, lead) a model learns from."""

from __future__ import annotations

import numpy as np

from ..panel import Ints, Panel
from .configuration import Configuration
from .history import History

WARM_UP = 6  # seasons that a row's origin has behind it, a third of a shorter history


def draw(panel: Panel, history: History, configuration: Configuration, reach: int) -> tuple[Ints, Ints, Ints]:
    """Return (series, origin, lead) of training rows: both ends seen, all of them or a draw by seed.

    Leads are drawn as they will be asked for: from the horizon, and longer by the silences at the cutoff.
    """
    draws = np.random.default_rng(configuration.seed)
    width, horizon = history.width, panel.horizon
    warm = warm_up(width, configuration)
    origins = [np.flatnonzero(row[warm : width - 1]) + warm for row in history.seen]
    total = sum(len(one) for one in origins)
    if not total:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    series_all = np.repeat(np.arange(len(origins)), [len(one) for one in origins])
    origin_all = np.concatenate(origins)
    if total * reach <= configuration.rows:
        series = np.repeat(series_all, reach)
        origin = np.repeat(origin_all, reach)
        lead = np.tile(np.arange(1, reach + 1), total)
    else:
        wanted = 2 * configuration.rows
        picked = draws.integers(0, total, wanted)
        series, origin = series_all[picked], origin_all[picked]
        lead = leads(draws, wanted, horizon, configuration)
        living = history.silences()
        lead = lead + draws.choice(living, wanted) if len(living) else lead
    inside = origin + lead < width
    series, origin, lead = series[inside], origin[inside], lead[inside]
    good = history.seen[series, origin + lead] & np.isfinite(history.anchor[series, origin])
    good = np.flatnonzero(good)[: configuration.rows]
    return series[good], origin[good], lead[good]


def warm_up(width: int, configuration: Configuration) -> int:
    """Return the first column of a history that is an origin."""
    longest_profile = configuration.profiles[-1][0] * 2 if configuration.profiles else 0
    wanted = configuration.season * WARM_UP if configuration.profiles else 6
    return min(max(wanted, longest_profile), width // 3)


def leads(draws: np.random.Generator, count: int, horizon: int, configuration: Configuration) -> Ints:
    """Return so many leads up to the horizon, the short ones more often."""
    lead = draws.integers(1, horizon + 1, count)
    short = draws.random(count) < configuration.short_share
    return np.where(short, draws.integers(1, max(horizon // 8, 1) + 1, count), lead)
