"""A further signal that comes later than the values, or earlier, is taken for what it is."""

from __future__ import annotations

import numpy as np
import pytest

from ml.panel import Floats
from tests.unit.ml.recipe import panels

pytestmark = pytest.mark.unit

SERIES, PERIODS, HORIZON = 20, 400, 3
MIDDLE = panels.LEVELS.index(0.5)


def errors_of_the_first_target(values_late: int, signal_late: int, behind: int, *, told: bool) -> Floats:
    """Return [series] absolute errors one period ahead, of values that follow a signal some periods behind.

    Args:
        values_late, signal_late: newest periods of which nothing is known; told: whether the signal is given.
    """
    rng = np.random.default_rng(7)
    signal = rng.normal(0, 1, (SERIES, PERIODS + HORIZON))
    y = 100 + rng.normal(0, 1, signal.shape)
    y[:, behind:] += 20 * signal[:, :-behind]
    known = y[:, :PERIODS].copy()
    known[:, PERIODS - values_late :] = np.nan
    shown = signal[:, :PERIODS].copy()
    shown[:, PERIODS - signal_late :] = np.nan
    panel = panels.panel(known, HORIZON, past={"visits": shown} if told else {})
    said = panels.small(12_000, 80).fit(panel).predict(panel, panels.LEVELS)
    return np.abs(said[:, 0, MIDDLE] - y[:, PERIODS])


@pytest.mark.parametrize(
    ("values_late", "signal_late", "behind"),
    [
        pytest.param(0, 0, 1, id="both in time"),
        pytest.param(0, 2, 3, id="the signal two periods late"),
        pytest.param(2, 0, 1, id="the values two periods late"),
        pytest.param(1, 3, 4, id="both late, the signal more"),
    ],
)
def test_what_is_known_of_a_signal_serves_however_late_it_is(
    values_late: int, signal_late: int, behind: int
) -> None:
    """What decides the first target is the newest known value of the signal, in all of these."""
    told = errors_of_the_first_target(values_late, signal_late, behind, told=True)
    alone = errors_of_the_first_target(values_late, signal_late, behind, told=False)
    assert told.mean() < 0.4 * alone.mean()


def test_a_signal_that_is_told_every_seventh_day_is_old_and_not_late() -> None:
    """Its age at the cutoff is what it is on most days: nothing is moved."""
    from ml.recipe.features import _as_late

    values = np.full((2, 40), np.nan)
    values[:, ::7] = np.arange(6) + 1.0
    last = np.array([39, 39])
    moved = _as_late(values, last)
    assert moved[0].tolist() == [float(at // 7 + 1) for at in range(40)]
    # Silent for two periods longer than that, it is two periods late, in all of the past.
    values[1, 35] = np.nan
    moved = _as_late(values, last)
    assert moved[0].tolist() == [float(at // 7 + 1) for at in range(40)]
    late = 39 - 28 - 6
    assert np.isnan(moved[1, :late]).all()
    assert moved[1, late:].tolist() == [float(min(at // 7, 4) + 1) for at in range(40 - late)]
