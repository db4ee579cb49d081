"""Which cells the gate compares: those both models have, over all feeds of a grain, in blocks of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from ml.evaluation.cells import Cells
from ml.evaluation.reading import read
from ml.gate.paired import paired

pytestmark = pytest.mark.unit

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
FIRST = datetime.fromisoformat("2024-01-07")
LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}


@dataclass
class Back:
    """A back-test as far as the gate looks at it."""

    grain: str
    feed: str
    cells: Cells
    facts: pl.DataFrame


def _back(
    feed: str = "wards", grain: str = "day", cutoffs: int = 4, step: int = 1, horizon: int = 2,
    first: datetime = FIRST, lacks: tuple[str, str] | None = None, naive_error: float = 2.0,
) -> Back:  # fmt: skip
    """Score two models on two series, whose truth is 10: ours says 11 at every level, the other 13."""
    cuts = [first + number * step * LENGTHS[grain] for number in range(cutoffs)]
    said = [
        (name, cut, cut + lead * LENGTHS[grain], lead, model, level, 10.0 + off)
        for name in ("a", "b")
        for cut in cuts
        for lead in range(1, horizon + 1)
        for model, off in (("caregrid", 1.0), ("champion", 3.0))
        for level in LEVELS
        if lacks != (model, name)
    ]
    columns = ["unique_id", "cutoff", "ds", "horizon", "model", "quantile", "value"]
    forecasts = pl.DataFrame(said, schema=columns, orient="row")
    truth = forecasts.select("unique_id", "ds").unique().with_columns(y=pl.lit(10.0))
    scale = forecasts.select("unique_id", "cutoff").unique()
    scale = scale.with_columns(
        naive_error=pl.when(pl.col("unique_id") == "a").then(naive_error).otherwise(10.0)
    )
    facts = pl.DataFrame({"unique_id": ["a", "b"], "measure": ["occupied"] * 2, "region": ["north", None]})
    return Back(grain, feed, read(forecasts, truth, scale), facts)


def test_losses_are_in_units_of_each_series_own_naive_error() -> None:
    one = paired([_back()], "caregrid", "champion")
    assert one is not None
    # All quantiles on one value: the interval score is the absolute error.
    assert sorted(set(one.ours.tolist())) == pytest.approx([0.1, 0.5])
    assert sorted(set(one.theirs.tolist())) == pytest.approx([0.3, 1.5])
    assert one.cutoff.tolist() == [0, 0, 1, 1, 2, 2, 3, 3] * 2
    assert {level: set(values.tolist()) for level, values in one.covered.items()} == {
        50: {0.0},
        80: {0.0},
        95: {0.0},
    }
    assert (one.grain, one.unanswered) == ("day", 0)


def test_subgroups_are_feeds_measures_and_regions_that_are_not_the_whole() -> None:
    one, alone = (
        paired([_back(), _back("trusts")], "caregrid", "champion"),
        paired([_back()], "caregrid", "champion"),
    )
    assert one is not None
    assert alone is not None
    assert {name: int(mask.sum()) for name, mask in one.subgroups.items()} == {
        "feed=trusts": 16, "feed=wards": 16, "region=north": 16,
    }  # fmt: skip
    assert {name: int(mask.sum()) for name, mask in alone.subgroups.items()} == {"region=north": 8}
    assert set(one.ours[one.subgroups["region=north"]].tolist()) == {0.5}


def test_cells_that_one_of_them_lacks_or_that_have_no_scale_are_left_out_and_those_we_lack_are_counted() -> (
    None
):
    ours = paired([_back(lacks=("caregrid", "b"))], "caregrid", "champion")
    theirs = paired([_back(lacks=("champion", "b"))], "caregrid", "champion")
    assert ours is not None
    assert theirs is not None
    assert (len(ours.ours), ours.unanswered) == (8, 8)
    assert (len(theirs.ours), theirs.unanswered) == (8, 0)
    unscaled = paired([_back(naive_error=0.0)], "caregrid", "champion")
    assert unscaled is not None
    assert (len(unscaled.ours), unscaled.unanswered) == (8, 0)


def test_feeds_without_the_other_model_are_left_out_and_none_is_none() -> None:
    assert paired([_back()], "caregrid", "seasonal_naive") is None
    assert paired([], "caregrid", "champion") is None


def test_feeds_that_are_cut_at_about_the_same_time_share_their_cutoffs_and_others_follow() -> None:
    later = FIRST + timedelta(hours=7)
    together = paired([_back(), _back("trusts", first=later)], "caregrid", "champion")
    assert together is not None
    assert np.unique(together.cutoff).tolist() == [0, 1, 2, 3]
    years = paired([_back(first=FIRST + timedelta(days=700)), _back("trusts")], "caregrid", "champion")
    assert years is not None
    assert set(years.cutoff[years.subgroups["feed=trusts"]].tolist()) == {0, 1, 2, 3}
    assert set(years.cutoff[years.subgroups["feed=wards"]].tolist()) == {4, 5, 6, 7}


@pytest.mark.parametrize(
    ("grain", "step", "horizon", "block"),
    [
        ("day", 1, 2, 7),
        ("day", 7, 2, 1),
        ("day", 3, 2, 3),
        # Forecasts of the same day are alike for as long as they overlap.
        ("day", 7, 28, 4),
        ("day", 1, 28, 28),
        ("hour", 31, 24, 1),
        ("hour", 31, 48, 2),
        ("hour", 6, 12, 4),
        ("week", 1, 4, 52),
        ("week", 13, 4, 4),
    ],
)
def test_a_block_lasts_a_season_or_a_horizon(grain: str, step: int, horizon: int, block: int) -> None:
    one = paired([_back(grain=grain, step=step, horizon=horizon)], "caregrid", "champion")
    assert one is not None
    assert one.block == block
