"""Whether what a model is shown is still what it learned from: features since training beside those before.

A few days differ from the years before them by the season alone, and by chance: what all series share is one
value per period. So the newest periods are not held against a fixed limit alone but against earlier
stretches of the same length, drawn the same way: the farthest of them shows what is usual, and only what lies
far beyond it counts (`drift.Shift`). Only periods since training are looked at: what training saw is no news.
"""

from __future__ import annotations

import numpy as np

from .. import drift
from ..drift import Reference, Shift
from ..panel import Ints, Panel
from .features import Features, Rows
from .sampling import leads, warm_up

MOST_ROWS = 20_000  # of training that a reference is made of
ROWS = 1_000  # drawn from each stretch
FEWEST_PAIRS = 100  # distinct (series, origin) in a stretch
STRETCHES, FEWEST_STRETCHES = 40, 10
# What follows the calendar, or is one value per period for all series, says nothing of how series are.
UNWATCHED = ("holiday", "common")


def references(made: Rows, panel: Panel) -> list[Reference]:
    """Return how the watched features of training rows are spread."""
    step = -(-len(made.x) // MOST_ROWS)
    ahead = tuple(f"{name}_{kind}" for name in panel.ahead for kind in ("then", "change"))
    return [
        drift.reference(name, made.x[::step, column].astype(float))
        for column, name in enumerate(made.names[: made.linear])
        if name not in ahead and not any(part in name for part in UNWATCHED)
    ]


def shifts(features: Features, known: list[Reference], trained_until: int) -> list[Shift]:
    """Return per watched feature how far the periods since training lie from training, and how far is usual.

    Args:
        features: of a panel that goes on after training; trained_until: seconds since 1970.
    """
    history = features.history
    times = history.panel.times[history.first :][: history.width].astype("datetime64[s]").astype(np.int64)
    begin = int(np.searchsorted(times, trained_until, side="right"))
    length = history.width - begin
    if length < 1 or not known:
        return []
    warm = warm_up(history.width, history.configuration)
    count = min(STRETCHES, (begin - warm) // length)
    begins = np.linspace(warm, begin - length, max(count, 0)).astype(np.int64)
    draws = np.random.default_rng(history.configuration.seed)
    newest = _drawn(features, begin, length, draws)
    earlier = [part for one in begins if (part := _drawn(features, int(one), length, draws)) is not None]
    if newest is None or len(earlier) < FEWEST_STRETCHES:
        why = (
            f"{length} periods since training hold fewer than {FEWEST_PAIRS} values"
            if newest is None
            else f"{len(earlier)} stretches of {length} periods before it, {FEWEST_STRETCHES} are needed"
        )
        return [Shift(one.name, None, 0, why) for one in known]
    rows = features.rows(*(np.concatenate(part) for part in zip(newest, *earlier, strict=True)))
    x = rows.under([one.name for one in known]).astype(float).reshape(len(earlier) + 1, ROWS, len(known))
    found = []
    for column, one in enumerate(known):
        now, *before = (drift.shift(one, part[:, column]) for part in x)
        usual = max((past.index for past in before if past.index is not None), default=0.0)
        found.append(Shift(one.name, now.index, now.rows, now.reason, usual))
    return found


def _drawn(
    features: Features, begin: int, length: int, draws: np.random.Generator
) -> tuple[Ints, Ints, Ints] | None:
    """Return (series, origin, lead) of a stretch's rows, None where it holds too few values."""
    history = features.history
    stretch = slice(begin, begin + length)
    good = history.seen[:, stretch] & np.isfinite(history.anchor[:, stretch])
    series, origin = np.nonzero(good)
    if len(series) < FEWEST_PAIRS:
        return None
    chosen = draws.integers(0, len(series), ROWS)
    lead = leads(draws, ROWS, history.panel.horizon, history.configuration)
    return series[chosen], origin[chosen] + begin, lead
