"""The promotion gate: its three answers, clause by clause, and what chance alone may do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ml.gate import promotion
from ml.gate.paired import Paired
from ml.gate.promotion import NOT_ENOUGH, PROMOTED, REFUSED, decide
from tests.unit.ml.duels import duel

pytestmark = pytest.mark.unit


def _challenge(
    compared: list[Paired], naive: list[Paired] | None = None, serves: tuple[str, ...] = ("day",)
) -> promotion.Verdict:
    """Decide on a challenger that beats seasonal naive in the grains it is compared in."""
    beaten = naive or [replace(one, theirs=one.ours * 1.5) for one in compared]
    return decide({one.grain: one for one in beaten}, {one.grain: one for one in compared}, serves)


def _row(verdict: promotion.Verdict, start: str, grain: str = "day") -> dict[str, Any]:
    found = [row for row in verdict.table if row["grain"] == grain and row["check"].startswith(start)]
    assert len(found) == 1, (start, verdict.table)
    return found[0]


# Losses that are alike from one cutoff to the next and over series; few cutoffs and many; blocks of a season.
IDENTICAL = [
    {"cutoffs": 30, "alike": 0.5},
    {"cutoffs": 30, "alike": 0.7},
    {"cutoffs": 45, "alike": 0.6, "spread": 0.2},
    {"cutoffs": 60, "alike": 0.7},
    {"cutoffs": 60, "alike": 0.0},
    {"cutoffs": 30, "block": 7, "alike": 0.5, "wave": 0.5},
    {"cutoffs": 60, "block": 7, "alike": 0.7, "wave": 0.5},
]


@pytest.mark.parametrize("how", IDENTICAL, ids=str)
def test_of_a_hundred_identical_challengers_at_most_five_are_promoted(how: dict[str, Any]) -> None:
    """Two hundred are tried, so that luck helps less."""
    answers = [_challenge([duel(seed, **how)]).answer for seed in range(200)]
    assert answers.count(PROMOTED) <= 10
    assert answers.count(NOT_ENOUGH) > 150


def test_of_a_hundred_identical_challengers_in_four_grains_at_most_five_are_promoted() -> None:
    grains = ("hour", "day", "week", "month")
    answers = [
        _challenge(
            [duel(1000 * at + seed, 40, grain=grain) for at, grain in enumerate(grains)], None, grains
        ).answer
        for seed in range(200)
    ]
    assert answers.count(PROMOTED) <= 10


@pytest.mark.parametrize(
    "how",
    [{"cutoffs": 60}, {"cutoffs": 40, "spread": 0.03}, {"cutoffs": 90, "block": 7, "wave": 0.5}],
    ids=str,
)
def test_one_that_is_better_by_eight_percent_is_mostly_promoted(how: dict[str, Any]) -> None:
    answers = [_challenge([duel(seed, gain=0.08, **how)]).answer for seed in range(50)]
    assert answers.count(PROMOTED) > 40
    assert REFUSED not in answers


def test_a_better_one_is_promoted_and_the_table_says_by_which_checks() -> None:
    verdict = _challenge([duel(gain=0.15)])
    assert (verdict.answer, verdict.serves) == (PROMOTED, ("day",))
    gain = _row(verdict, "interval score less")
    assert gain["low"] < gain["value"] < gain["high"] < 0
    assert (gain["passed"], gain["cutoffs"]) == (True, 40)
    assert {row["passed"] for row in verdict.table} == {True}
    assert [row["check"] for row in verdict.table if row["limit"] == "0.92 to 0.98"] == ["coverage of 95 %"]
    assert "interval score less the champion's is -0." in verdict.reason


def test_a_worse_one_is_refused_and_its_figure_is_told() -> None:
    verdict = _challenge([duel(gain=-0.15)])
    assert verdict.answer == REFUSED
    assert _row(verdict, "interval score less")["low"] > 0
    assert "day refused: interval score less the champion's is 0." in verdict.reason


def test_one_whose_interval_holds_zero_is_neither() -> None:
    verdict = _challenge([duel(gain=0.01, spread=0.2)])
    gain = _row(verdict, "interval score less")
    assert gain["low"] < 0 < gain["high"]
    assert (verdict.answer, gain["passed"]) == (NOT_ENOUGH, None)


@pytest.mark.parametrize("how", [{"cutoffs": 29}, {"cutoffs": 60, "block": 52}], ids=str)
@pytest.mark.parametrize("gain", [0.3, -0.3])
def test_too_few_cutoffs_or_blocks_say_nothing_however_large_the_difference(
    how: dict[str, Any], gain: float
) -> None:
    verdict = _challenge([duel(gain=gain, **how)])
    assert verdict.answer == NOT_ENOUGH
    row = _row(verdict, "interval score less")
    assert (row["low"], row["high"], row["passed"]) == (None, None, None)
    assert "at least 30 cutoffs and 2 blocks" in verdict.reason


@pytest.mark.parametrize("level", [50, 80, 95])
def test_a_better_one_whose_intervals_are_wrong_is_refused(level: int) -> None:
    nominal = {50: 0.5, 80: 0.8, 95: 0.95} | {level: level / 100 - 0.07}
    verdict = _challenge([duel(gain=0.15, nominal=nominal)])
    assert verdict.answer == REFUSED
    assert f"coverage of {level} % is" in verdict.reason
    assert _row(verdict, "interval score less")["passed"]


def test_coverage_off_by_what_chance_explains_is_not_held_against_it_nor_passed() -> None:
    one = duel(gain=0.15)
    # Four neighbouring cutoffs are missed altogether, the others held.
    held = (one.cutoff >= 4).astype(float)
    verdict = _challenge([replace(one, covered={**one.covered, 95: held})])
    row = next(row for row in verdict.table if row["limit"] == "0.92 to 0.98")
    assert row["value"] == pytest.approx(0.9)
    assert (row["passed"], verdict.answer) == (None, NOT_ENOUGH)


def test_intervals_that_nobody_gave_are_no_evidence() -> None:
    one = duel(gain=0.15)
    verdict = _challenge([replace(one, covered={**one.covered, 50: np.full(len(one.ours), np.nan)})])
    assert verdict.answer == NOT_ENOUGH
    assert "coverage of 50 % cannot be computed" in verdict.reason


def test_a_subgroup_that_is_worse_refuses_what_is_better_as_a_whole() -> None:
    verdict = _challenge([duel(gain=0.25, subgroup_gain=-0.25, subgroup_series=2, cutoffs=60)])
    row = _row(verdict, "loss beyond the champion's, region=north")
    assert row["low"] > promotion.MOST_LOSS_OF_A_SUBGROUP
    assert (row["cells"], row["passed"], verdict.answer) == (60 * 8, False, REFUSED)
    assert _row(verdict, "interval score less")["passed"]


def test_a_subgroup_is_judged_from_two_hundred_cells_on_and_five_percent_are_let_pass() -> None:
    small = _challenge([duel(gain=0.25, subgroup_gain=-0.5, subgroup_series=1, cutoffs=49)])
    assert not [row for row in small.table if "region=north" in row["check"]]
    assert small.answer == PROMOTED
    little = _challenge([duel(gain=0.25, subgroup_gain=-0.04, subgroup_series=2, cutoffs=60)])
    assert (_row(little, "loss beyond")["passed"], little.answer) == (True, PROMOTED)


def test_one_that_leaves_out_what_is_hard_is_refused() -> None:
    one = duel(gain=0.15)
    assert _challenge([replace(one, unanswered=len(one.ours) // 30)]).answer == PROMOTED
    verdict = _challenge([replace(one, unanswered=len(one.ours) // 10)])
    assert verdict.answer == REFUSED
    assert "without an answer is 0.09" in verdict.reason


@pytest.mark.parametrize(
    ("day", "hour", "answer"),
    [
        (0.15, 0.15, PROMOTED),
        (0.15, 0.0, PROMOTED),
        (0.0, 0.0, NOT_ENOUGH),
        (0.15, -0.15, REFUSED),
        (0.0, -0.15, REFUSED),
    ],
)
def test_one_grain_suffices_and_one_refuses(day: float, hour: float, answer: str) -> None:
    verdict = _challenge([duel(3, gain=day), duel(4, gain=hour, grain="hour")], None, ("day", "hour"))
    assert verdict.answer == answer
    assert "day" in verdict.reason
    assert "hour" in verdict.reason


def test_a_grain_more_that_could_promote_asks_more_of_each_and_refuses_as_before() -> None:
    one, other = duel(gain=0.05), duel(9, grain="hour")
    alone, both = _challenge([one]), _challenge([one, other])
    before, after = _row(alone, "interval score less"), _row(both, "interval score less")
    assert after["high"] > before["high"]
    assert after["low"] == before["low"]
    with_few = _challenge([one, duel(9, cutoffs=20, grain="hour")])
    assert _row(with_few, "interval score less")["high"] == before["high"]


def _beside_naive(loss: float = 0.8, covered: float = 0.95, cutoffs: int = 5, **more: Any) -> Paired:
    one = duel(cutoffs=cutoffs, nominal={50: 0.5, 80: 0.8, 95: covered}, **more)
    return replace(one, ours=one.theirs * loss)


def test_the_first_that_beats_seasonal_naive_is_promoted_and_says_that_it_was_the_first() -> None:
    verdict = decide({"day": _beside_naive()})
    assert (verdict.answer, verdict.serves) == (PROMOTED, ("day",))
    assert "first model, no comparison" in verdict.reason
    assert _row(verdict, "loss as a share of seasonal naive's")["value"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("against", "answer", "why"),
    [
        ({"day": _beside_naive(loss=1.0)}, REFUSED, "seasonal naive's is 1, asked is below 1"),
        ({"day": _beside_naive(covered=0.8)}, REFUSED, "coverage of 95 % to be served is 0."),
        ({"day": _beside_naive(cutoffs=4)}, NOT_ENOUGH, "is 192, asked is at least 200 cells of 5 cutoffs"),
        ({}, NOT_ENOUGH, "no grain"),
    ],
)
def test_what_may_serve_nothing_says_why(against: dict[str, Paired], answer: str, why: str) -> None:
    verdict = decide(against)
    assert (verdict.answer, verdict.serves) == (answer, ())
    assert why in verdict.reason


def test_a_bad_grain_is_kept_back_and_named_and_keeps_back_no_other() -> None:
    verdict = decide({"day": _beside_naive(), "hour": _beside_naive(1.3, grain="hour")})
    assert (verdict.answer, verdict.serves) == (PROMOTED, ("day",))
    assert "hour is kept back: loss as a share of seasonal naive's is 1.3" in verdict.reason


def test_a_refresh_takes_over_but_may_drop_no_grain() -> None:
    fresh = decide({"day": _beside_naive()}, None, ("day",), same_recipe=True)
    assert (fresh.answer, fresh.serves) == (PROMOTED, ("day",))
    assert "refresh" in fresh.reason
    drops = decide({"day": _beside_naive()}, None, ("day", "hour"), same_recipe=True)
    assert drops.answer == REFUSED
    assert "the champion serves hour, this one may not" in drops.reason


def test_a_grain_that_may_not_be_served_is_not_compared() -> None:
    """However much better than the champion's recipe it is there."""
    better, bad = duel(gain=0.0), duel(gain=0.5, grain="hour")
    naive = [replace(better, theirs=better.ours * 1.5), replace(bad, theirs=bad.ours * 0.9)]
    verdict = _challenge([better, bad], naive)
    assert (verdict.answer, verdict.serves) == (NOT_ENOUGH, ("day",))
    refused = _challenge([better, bad], naive, ("day", "hour"))
    assert refused.answer == REFUSED


def test_a_grain_the_champion_does_not_serve_is_won_where_nothing_else_is_undecided() -> None:
    one, new = duel(), duel(grain="hour")
    naive = [replace(one, theirs=one.ours * 1.5), replace(new, theirs=new.ours * 1.5)]
    assert _challenge([], naive, ()).answer == PROMOTED
    assert _challenge([duel(gain=0.15)], naive).answer == PROMOTED
    assert _challenge([duel(gain=-0.15)], naive).answer == REFUSED
    assert _challenge([duel(gain=0.0)], naive).answer == NOT_ENOUGH


def test_a_champion_that_had_no_answer_is_not_beaten() -> None:
    one, failed = duel(gain=0.0), duel(grain="hour")
    naive = [replace(one, theirs=one.ours * 1.5), replace(failed, theirs=failed.ours * 1.5)]
    verdict = _challenge([one], naive, ("day", "hour"))
    assert verdict.answer == NOT_ENOUGH
    assert "hour not enough evidence: the champion's recipe had no answer" in verdict.reason
    assert _challenge([], naive, ("day", "hour")).answer == NOT_ENOUGH


@pytest.mark.parametrize("gain", [0.15, 0.0])
def test_the_table_is_json_without_nan_and_the_same_whenever_it_is_made(gain: float) -> None:
    one = replace(duel(gain=gain), covered={})
    verdict = _challenge([one, replace(one, grain="hour", theirs=np.zeros(len(one.ours)))], None, ("day",))
    told = json.dumps(verdict.table, allow_nan=False)
    assert json.loads(told) == verdict.table
    assert set(verdict.table[0]) == {
        "grain", "check", "value", "low", "high", "limit", "cells", "cutoffs", "passed",
    }  # fmt: skip
    assert len({(row["grain"], row["check"]) for row in verdict.table}) == len(verdict.table)
    assert _challenge([one, replace(one, grain="hour", theirs=np.zeros(len(one.ours)))]) == verdict
