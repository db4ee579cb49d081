"""Drift and decay: features no longer as in training, forecasts worse than their back-test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from . import bootstrap

Floats = np.ndarray

BINS = 10
FEWEST_ROWS = 500  # of training and of today: a smaller sample differs by chance
# Siddiqi (2006), Credit Risk Scorecards, ch. 9: below 0.10 no change, above 0.25 a major one.
MODERATE, MAJOR = 0.10, 0.25
# Times. Of 150 checks of made-up series that stay as they were, 10 were false alarms at one, none at two.
BEYOND_USUAL = 2.0
FEWEST_REALISED = 500  # forecasts that came true before anything is said of them
FEWEST_ORIGINS = 10
TOLERATED = 1.10  # times the back-test's loss

MISSING, OTHER = "(missing)", "(other)"


@dataclass(frozen=True)
class Reference:
    """How one feature was spread in the training sample.

    Args:
        edges: inner edges of the bins of a number; empty for texts.
        levels: texts, each a bin; empty for numbers.
        shares: of the bins in order, then OTHER (texts only), then MISSING.
        rows: of the training sample.
    """

    name: str
    edges: tuple[float, ...]
    levels: tuple[str, ...]
    shares: tuple[float, ...]
    rows: int


@dataclass(frozen=True)
class Shift:
    """How far a feature has moved: population stability index, or None with the reason.

    Args:
        usual: the farthest it had moved before, over as long a time, where that is known.
    """

    name: str
    index: float | None
    rows: int
    reason: str = ""
    usual: float = 0.0

    @property
    def is_major(self) -> bool:
        """Return whether it calls for a new training: beyond what is twice as far as ever."""
        return self.index is not None and self.index > MAJOR + BEYOND_USUAL * self.usual


def reference(name: str, values: Sequence[Any] | Floats) -> Reference:
    """Return the spread of a training sample: tenths of a number, the most frequent texts of a category.

    Args:
        values: numbers (NaN missing), or texts (None missing).
    """
    array = np.asarray(values)
    if array.dtype.kind in "fiub":
        number = array.astype(float)
        known = number[np.isfinite(number)]
        inner = np.linspace(0, 1, BINS + 1)[1:-1]
        edges = np.unique(np.quantile(known, inner)) if len(known) else known
        made = Reference(name, tuple(map(float, edges)), (), (), len(array))
    else:
        texts = [str(value) for value in values if value is not None]
        found, count = np.unique(np.array(texts, dtype=str), return_counts=True)
        kept = found[np.argsort(-count, kind="stable")][:20]
        made = Reference(name, (), tuple(sorted(map(str, kept))), (), len(array))
    shares = _counts(made, values) / max(1, len(array))
    return replace(made, shares=tuple(map(float, shares)))


def shift(known: Reference, values: Sequence[Any] | Floats) -> Shift:
    """Return the population stability index of today's values: Σ (today - then) ln(today / then) over bins.

    The symmetric Kullback-Leibler divergence (Kullback & Leibler 1951, Ann. Math. Stat. 22; Yurdakul 2018 for
    its sampling error, (bins - 1)(1/n + 1/m) by chance alone, which is why small samples are not judged).
    Half a row is added to every bin, so that an empty one does not make it infinite.
    """
    rows = len(values)
    for size, which in ((known.rows, "training"), (rows, "present")):
        if size < FEWEST_ROWS:
            return Shift(known.name, None, rows, f"{size} {which} rows, {FEWEST_ROWS} are needed")
    bins = len(known.shares)
    then = (np.array(known.shares) * known.rows + 0.5) / (known.rows + 0.5 * bins)
    now = (_counts(known, values) + 0.5) / (rows + 0.5 * bins)
    return Shift(known.name, float(((now - then) * np.log(now / then)).sum()), rows)


def _counts(known: Reference, values: Sequence[Any] | Floats) -> Floats:
    """Return the rows per bin: of the number or the levels, OTHER (of texts), MISSING."""
    if known.levels or np.asarray(values).dtype.kind not in "fiub":
        place = {level: at for at, level in enumerate(known.levels)}
        width = len(known.levels) + 2
        text = [width - 1 if one is None else place.get(str(one), width - 2) for one in values]
        return np.bincount(np.array(text, np.int64), minlength=width).astype(float)
    number = np.asarray(values, float)
    at = np.where(
        np.isfinite(number), np.searchsorted(known.edges, number, side="right"), len(known.edges) + 1
    )
    return np.bincount(at.astype(np.int64), minlength=len(known.edges) + 2).astype(float)


def as_json(references: list[Reference]) -> list[dict[str, Any]]:
    """Return references as JSON keeps them."""
    return [asdict(one) for one in references]


def from_json(found: list[dict[str, Any]]) -> list[Reference]:
    """Return references from `as_json`."""
    return [
        Reference(one["name"], tuple(one["edges"]), tuple(one["levels"]), tuple(one["shares"]), one["rows"])
        for one in found
    ]


@dataclass(frozen=True)
class Decay:
    """How realised loss stands to the back-test's: the ratio, its lower 95 % bound, or why there is none."""

    ratio: float | None
    low: float | None
    cells: int
    origins: int
    reason: str = ""

    @property
    def is_decayed(self) -> bool:
        """Return whether it is worse than tolerated beyond chance."""
        return self.low is not None and self.low > TOLERATED


def decay(loss: Floats, origin: np.ndarray, backtest_loss: float, newest: int = 40) -> Decay:
    """Return realised loss over the newest origins in units of the back-test's mean loss.

    The bound is a block bootstrap over origins: what one origin forecasts comes out well or badly together,
    and so does what its neighbours forecast.

    Args:
        loss: [cell] weighted interval scores of forecasts whose truth is known, in the back-test's unit.
        origin: [cell] from when each was forecast; ascending in time.
        backtest_loss: mean of the same score in the back-test.
        newest: how many origins, counted back from the last, are looked at.
    """
    kept = np.isfinite(loss) & np.isin(origin, np.unique(origin)[-newest:])
    part, cells = loss[kept], int(kept.sum())
    names, at = np.unique(origin[kept], return_inverse=True)
    if not backtest_loss > 0:
        return Decay(None, None, cells, len(names), "the back-test has no loss to compare with")
    if cells < FEWEST_REALISED or len(names) < FEWEST_ORIGINS:
        why = (
            f"{cells} forecasts of {len(names)} origins came true; {FEWEST_REALISED} of {FEWEST_ORIGINS} are "
            "needed"
        )
        return Decay(None, None, cells, len(names), why)
    found = bootstrap.estimate(part / backtest_loss, np.ones(cells), at, 1, fewest=FEWEST_ORIGINS)
    return Decay(found.value, found.low, cells, len(names))


def why(shifts: list[Shift], decays: dict[str, Decay]) -> str | None:
    """Return why a new training is due, or None: decay first, as it is what is felt.

    Args:
        decays: {grain: decay}.
    """
    for grain, one in sorted(decays.items()):
        if one.is_decayed:
            return (
                f"decay: the interval score per {grain} is {one.ratio:.2f} of the back-test's over "
                f"{one.cells} values (at least {one.low:.2f} beyond chance, {TOLERATED:.2f} are tolerated)"
            )
    moved = sorted((one for one in shifts if one.is_major), key=lambda one: one.usual - (one.index or 0.0))
    if moved:
        named = ", ".join(
            f"{one.name} {one.index:.2f}" + (f" (until then {one.usual:.2f} at most)" if one.usual else "")
            for one in moved[:5]
        )
        return f"drift: features are not as in training (stability index above {MAJOR}): {named}"
    return None
