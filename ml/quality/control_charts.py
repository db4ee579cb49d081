"""XmR charts: which points of a measure are a signal, and which are noise that nobody should act on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Floats = np.ndarray

# 3 / d2 with d2 = 1.128, the mean range of two normal values in standard deviations, and D4 of two:
# Wheeler (2000), Understanding Variation, 2nd ed.; Wheeler & Chambers (1992), Understanding SPC.
LIMIT, RANGE_LIMIT = 2.66, 3.268
FEWEST_RANGES = 5  # limits of fewer move with every point
RUN = 8

OUTSIDE, ONE_SIDE, NEAR_A_LIMIT = "outside the limits", "eight on one side", "three of four near a limit"


@dataclass(frozen=True)
class Signal:
    """A point that is no noise. `direction` is 1 above the centre, -1 below it."""

    at: int
    rule: str
    direction: int


@dataclass(frozen=True)
class Chart:
    """Centre and natural process limits of a measure, its signals, or why there are none to be told.

    Args:
        range_limit: a moving range above it is a sudden jump.
    """

    centre: float | None
    low: float | None
    high: float | None
    range_limit: float | None
    signals: tuple[Signal, ...]
    reason: str = ""


def xmr(values: Floats, baseline: int | None = None) -> Chart:
    """Return the chart of individual values and moving ranges.

    Limits are the mean ± 2.66 mean moving ranges. Signals, by Wheeler's run rules: a point outside the
    limits; the eighth of eight on one side of the centre (and those after it); the last of three, out of
    four, that lie nearer to a limit than to the centre. What is missing breaks a moving range and a run.

    Args:
        values: [period], NaN where missing.
        baseline: limits come from the first so many periods; None: from all.
    """
    values = np.asarray(values, float)
    base = values if baseline is None else values[:baseline]
    ranges = np.abs(np.diff(base))
    ranges = ranges[~np.isnan(ranges)]
    if len(ranges) < FEWEST_RANGES:
        why = f"{len(ranges)} changes from period to period, {FEWEST_RANGES} are needed for limits"
        return Chart(None, None, None, None, (), why)
    centre, width = float(np.nanmean(base)), float(ranges.mean())
    low, high = centre - LIMIT * width, centre + LIMIT * width
    found = [
        *(Signal(int(at), OUTSIDE, 1) for at in np.flatnonzero(values > high)),
        *(Signal(int(at), OUTSIDE, -1) for at in np.flatnonzero(values < low)),
    ]
    for direction in (1, -1):
        away = direction * (values - centre)
        run = 0
        for at, side in enumerate(away > 0):
            run = run + 1 if side else 0
            if run >= RUN:
                found.append(Signal(at, ONE_SIDE, direction))
        near = away > LIMIT * width / 2
        for at in map(int, np.flatnonzero(near)):
            window = slice(max(0, at - 3), at + 1)
            if near[window].sum() >= 3 and not np.isnan(values[window]).any():
                found.append(Signal(at, NEAR_A_LIMIT, direction))
    return Chart(
        centre, low, high, RANGE_LIMIT * width, tuple(sorted(found, key=lambda one: (one.at, one.rule)))
    )
