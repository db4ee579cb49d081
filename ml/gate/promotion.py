"""The written rule by which a challenger becomes champion: promoted, refused, or not enough evidence.

docs/models.md says it in words; how sure a difference is, `bootstrap` says.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ..bootstrap import FEWEST_BLOCKS, FEWEST_CUTOFFS, TAIL, Estimate, estimate, is_enough
from ..evaluation.cells import LEVELS
from ..words import many
from .paired import Paired

PROMOTED, REFUSED, NOT_ENOUGH = "promoted", "refused", "not enough evidence"

# What a model must be to serve a grain at all, beside seasonal naive.
FEWEST_ORIGINS = 5
FEWEST_CELLS = 200
COVERAGE = {80: (0.68, 0.92), 95: (0.87, 0.998)}

# What it must be to take a champion's place.
COVERAGE_APART = 0.03  # of nominal, either way
FEWEST_CELLS_OF_A_SUBGROUP = 200
MOST_LOSS_OF_A_SUBGROUP = 0.05
MOST_TOLD = 5  # checks that a reason names; the table holds all
MOST_UNANSWERED = 0.05  # share of the champion's cells: nobody wins by leaving the hard ones out


@dataclass(frozen=True)
class Verdict:
    """What was decided, why, which grains the model may serve, and the checks behind it, a row each."""

    answer: str
    reason: str
    serves: tuple[str, ...]
    table: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Check:
    """One row of the gate's table; figures are None where there are none, `passed` where it is undecided."""

    grain: str
    check: str
    value: float | None
    low: float | None
    high: float | None
    limit: str
    cells: int
    cutoffs: int
    passed: bool | None

    def told(self) -> str:
        """Return the row in words."""
        if self.value is None:
            return f"{self.check} cannot be computed"
        sure = "" if self.low is None else f" ({self.low:.4g} to {self.high:.4g})"
        return f"{self.check} is {self.value:.4g}{sure}, asked is {self.limit}"


def decide(
    against_naive: dict[str, Paired],
    against_champion: dict[str, Paired] | None = None,
    champion_serves: tuple[str, ...] = (),
    same_recipe: bool = False,
) -> Verdict:
    """Decide on a challenger.

    First each grain is judged beside seasonal naive (or what stands in its place): whether the model may
    serve it at all. A model that may serve none, or not each that the champion serves, is not promoted. A
    first model, and the champion's recipe on newer data (whose back-test on these cells is the champion's
    own), go no further and are promoted.

    Any other is compared with the champion's recipe, over the grains it may serve: refused where one grain
    is, promoted where at least one is and none is refused, else not enough evidence. A grain is

    - promoted: the 95 % interval of the mean difference of interval scores lies below 0, the intervals of 50,
      80 and 95 % cover within 3 points of that, no subgroup is worse by 5 % beyond chance, and hardly a cell
      of the champion's is left without an answer;
    - refused: one of these is the other way, beyond chance;
    - else not enough evidence: fewer than 30 cutoffs or two blocks, or an interval on both sides of its
      limit.

    As one grain that is promoted suffices, the upper ends of all grains hold together with the confidence
    that one alone would have (Bonferroni; Dunn 1961, J. Am. Stat. Assoc. 56). A grain that the champion
    does not serve is won where it may be served and nothing else is undecided; one that it serves, and whose
    recipe has no back-test of it, lacks evidence.

    Args:
        against_naive: {grain: the challenger beside seasonal naive}, every grain that was back-tested; {}
            where there was nothing to test.
        against_champion: {grain: the challenger beside the champion's recipe, on cells both have}; None where
            there is no champion, or none whose recipe is known; not looked at with `same_recipe`.
        champion_serves: grains the champion serves, () where there is no champion.
        same_recipe: both are the same recipe, the challenger fitted on newer data.

    Returns:
        The verdict; its table is JSON without NaN, a row per grain and check.
    """
    judged = {grain: may_serve(one) for grain, one in sorted(against_naive.items())}
    table = [row for rows in judged.values() for row in rows]
    serves = tuple(grain for grain, rows in judged.items() if _answer(rows) == PROMOTED)
    kept_back = [
        f"{grain} is kept back: {_told(rows)}" for grain, rows in judged.items() if grain not in serves
    ]
    if not serves:
        small = all(_answer(rows) == NOT_ENOUGH for rows in judged.values())
        why = kept_back or ["no grain could be back-tested"]
        return _verdict(NOT_ENOUGH if small else REFUSED, why, serves, table)
    lost = sorted(set(champion_serves) - set(serves))
    if lost:
        why = [f"the champion serves {', '.join(lost)}, this one may not", *kept_back]
        return _verdict(REFUSED, why, serves, table)
    if same_recipe or against_champion is None:
        why = [
            "a refresh, the champion's recipe on newer data, not a comparison"
            if same_recipe
            else "no comparison with the champion, of which nothing is known"
            if champion_serves
            else "the first model, no comparison with a champion",
            f"it beats {_name(against_naive[serves[0]])} and may serve {', '.join(serves)}",
        ]
        return _verdict(PROMOTED, [*why, *kept_back], serves, table)
    answers, reasons = set(), []
    shared = [against_champion[grain] for grain in serves if grain in against_champion]
    chances = sum(is_enough(len(np.unique(one.cutoff)), one.block) for one in shared)
    for grain in serves:
        if grain in against_champion:
            rows = compare(against_champion[grain], max(1, chances))
            table += rows
            answers.add(_answer(rows))
            reasons.append(f"{grain} {_answer(rows)}: {_told(rows)}")
        elif grain in champion_serves:
            answers.add(NOT_ENOUGH)
            reasons.append(f"{grain} {NOT_ENOUGH}: the champion's recipe had no answer to compare with")
        else:
            reasons.append(f"{grain} is new: the champion serves none of it")
    # What the champion does not serve is won, where nothing that it serves is undecided.
    overall = next((answer for answer in (REFUSED, PROMOTED, NOT_ENOUGH) if answer in answers), PROMOTED)
    return _verdict(overall, [*reasons, *kept_back], serves, table)


def may_serve(one: Paired) -> list[Check]:
    """Return by which checks a grain may be served: enough cells, better than naive, coverage not absurd."""
    cells, cutoffs = len(one.ours), len(np.unique(one.cutoff))

    def row(name: str, value: float | None, limit: str, passed: bool | None) -> Check:
        return Check(one.grain, name, value, None, None, limit, cells, cutoffs, passed)

    enough = cells >= FEWEST_CELLS and cutoffs >= FEWEST_ORIGINS
    limit = f"at least {FEWEST_CELLS} cells of {FEWEST_ORIGINS} cutoffs"
    found = [row(f"cells beside {_name(one)}", float(cells), limit, enough or None)]
    if not enough:
        return found
    ratio = estimate(one.ours, one.theirs, one.cutoff, one.block).value
    found.append(row(f"loss as a share of {_name(one)}'s", ratio, "below 1", ratio is not None and ratio < 1))
    for level, (low, high) in COVERAGE.items():
        share = _coverage(one, level).value
        if share is not None:
            limit, name = f"{low} to {high}", f"coverage of {level} % to be served"
            found.append(row(name, share, limit, low <= share <= high))
    return found


def compare(one: Paired, chances: int = 1) -> list[Check]:
    """Return the checks of a challenger beside the champion's recipe on one grain.

    Args:
        chances: grains any of which would promote it; the upper end of the difference holds for all together.
    """
    unit = np.ones(len(one.ours))
    gain = estimate(one.ours - one.theirs, unit, one.cutoff, one.block)
    if chances > 1:
        together = estimate(one.ours - one.theirs, unit, one.cutoff, one.block, TAIL / chances)
        gain = replace(gain, high=together.high)
    better, worse = gain.is_below < 0, gain.is_above > 0
    limit = (
        f"below 0 at the upper end, given at least {FEWEST_CUTOFFS} cutoffs and {FEWEST_BLOCKS} blocks of "
        f"{many(one.block, 'cutoff')}"
    )
    found = [
        _row(one, "interval score less the champion's", gain, limit, better or (False if worse else None))
    ]
    for level in LEVELS:
        least, most = level / 100 - COVERAGE_APART, level / 100 + COVERAGE_APART
        share = _coverage(one, level)
        within = share.value is not None and least <= share.value <= most
        beyond = share.is_below < least or share.is_above > most
        passed = within or (False if beyond else None)
        found.append(_row(one, f"coverage of {level} %", share, f"{least:.2f} to {most:.2f}", passed))
    for name, mask in sorted(one.subgroups.items()):
        if mask.sum() >= FEWEST_CELLS_OF_A_SUBGROUP:
            loss = (one.ours - one.theirs)[mask]
            change = estimate(loss, one.theirs[mask], one.cutoff[mask], one.block)
            limit = f"not beyond {MOST_LOSS_OF_A_SUBGROUP} at the lower end"
            passed = change.is_above <= MOST_LOSS_OF_A_SUBGROUP
            found.append(_row(one, f"loss beyond the champion's, {name}", change, limit, passed))
    missing = one.unanswered / max(1, one.unanswered + len(unit))
    counted = Estimate(missing, None, None, gain.cells, gain.cutoffs)
    limit, passed = f"at most {MOST_UNANSWERED}", missing <= MOST_UNANSWERED
    return [*found, _row(one, "share of the champion's cells without an answer", counted, limit, passed)]


def _name(one: Paired) -> str:
    return "seasonal naive" if one.other == "seasonal_naive" else one.other


def _coverage(one: Paired, level: int) -> Estimate:
    covered = one.covered.get(level, np.full(len(one.ours), np.nan))
    return estimate(covered, np.ones(len(covered)), one.cutoff, one.block)


def _row(one: Paired, name: str, found: Estimate, limit: str, passed: bool | None) -> Check:
    return Check(
        one.grain, name, found.value, found.low, found.high, limit, found.cells, found.cutoffs, passed
    )


def _answer(rows: list[Check]) -> str:
    """Return the answer for one grain: what is refused by any check, and promoted by all."""
    if any(row.passed is False for row in rows):
        return REFUSED
    return PROMOTED if all(row.passed for row in rows) else NOT_ENOUGH


def _told(rows: list[Check]) -> str:
    """Return the rows that decide, in words: those against, else those undecided, else the first."""
    against = [row for row in rows if row.passed is False] or [row for row in rows if row.passed is None]
    shown = against or rows[:1]
    more = f" and {len(shown) - MOST_TOLD} checks more" if len(shown) > MOST_TOLD else ""
    return ", ".join(row.told() for row in shown[:MOST_TOLD]) + more


def _verdict(answer: str, reasons: list[str], serves: tuple[str, ...], table: list[Check]) -> Verdict:
    rows = [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(row).items()
        }
        for row in table
    ]
    return Verdict(answer, "; ".join(reasons), serves, rows)
