"""XmR charts by hand, and how often their rules call noise a signal."""

from __future__ import annotations

import numpy as np
import pytest

from ml.quality import control_charts
from ml.quality.control_charts import NEAR_A_LIMIT, ONE_SIDE, OUTSIDE

pytestmark = pytest.mark.unit


def test_limits_by_hand() -> None:
    """Moving ranges 2, 1, 3, 2, 2: their mean is 2, so that the limits lie 5.32 from the mean of 11."""
    chart = control_charts.xmr(np.array([10.0, 12.0, 11.0, 14.0, 12.0, 10.0]) - 0.5)
    assert chart.centre == pytest.approx(11.0)
    assert (chart.low, chart.high) == pytest.approx((11 - 5.32, 11 + 5.32))
    assert chart.range_limit == pytest.approx(6.536)
    assert chart.signals == ()


def test_each_rule_tells_its_pattern() -> None:
    base = np.array([10.0, 12.0] * 6)
    high = control_charts.xmr(np.append(base, 17.0), baseline=12)
    assert [(one.at, one.rule, one.direction) for one in high.signals] == [(12, OUTSIDE, 1)]
    run = control_charts.xmr(np.append(base, [10.5] * 9), baseline=12)
    assert [(one.at, one.rule, one.direction) for one in run.signals] == [
        (19, ONE_SIDE, -1),
        (20, ONE_SIDE, -1),
    ]
    near = control_charts.xmr(np.append(base, [14.5, 11.0, 14.5, 14.5]), baseline=12)
    assert (15, NEAR_A_LIMIT, 1) in [(one.at, one.rule, one.direction) for one in near.signals]


def test_noise_is_called_a_signal_seldom_and_a_shift_soon() -> None:
    rng = np.random.default_rng(1)
    quiet, found_by = 0, []
    for _ in range(300):
        noise = rng.normal(0, 1, 48)
        quiet += not any(one.rule == OUTSIDE for one in control_charts.xmr(noise, 24).signals)
        shifted = noise.copy()
        shifted[24:] += 2.0
        after = [one.at for one in control_charts.xmr(shifted, 24).signals if one.at >= 24]
        found_by.append(min(after, default=99) - 24)
    # Three sigma: 0.27 % of points, on 48 points 12 %, and more as limits of 24 points are themselves unsure.
    assert quiet > 0.65 * 300
    assert np.median(found_by) <= 4


def test_gaps_break_runs_and_few_points_or_none_have_no_limits() -> None:
    gap = np.array([10.0, 12.0] * 6 + [10.5] * 4 + [np.nan] + [10.5] * 4)
    assert not any(one.rule == ONE_SIDE and one.at > 16 for one in control_charts.xmr(gap, 12).signals)
    few = control_charts.xmr(np.array([1.0, 2.0, np.nan, 3.0]))
    assert (few.centre, few.signals) == (None, ())
    assert "1 changes from period to period" in few.reason
    assert control_charts.xmr(np.full(20, np.nan)).centre is None
    assert control_charts.xmr(np.full(20, 5.0)).signals == ()
