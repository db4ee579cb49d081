"""Quality risk against a truth that is known, by hand, and scored over rolling origins."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from caregrid.errors import CareGridError
from scipy.stats import betabinom

from ml import metrics
from ml.quality import risk as quality
from ml.quality.measures import HIGHER, LOWER, Measure, until
from ml.quality.risk import Weights

pytestmark = pytest.mark.unit


def _rates(
    facilities: int = 30, periods: int = 48, seed: int = 1, size: tuple[int, int] = (20, 400),
    shared: float = 0.0,
) -> tuple[Measure, np.ndarray]:  # fmt: skip
    """Return shares around levels that each facility holds, and the true P(next period misses 90 %)."""
    rng = np.random.default_rng(seed)
    level = rng.beta(36, 4, facilities)
    counted = rng.integers(*size, facilities)
    n = np.repeat(counted[:, None], periods, axis=1).astype(float)
    share = rng.binomial(counted[:, None], np.repeat(level[:, None], periods, axis=1)) / n
    truth = quality_truth(counted, level)
    grid = np.full(share.shape, 0.9)
    names = tuple(f"F{at:02d}" for at in range(facilities))
    months = tuple(f"{at:03d}" for at in range(periods))
    return Measure("seen in time", names, months, share + shared, n, None, grid, HIGHER), truth


def quality_truth(counted: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Return P(X / n < 0.9) of binomials."""
    from scipy.stats import binom

    return np.array(
        [binom.cdf(np.ceil(0.9 * n - 1e-9) - 1, n, p) for n, p in zip(counted, level, strict=True)]
    )


def test_it_beats_last_value_own_share_and_everybodys_where_the_truth_is_known() -> None:
    measure, truth = _rates()
    found = quality.roll(measure, 12)
    brier = {
        name: metrics.brier(getattr(found, name), found.event)
        for name in ("said", "as_last", "own_share", "all_share")
    }
    assert len(found.event) == 30 * 36
    assert brier["said"] < min(brier["as_last"], brier["own_share"], brier["all_share"])
    # No forecast can beat the truth itself; ours stays within a twentieth of it.
    best = metrics.brier(np.tile(truth, 36), found.event)
    assert brier["said"] < 1.05 * best


def test_small_denominators_are_drawn_to_the_others_and_large_ones_are_not() -> None:
    measure, _ = _rates(size=(5, 6))
    few = until(measure, 6)
    weights = quality.learn(few)
    assert weights is not None
    level = quality._levels(few, weights)[0][:, -1]
    raw = few.value.mean(axis=1)
    assert level.std() < 0.8 * raw.std()
    large, _ = _rates(size=(5000, 5001))
    weights = quality.learn(until(large, 6))
    assert weights is not None
    level = quality._levels(until(large, 6), weights)[0][:, -1]
    assert level == pytest.approx(large.value[:, :6].mean(axis=1), abs=0.01)


def test_a_level_that_moves_is_forgotten_and_one_that_holds_is_not() -> None:
    still, _ = _rates(periods=30, size=(2000, 2001))
    rng = np.random.default_rng(2)
    walk = np.clip(0.9 + np.cumsum(rng.normal(0, 0.02, (30, 30)), axis=1), 0.5, 0.99)
    assert still.size is not None
    moving = Measure(
        "m", still.facilities, still.periods, rng.binomial(2000, walk) / 2000, still.size, None,
        still.benchmark, HIGHER,
    )  # fmt: skip
    one, other = quality.learn(still), quality.learn(moving)
    assert one is not None
    assert other is not None
    assert one.keep >= 0.95
    assert other.keep <= 0.5


@pytest.mark.parametrize(("n", "a", "b"), [(1, 2.0, 0.5), (40, 12.0, 3.0), (4000, 300.0, 15.0)])
def test_the_beta_binomial_equals_another_implementation(n: int, a: float, b: float) -> None:
    for count in (-1, 0, n // 3, int(0.95 * n), n):
        assert quality._share_up_to(count, n, a, b) == pytest.approx(betabinom.cdf(count, n, a, b), abs=1e-8)


def test_one_period_by_hand() -> None:
    """9 of 10 and 18 of 20, nothing forgotten, no peers: a level of 0.9, and the rule of n s / (n + s)."""
    measure = Measure(
        "m", ("A",), ("1", "2"), np.array([[0.9, 0.9]]), np.array([[10.0, 20.0]]), None,
        np.array([[0.9, 0.9]]), HIGHER,
    )  # fmt: skip
    weights = Weights(1.0, 30.0, 0.0)
    level, told = quality._levels(measure, weights)
    assert level[0] == pytest.approx([0.9, 0.9])
    assert told[0] == pytest.approx([10 * 30 / 40, 10 * 30 / 40 + 20 * 30 / 50])
    spread = 19.5 * 30 / 49.5
    expected = betabinom.cdf(17, 20, 0.9 * spread, 0.1 * spread)
    assert quality.probability(measure, weights)[0] == pytest.approx(expected)
    worse = Measure(**{**vars(measure), "better": LOWER})
    expected = 1 - betabinom.cdf(18, 20, 0.9 * spread, 0.1 * spread)
    assert quality.probability(worse, weights)[0] == pytest.approx(expected)


def test_values_with_standard_errors_follow_the_normal_rule() -> None:
    rng = np.random.default_rng(3)
    level = rng.normal(10, 2, 25)
    error = rng.uniform(0.5, 3.0, 25)
    value = level[:, None] + rng.normal(0, 1, (25, 40)) * error[:, None]
    shape = value.shape
    measure = Measure(
        "index", tuple(f"F{at:02d}" for at in range(25)), tuple(f"{at:02d}" for at in range(40)), value, None,
        np.broadcast_to(error[:, None], shape), np.full(shape, 10.0), LOWER,
    )  # fmt: skip
    found = quality.roll(measure, 10)
    ours = metrics.brier(found.said, found.event)
    assert ours < metrics.brier(found.as_last, found.event)
    assert ours < metrics.brier(found.own_share, found.event)
    # The share said and the share that came true agree.
    assert found.said.mean() == pytest.approx(found.event.mean(), abs=0.05)


def test_what_comes_later_leaves_every_forecast_as_it_was() -> None:
    measure, _ = _rates(facilities=8, periods=20)
    noise = measure.value.copy()
    noise[:, 15:] = np.random.default_rng(9).random((8, 5))
    other = Measure(**{**vars(measure), "value": noise})
    one, two = (until(each, 15) for each in (measure, other))
    weights = quality.learn(one)
    assert weights is not None
    assert quality.learn(two) == weights
    assert np.array_equal(quality.probability(one, weights), quality.probability(two, weights))
    early = quality.roll(measure, 12).said[:24]
    assert np.array_equal(early, quality.roll(other, 12).said[:24])


def test_a_season_that_all_facilities_share_is_foreseen_and_named_periods_alone_have_one() -> None:
    rng = np.random.default_rng(5)
    months = tuple(f"{2015 + at // 12}-{at % 12 + 1:02d}" for at in range(72))
    winter = np.array([0.06 if at % 12 in (0, 11) else 0.0 for at in range(72)])
    level = rng.beta(90, 6, 20)[:, None] - winter[None, :]
    shape = (20, 72)
    values = rng.binomial(800, level) / 800
    measure = Measure(
        "m", tuple(f"F{at:02d}" for at in range(20)), months, values, np.full(shape, 800.0), None,
        np.full(shape, 0.9), HIGHER,
    )  # fmt: skip
    nameless = Measure(**{**vars(measure), "periods": tuple(f"{at:02d}" for at in range(72))})
    assert (measure.season, nameless.season) == (12, None)
    gap = Measure(**{**vars(measure), "periods": (*months[:70], months[71], "2021-02")})
    assert gap.season is None
    quarters = Measure(
        **{**vars(measure), "periods": tuple(f"{2000 + at // 4}Q{at % 4 + 1}" for at in range(72))}
    )
    assert quarters.season == 4
    knows, does_not = quality.roll(measure, 36), quality.roll(nameless, 36)
    assert metrics.brier(knows.said, knows.event) < 0.9 * metrics.brier(does_not.said, does_not.event)


def _frame(**changes: Any) -> pl.DataFrame:
    measure, _ = _rates(facilities=6, periods=12)
    rows = [
        {"facility": facility, "measure": "seen in time", "period": period, "value": measure.value[f, p],
         "denominator": 100.0, "benchmark": 0.9, "direction": HIGHER}
        for f, facility in enumerate(measure.facilities) for p, period in enumerate(measure.periods)
    ]  # fmt: skip
    return pl.DataFrame(rows).with_columns(**changes)


def test_a_frame_is_assessed_row_by_row_and_gaps_are_no_failure() -> None:
    frame = _frame().filter(~((pl.col("facility") == "F00") & (pl.col("period") > "005")))
    frame = frame.with_columns(denominator=pl.when(pl.col("facility") == "F01").then(0.0).otherwise(100.0))
    found = quality.assess(frame)
    assert found["facility"].to_list() == [f"F0{at}" for at in range(6)]
    assert found["probability"].is_between(0, 1).all()
    silent = found.row(1, named=True)
    assert (silent["newest_value"], silent["missed_now"], silent["probability"]) == (None, None, None)
    assert found["probability"].null_count() == 1
    assert silent["reason"] == "never counted"
    few = quality.assess(_frame().filter(pl.col("period") < "003"))
    assert few["probability"].null_count() == 6
    assert "fewer than 20" in str(few["reason"][0])


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (_frame().drop("benchmark"), "no column benchmark"),
        (_frame(direction=pl.lit("up")), "direction is up"),
        (_frame(value=pl.lit(93.0)), "93 is no share"),
        (pl.concat([_frame(), _frame().head(1)]), "two values for one period"),
    ],
)
def test_what_cannot_be_assessed_is_refused_in_words(frame: pl.DataFrame, words: str) -> None:
    with pytest.raises(CareGridError, match=words):
        quality.assess(frame)
