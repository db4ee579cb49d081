"""The newest values are corrected by how earlier ones were revised, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from ml.panel import Floats, Panel, Versions
from ml.recipe.revisions import nowcast
from tests.unit.ml.recipe import panels

pytestmark = pytest.mark.unit


def reported(truth: Floats, first: float, cut: int) -> Panel:
    """Return a weekly panel whose values are first told as a share, and whole a week later."""
    empty = panels.panel(truth[:, :cut], 2, "W")
    ends = empty.times[:cut].astype("datetime64[us]").astype(np.int64)
    week = 7 * 86_400 * 1_000_000
    row, column = (part.ravel() for part in np.indices((len(truth), cut)))
    row, column = np.tile(row, 2), np.tile(column, 2)
    known = np.concatenate([ends[column[: len(column) // 2]], ends[column[len(column) // 2 :]] + week])
    value = np.concatenate([first * truth[:, :cut].ravel(), truth[:, :cut].ravel()])
    kept = known <= empty.cutoff
    order = np.argsort(known[kept], kind="stable")
    versions = Versions(*(part[kept][order] for part in (row, column, known, value)))
    y = truth[:, :cut].copy()
    y[:, -1] *= first
    return panels.panel(y, 2, "W", versions=versions)


def test_what_is_told_as_four_fifths_is_taken_for_the_whole() -> None:
    truth = np.round(np.random.default_rng(2).gamma(20, 50, (5, 60)))
    known = reported(truth, 0.8, 50)
    corrected = nowcast(known, 3)
    as_reported = np.abs(known.y[:, -1] - truth[:, 49]).mean()
    assert np.abs(corrected[:, -1] - truth[:, 49]).mean() < 0.1 * as_reported
    assert np.array_equal(corrected[:, :-4], known.y[:, :-4])


def test_where_nothing_is_revised_nothing_is_corrected() -> None:
    truth = np.round(np.random.default_rng(2).gamma(20, 50, (5, 60)))
    assert np.allclose(nowcast(reported(truth, 1.0, 50), 3), truth[:, :50])


def test_a_series_that_nobody_revises_is_drawn_towards_the_others_by_its_prior_alone() -> None:
    # By hand: the first is told at four fifths (log ratio l = ln(1001/801)), the second as it is. Their
    # weights are as the roots of 801 and 1001, say 1 and r. The prior is four times the middle weight,
    # 4 (1 + r) / 2, and the common log ratio l / (1 + r), so the prior adds 2 l to either.
    truth = np.full((2, 60), 1000.0)
    first = reported(truth, 0.8, 50)
    versions = first.versions
    assert versions is not None
    value = np.where(versions.row == 1, 1000.0, versions.value)
    y = first.y.copy()
    y[1, -1] = 1000.0
    known = panels.panel(y, 2, "W", versions=Versions(versions.row, versions.column, versions.known, value))
    corrected = nowcast(known, 3)[:, -1]
    ratio, r = np.log(1001 / 801), np.sqrt(1001 / 801)
    prior = 2 * (1 + r)
    assert corrected[0] == pytest.approx(801 * np.exp((ratio + 2 * ratio) / (1 + prior)) - 1)
    assert corrected[1] == pytest.approx(1001 * np.exp(2 * ratio / (r + prior)) - 1)
