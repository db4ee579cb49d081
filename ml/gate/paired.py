"""Losses of two models on the very same cells of one grain: what the promotion gate is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..evaluation.cells import LEVELS, Cells
from ..panel import SEASONS, Floats, Ints

if TYPE_CHECKING:
    import polars as pl

DAY = 86_400_000_000  # microseconds
PERIODS = {"hour": DAY / 24, "day": DAY, "week": 7 * DAY, "month": 365.25 / 12 * DAY}


class BackTest(Protocol):
    """A back-test of one grain and feed: scored cells, and what is known of each series.

    `facts` has a row per series: unique_id, and further columns (region, measure) whose values are subgroups.
    """

    @property
    def grain(self) -> str: ...  # noqa: D102
    @property
    def feed(self) -> str: ...  # noqa: D102
    @property
    def cells(self) -> Cells: ...  # noqa: D102
    @property
    def facts(self) -> pl.DataFrame: ...  # noqa: D102


@dataclass(frozen=True)
class Paired:
    """Losses of a challenger and of another model on the same cells of one grain.

    Args:
        cutoff: [cell] number of its cutoff, ascending in time; cutoffs of several feeds at about the same
            time share a number, and so a block.
        ours, theirs: [cell] weighted interval score divided by the series' in-sample naive error, so that
            size does not rule.
        covered: {50, 80, 95: [cell] 1 where our central interval holds the truth, NaN where there is none}.
        subgroups: {"feed=x", "measure=occupied", "region=NW": [cell] whether it belongs}.
        block: cutoffs that are alike at least (a season, or the horizon where that is longer), from 1.
        unanswered: further cells that the other model forecast and the challenger did not.
        other: the other model's name.
    """

    grain: str
    cutoff: Ints
    ours: Floats
    theirs: Floats
    covered: dict[int, Floats]
    subgroups: dict[str, np.ndarray] = field(default_factory=dict)
    block: int = 1
    unanswered: int = 0
    other: str = "seasonal_naive"


def paired(tests: Sequence[BackTest], ours: str, theirs: str) -> Paired | None:
    """Return the cells that a challenger and another model both forecast, over all feeds of one grain.

    A block is as many cutoffs as a season takes, or as the horizon does: forecasts of the same period share
    its truth, so that their losses are alike (Diebold & Mariano 1995, J. Bus. Econ. Stat. 13).

    Args:
        tests: back-tests of one grain, one per feed; those without either model are left out.
        ours, theirs: names of the challenger, and of the other such as seasonal_naive or champion.

    Returns:
        None where no cell is left.
    """
    tests = [one for one in tests if {ours, theirs} <= set(one.cells.models)]
    if not tests:
        return None
    spacing = _spacing(tests)
    places = _places([one.cells.cutoffs for one in tests], spacing)
    kinds = list(dict.fromkeys(name for one in tests for name in one.facts.columns if name != "unique_id"))
    parts = [_part(one, ours, theirs, place) for one, place in zip(tests, places, strict=True)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    told = {kind: np.concatenate([_told(one, kind) for one in tests]) for kind in kinds}
    feeds = [np.full(len(one.cells.code), one.feed, dtype=object) for one in tests]
    told.setdefault("feed", np.concatenate(feeds))
    both = np.isfinite(joined["ours"]) & np.isfinite(joined["theirs"])
    if not both.any():
        return None
    unanswered = ~np.isfinite(joined["ours"]) & np.isfinite(joined["theirs"])
    joined = {name: values[both] for name, values in joined.items()}
    groups = {
        f"{kind}={value}": values[both] == value
        for kind, values in sorted(told.items())
        for value in sorted({str(one) for one in values[both] if one is not None})
    }
    grain = tests[0].grain
    return Paired(
        grain=grain,
        cutoff=joined["cutoff"].astype(np.int64),
        ours=joined["ours"].astype(float),
        theirs=joined["theirs"].astype(float),
        covered={level: joined[f"covered{level}"].astype(float) for level in LEVELS},
        # What is the whole again is no part of it.
        subgroups={name: mask for name, mask in groups.items() if not mask.all()},
        block=_block(grain, max(_horizon(one, ours) for one in tests), spacing),
        unanswered=int(unanswered.sum()),
        other=theirs,
    )


def _part(test: BackTest, ours: str, theirs: str, place: Ints) -> dict[str, np.ndarray]:
    """Return the cells of one feed, column by column; losses NaN where a model or the scale has none."""
    cells = test.cells
    scale = np.where(cells.naive_error > 0, cells.naive_error, np.nan)
    found = {
        "cutoff": place[cells.cutoff],
        "ours": cells.figure(ours, "wis") / scale,
        "theirs": cells.figure(theirs, "wis") / scale,
    }
    return found | {f"covered{level}": cells.figure(ours, f"covered{level}") for level in LEVELS}


def _told(test: BackTest, kind: str) -> np.ndarray:
    """Return [cell] what a column of the facts says of the cell's series, None where it says nothing."""
    facts: dict[str, object] = {}
    if kind in test.facts.columns:
        facts = dict(test.facts.select("unique_id", kind).iter_rows())
    found: np.ndarray = np.array([facts.get(name) for name in test.cells.ids], dtype=object)[
        test.cells.series
    ]
    return found


def _horizon(test: BackTest, ours: str) -> int:
    """Return how many periods the challenger forecasts from most cutoffs; a late one goes farther."""
    cells = test.cells
    farthest = np.zeros(len(cells.cutoffs), dtype=np.int64)
    np.maximum.at(farthest, cells.cutoff, np.where(np.isfinite(cells.figure(ours, "wis")), cells.step, 0))
    told = farthest[farthest > 0]
    return int(np.median(told)) if len(told) else 0


def _spacing(tests: Sequence[BackTest]) -> float:
    """Return the microseconds between cutoffs: the median of the feed that is cut most often."""
    gaps = [
        float(np.median(np.diff(one.cells.cutoffs).astype(np.int64)))
        for one in tests
        if len(one.cells.cutoffs) > 1
    ]
    return min(gaps, default=0.0)


def _places(cutoffs: list[np.ndarray], spacing: float) -> list[Ints]:
    """Return per feed [its cutoff] the number of its place in time: what lies close together shares one.

    Feeds are cut at their own hours. A place begins with the first cutoff that lies half a spacing or more
    after the beginning of the last.
    """
    moments = np.unique(np.concatenate(cutoffs)).astype("datetime64[us]").astype(np.int64)
    numbers, begin = np.zeros(len(moments), dtype=np.int64), moments[0]
    for at in range(1, len(moments)):
        begins = moments[at] - begin >= max(spacing / 2, 1)
        numbers[at] = numbers[at - 1] + begins
        begin = moments[at] if begins else begin
    known = [one.astype("datetime64[us]").astype(np.int64) for one in cutoffs]
    return [numbers[np.searchsorted(moments, one)] for one in known]


def _block(grain: str, horizon: int, spacing: float) -> int:
    periods = max(SEASONS[grain[0].upper()], horizon)
    return max(1, int(np.ceil(periods * PERIODS[grain] / spacing - 0.05))) if spacing > 0 else 1
