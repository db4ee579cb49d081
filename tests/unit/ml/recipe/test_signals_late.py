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
    assert told.mean() < 0.33 * alone.mean()


def late_by(values: Floats, known: Floats, horizon: int = 7) -> int:
    """Return by how many periods a signal counts as late."""
    from ml.recipe.configuration import CONFIGURATIONS
    from ml.recipe.features import _late
    from ml.recipe.history import History

    return _late(values, History(panels.panel(known, horizon), CONFIGURATIONS["D"]))


def signal(periods: int = 120, series: int = 20) -> tuple[Floats, Floats]:
    """Return a signal and values, both known to the last period."""
    rng = np.random.default_rng(3)
    return rng.normal(10, 1, (series, periods)), rng.normal(100, 5, (series, periods))


def test_a_signal_that_is_told_every_seventh_day_is_old_and_not_late() -> None:
    """Its age at the cutoff is what it is on most days; silent for two periods longer, it is two late."""
    told, y = signal()
    weekly = np.full_like(told, np.nan)
    weekly[:, ::7] = told[:, ::7]
    # The newest is told of period 119.
    assert late_by(weekly[:, :119], y[:, :119]) == 0
    weekly[:, 112] = np.nan
    assert late_by(weekly[:, :115], y[:, :115]) == 3
    # Told on working days, nothing of a weekend is late; one hole long ago hides nothing.
    working = np.where(np.arange(120) % 7 < 5, told, np.nan)
    assert late_by(working[:, :119], y[:, :119]) == 0
    holed = told.copy()
    holed[:, 1:60] = np.nan
    holed[:, -4:] = np.nan
    assert late_by(holed, y) == 4


def test_what_has_ended_and_a_few_that_are_late_move_nothing() -> None:
    told, y = signal()
    # Half of the values ended long ago and their signals go on; or a tenth of the signals are late.
    ended = y.copy()
    ended[:10, 60:] = np.nan
    assert late_by(told, ended) == 0
    few = told.copy()
    few[:1, -3:] = np.nan
    assert late_by(few, y) == 0
    # Of half of the series the values are late: the others know nothing newer of the signal.
    half = y.copy()
    half[:10, -3:] = np.nan
    assert late_by(told, half) == 0
    # A signal that ended is carried on, as it always was.
    gone = told.copy()
    gone[:, 60:] = np.nan
    assert late_by(gone, y) == 0
    assert late_by(np.full_like(told, np.nan), y) == 0
