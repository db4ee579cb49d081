"""Levels 1 to 4 of a risk, which do not flicker; and what overload means where a source cannot show any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import metrics, reliability

Floats = np.ndarray

OVER_CAPACITY, UNDER_RESERVE = "occupied over capacity", "free under a reserve"
RESERVE = 0.1  # of capacity
FEWEST_OBSERVATIONS = 100
STRAY = 0.001  # share of values over capacity that are wrong reports and show nothing
# Capacity follows the occupied beds where their changes agree this well, and beyond chance.
FOLLOWS, STANDARD_ERRORS = 0.2, 3.0


@dataclass(frozen=True)
class Hysteresis:
    """Thresholds of the levels 2, 3 and 4, set once.

    Args:
        up: a level is reached in the run whose probability is at or above it; ascending.
        down: a level is left after the probability was below it in `runs` runs one after the other;
            ascending, each below its `up`.
        runs: how many runs must agree before a level falls.
    """

    up: tuple[float, float, float] = (0.15, 0.35, 0.65)
    down: tuple[float, float, float] = (0.10, 0.25, 0.50)
    runs: int = 3

    def __post_init__(self) -> None:
        ascending = list(self.up) == sorted(set(self.up)) and list(self.down) == sorted(set(self.down))
        below = all(low < high for low, high in zip(self.down, self.up, strict=True))
        if not ascending or not below or self.runs < 1 or self.down[0] <= 0 or self.up[-1] > 1:
            raise ValueError(
                f"thresholds must ascend within (0, 1], each down below its up, runs from 1: {self}"
            )


@dataclass(frozen=True)
class State:
    """What is kept from one run to the next.

    Args:
        level: 1 to 4.
        below: for the levels 2, 3 and 4, how many runs in a row were below `down`.
    """

    level: int = 1
    below: tuple[int, int, int] = (0, 0, 0)


def step(state: State, probability: float, rule: Hysteresis) -> State:
    """Return the state after one more run; a run without a probability changes nothing.

    Each level is a switch of its own that goes on at `up` and off after `runs` runs below `down`; as both
    ascend, a higher level is never on while a lower one is off.
    """
    if not np.isfinite(probability):
        return state
    level, below = 1, []
    for at, (high, low) in enumerate(zip(rule.up, rule.down, strict=True)):
        count = state.below[at] + 1 if probability < low else 0
        was_on = state.level >= at + 2
        if probability >= high or (was_on and count < rule.runs):
            level = at + 2
        below.append(min(count, rule.runs))
    return State(level, (below[0], below[1], below[2]))


@dataclass(frozen=True)
class Definition:
    """What overload means for one source, and how that was told.

    Args:
        name: OVER_CAPACITY or UNDER_RESERVE.
        reserve: share of capacity that must stay free; 0 for OVER_CAPACITY.
        reason: in words, for the reader of a report.
    """

    name: str
    reserve: float
    reason: str


def definition(occupied: Floats, capacity: Floats, reserve: float = RESERVE) -> Definition:
    """Return which definition a source's own values call for.

    Where capacity is counted as occupied plus free, it can never be exceeded and moves with what is
    occupied: then overload means that less than the reserve is free. A capacity that was exceeded by more
    than one value in a thousand, or that stands still, or moves for reasons of its own, can be exceeded.

    Args:
        occupied, capacity: [series, period], NaN where unknown.
    """
    known = ~np.isnan(occupied) & ~np.isnan(capacity) & (capacity > 0)
    count, over = int(known.sum()), int((occupied[known] > capacity[known]).sum())
    if over > STRAY * count:
        return Definition(OVER_CAPACITY, 0.0, f"{over} of {count} values were over capacity")
    if count < FEWEST_OBSERVATIONS:
        why = f"{count} values are too few to tell ({FEWEST_OBSERVATIONS} are needed); {over} over capacity"
        return Definition(OVER_CAPACITY, 0.0, why)
    agreement, steps = _agreement(occupied, capacity)
    if agreement >= FOLLOWS and agreement * np.sqrt(steps) >= STANDARD_ERRORS:
        why = (
            f"{over} of {count} values were over capacity, and capacity moves with what is occupied "
            f"(correlation of changes {agreement:.2f} over {steps} changes): it cannot show an overload"
        )
        return Definition(UNDER_RESERVE, reserve, why)
    why = (
        f"{over} of {count} values were over capacity, but capacity does not move with what is occupied "
        f"(correlation of changes {agreement:.2f} over {steps} changes)"
    )
    return Definition(OVER_CAPACITY, 0.0, why)


def _agreement(occupied: Floats, capacity: Floats) -> tuple[float, int]:
    """Return the correlation of period to period changes, each series counting alike, and how many there are.

    Changes, not levels: over years both grow with the house, in any source.
    """
    one, other = np.diff(occupied, axis=-1), np.diff(capacity, axis=-1)
    both = ~np.isnan(one) & ~np.isnan(other)
    top, steps = 0.0, 0
    for row in range(len(one)):
        x, y = one[row][both[row]], other[row][both[row]]
        # A capacity that never moves agrees with nothing, and its periods count all the same.
        if len(x) > 2 and x.std() > 0:
            top += len(x) * (float(np.corrcoef(x, y)[0, 1]) if y.std() > 0 else 0.0)
            steps += len(x)
    return (top / steps if steps else 0.0), steps


def limit(capacity: Floats, rule: Definition) -> Floats:
    """Return above how many occupied beds there is overload; where capacity is 0 any patient is too many."""
    return capacity * (1 - rule.reserve)


def is_over(occupied: Floats, capacity: Floats, rule: Definition) -> Floats:
    """Return 1 where there is overload, 0 where there is none, NaN where nobody can tell."""
    over = (occupied > limit(capacity, rule)).astype(float)
    return np.where(np.isnan(occupied) | np.isnan(capacity), np.nan, over)


def verify(probability: Floats, event: Floats, references: dict[str, Floats]) -> dict[str, object]:
    """Return how good probabilities were: Brier score, its skill against each reference, the diagram.

    What cannot be told is None; of a diagram that was refused the reason stands under `refused`.
    """
    why = reliability.refusal(event)
    found: dict[str, object] = {
        "cases": len(event), "events": int(event.sum()), "brier": _told(metrics.brier(probability, event)),
        "reliability": None if why else reliability.curve(probability, event), "refused": why,
    }  # fmt: skip
    for name, reference in references.items():
        found[f"brier_skill_vs_{name}"] = _told(metrics.brier_skill(probability, reference, event))
    return found


def _told(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
