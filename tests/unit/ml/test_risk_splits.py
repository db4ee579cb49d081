"""Who may train and who may test: no person twice, nothing later than the test, no site that was seen."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.risk import splits as risk_splits
from ml.risk.splits import CALIBRATE, TEST, TRAIN, UNUSED
from ml.risk.table import prepare
from tests.unit.ml.encounters import ROLES, encounters

pytestmark = pytest.mark.unit


@given(st.integers(0, 50), st.sampled_from(["time", "order", None]))
@settings(deadline=None, max_examples=15)
def test_nobody_is_on_two_sides_and_no_training_row_is_later_than_a_test_row(
    seed: int, by: str | None
) -> None:
    import polars as pl

    frame = encounters(400, seed).with_columns(number=pl.int_range(400).cast(pl.String))
    roles = replace(
        ROLES, time="seen_at" if by == "time" else None, order="number" if by == "order" else None
    )
    table = prepare(frame, roles)
    found = risk_splits.split(table, seed)
    sides = [set(table.person[found.block == which]) for which in (TRAIN, CALIBRATE, TEST)]
    assert all(sides)
    assert all(not one & other for one, other in combinations(sides, 2))
    if table.moment is not None:
        assert table.moment[found.block == TRAIN].max() < table.moment[found.block == CALIBRATE].min()
        assert table.moment[found.block == CALIBRATE].max() < table.moment[found.block == TEST].min()
    else:
        assert not (found.block == UNUSED).any()


def test_what_trains_was_not_chosen_by_what_came_later() -> None:
    """Rows before the first cut all train, whether their person comes back or not."""
    table = prepare(encounters(600), ROLES)
    block = risk_splits.split(table, 1).block
    assert table.moment is not None
    before = table.moment < table.moment[block == CALIBRATE].min()
    assert (block[before] == TRAIN).mean() > 0.99
    later = set(table.person[~before]) & set(table.person[before])
    assert later
    assert np.isin(table.person[block == TRAIN], list(later)).any()


def test_rows_whose_outcome_was_not_known_yet_do_not_train() -> None:
    table = prepare(encounters(900), ROLES)
    assert table.moment is not None
    for delay in (0.0, 30.0):
        block = risk_splits.split(table, 1, delay).block
        for which in (TRAIN, CALIBRATE):
            gap = table.moment[block == which + 1].min() - table.moment[block == which].max()
            assert gap > 0
            assert gap >= delay
    assert "outcome was not known yet" in risk_splits.split(table, 1, 30.0).told


def test_every_site_is_left_out_once() -> None:
    site = np.array(["big"] * 50 + ["a", "b", "c", "d", "e", "f"] * 5)
    folds = risk_splits.site_folds(site, 1)
    assert len(folds) == 5
    assert sorted(np.concatenate(folds)) == sorted(set(site))
    assert ["big"] in [list(fold) for fold in folds]
    assert risk_splits.site_folds(np.array(["one"] * 9), 1) == []


def test_a_draw_gives_every_block_its_share_of_rare_events() -> None:
    table = prepare(encounters(400), replace(ROLES, time=None, person=None))
    table.outcome[:] = 0.0
    table.outcome[:30] = 1.0
    block = risk_splits.split(table, 3).block
    assert [int(table.outcome[block == which].sum()) for which in (TRAIN, CALIBRATE, TEST)] == [18, 6, 6]
