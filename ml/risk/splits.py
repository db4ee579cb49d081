"""Who trains, calibrates and tests: later in time, no person twice, and sites that were never seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .table import EVENT, Table

Floats = np.ndarray
Ints = np.ndarray

TRAIN, CALIBRATE, TEST, UNUSED = 0, 1, 2, -1
NAMES = ("training", "calibration", "test")
SHARES = (0.6, 0.2, 0.2)
FEWEST_OF_EACH = 5  # events, and others, in every block
FEWEST_AMOUNTS = 15  # rows in every block
SITE_FOLDS = 5


@dataclass(frozen=True)
class Split:
    """One block per row (UNUSED for rows that would stand on two sides), and how it came about."""

    name: str
    block: Ints
    told: str


def split(table: Table, seed: int, delay_days: float = 0.0) -> Split:
    """Return the main split: by time where the table has one, else drawn by person.

    By time, a person belongs to the block of their first row, and rows of theirs in later blocks are unused:
    so nobody is on two sides, and what trains was not chosen by anything that came later. (To drop the
    earlier rows of those who come again would train on persons who never return.)

    Args:
        delay_days: after how many days the outcome is known; rows whose outcome was not known yet when the
            next block begins are unused. Only with dates.
    """
    if table.moment is None:
        return _drawn(table, seed)
    moment, order = table.moment, np.sort(table.moment)
    ends = [order[min(len(order) - 1, int(len(order) * share))] for share in np.cumsum(SHARES)[:2]]
    own = np.searchsorted(ends, moment, side="right")
    first = np.full(int(table.person.max()) + 1, np.inf)
    np.minimum.at(first, table.person, moment)
    block = np.where(own == np.searchsorted(ends, first[table.person], side="right"), own, UNUSED)
    again = int((block == UNUSED).sum())
    for at, end in enumerate(ends):
        block[(block == at) & (moment + delay_days > end) & (moment <= end)] = UNUSED
    waiting = int((block == UNUSED).sum()) - again
    told = (
        f"{_named(block)} rows, each block later than the one before; {again} rows unused because their "
        "person stands in an earlier block already: the figures are of persons who are new"
    )
    if waiting:
        told += f"; {waiting} unused because their outcome was not known yet when the next block begins"
    return Split("by time" if table.roles.time else "by order", block, told)


def _drawn(table: Table, seed: int) -> Split:
    """Return persons drawn into blocks, those with an event and those without in like shares."""
    rng = np.random.default_rng(seed)
    persons = int(table.person.max()) + 1
    rows = np.bincount(table.person, minlength=persons)
    has = np.zeros(persons, bool)
    if table.kind == EVENT:
        has = np.bincount(table.person, table.outcome, persons) > 0
    block_of = np.zeros(persons, np.int64)
    for kind in (False, True):
        members = np.flatnonzero(has == kind)
        members = members[rng.permutation(len(members))]
        if len(members):
            reached = np.cumsum(rows[members]) / rows[members].sum()
            block_of[members] = np.searchsorted(np.cumsum(SHARES)[:2], reached - 1e-12)
    block = block_of[table.person]
    return Split("drawn by person", block, f"{_named(block)} rows, drawn by person, not by time")


def _named(block: Ints) -> str:
    count = [int((block == which).sum()) for which in (TRAIN, CALIBRATE, TEST)]
    return f"{count[0]} training, {count[1]} calibration and {count[2]} test"


def site_folds(site: np.ndarray, seed: int) -> list[np.ndarray]:
    """Return sets of sites, each to be left out once; large sites are dealt first, to the smallest set.

    Fewer than two sites cannot be held out: then there is none.
    """
    names, rows = np.unique(site, return_counts=True)
    if len(names) < 2:
        return []
    folds: list[list[str]] = [[] for _ in range(min(SITE_FOLDS, len(names)))]
    size = np.zeros(len(folds))
    mixed = np.random.default_rng(seed).permutation(len(names))
    for at in mixed[np.argsort(-rows[mixed], kind="stable")]:
        smallest = int(np.argmin(size))
        folds[smallest].append(str(names[at]))
        size[smallest] += rows[at]
    return [np.array(sorted(fold)) for fold in folds]


def too_few(
    table: Table, block: Ints, chosen: np.ndarray | None = None, blocks: tuple[int, ...] = (0, 1, 2)
) -> str | None:
    """Return why a block holds too little to train, calibrate or test on, or None.

    Args:
        chosen: [row] rows that count; None: all. blocks: those that are looked at.
    """
    kept = np.ones(len(block), bool) if chosen is None else chosen
    for which in blocks:
        name = NAMES[which]
        outcome = table.outcome[(block == which) & kept]
        if table.kind == EVENT:
            events = int(outcome.sum())
            if min(events, len(outcome) - events) < FEWEST_OF_EACH:
                return (
                    f"of {len(outcome)} {name} rows {events} have the event; at least {FEWEST_OF_EACH} "
                    "with and without it are needed"
                )
        elif len(outcome) < FEWEST_AMOUNTS:
            return f"{len(outcome)} {name} rows; at least {FEWEST_AMOUNTS} are needed"
    return None
