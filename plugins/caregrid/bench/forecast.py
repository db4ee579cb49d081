"""Forecasting daily series from nothing to quantiles and joint paths, beside AutoETS and plain mlforecast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from caregrid.bench import ground
from caregrid.bench.figures import Figure, Goal, figure

HORIZON, PATHS = 28, 200
# AutoETS takes half a second a series: of more than this many ours stands beside its own smaller size.
MOST_BESIDE = 1_000
_GIBIBYTE = 2**30

_SETUP = """
import numpy as np
from ml import paths
from ml.backtest.peer import MLForecastPeer
from ml.panel import Panel
from ml.recipe import CareGridModel
from ml.panel import WHOLE_QUANTILES
draws = np.random.default_rng(1)
series, periods, horizon = {series}, 3 * 365, {horizon}
day = np.arange(periods)
level = draws.gamma(4, 40, (series, 1))
wander = np.zeros((series, periods))
steps = draws.normal(0, 0.25, (series, periods)) * np.sqrt(level)
for at in range(1, periods):
    wander[:, at] = 0.98 * wander[:, at - 1] + steps[:, at]
week = draws.normal(0, 0.08, (series, 7))[:, day % 7] * level
year = 0.1 * level * np.cos(2 * np.pi * (day - 20) / 365.25)
y = draws.poisson(np.maximum(level + week + year + wander, 0.5)).astype(float)
times = np.datetime64("2022-01-01", "s") + np.arange(periods + horizon) * np.timedelta64(1, "D")
cutoff = int(times[periods - 1].astype("datetime64[us]").astype(np.int64))
ids = tuple(f"s{{number:05}}" for number in range(series))
panel = Panel("D", ids, times, horizon, cutoff, y)
def answer(fitted, panel):
    said = fitted.predict(panel, WHOLE_QUANTILES)
    assert np.isfinite(said).all()
    return paths.shuffle(panel, said, WHOLE_QUANTILES, {paths}, 1)
"""
_TRAIN_AND_SCORE = "answer(CareGridModel().fit(panel), panel)"
_FIT = "fitted = CareGridModel().fit(panel)\nagain = Panel('D', ids, times, horizon, cutoff, y.copy())"
_SCORE = "answer(fitted, again)"
_PEER = "MLForecastPeer().fit(panel).predict(panel, WHOLE_QUANTILES)"
_ETS_SETUP = """
import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import AutoETS
frame = pd.DataFrame({"unique_id": np.repeat(ids, periods), "ds": np.tile(times[:periods], series)})
frame["y"] = y.ravel()
levels = sorted({round(abs(200 * level - 100), 1) for level in WHOLE_QUANTILES if level != 0.5})
# Compiled before, so that only its work is measured.
StatsForecast(models=[AutoETS(season_length=7)], freq="D").forecast(df=frame.head(60), h=1, level=[80])
"""
_ETS = """
made = StatsForecast(models=[AutoETS(season_length=7)], freq="D", n_jobs=2)
made.forecast(df=frame, h=horizon, level=levels)
"""


def measure(sizes: Sequence[int]) -> Iterator[Figure]:
    """Yield training and scoring of so many daily series of three years, 28 days ahead.

    Ours ends with 23 quantiles and 200 joint paths, by the configuration that accuracy was measured with;
    AutoETS (statsforecast, season 7) on two processes with its quantiles.
    """
    first = 0.0
    for number, series in enumerate(sizes):
        setup = _SETUP.format(series=series, horizon=HORIZON, paths=PATHS)
        seconds, peak, _ = ground.in_a_process(_TRAIN_AND_SCORE, setup)
        scoring, _, _ = ground.in_a_process(_SCORE, setup + _FIT)
        if series <= MOST_BESIDE:
            ets, _, _ = ground.in_a_process(_ETS, setup + _ETS_SETUP)
            yield figure(
                f"forecast.daily_{series}", seconds, "s", "AutoETS, the same series", ets, Goal("under", 1)
            )
            peer, _, _ = ground.in_a_process(_PEER, setup)
            yield figure(f"forecast.daily_peer_{series}", seconds, "s", "mlforecast with its intervals", peer)
        if number == 0:
            first = seconds / series
        else:
            yield figure(
                f"forecast.daily_growth_{series}", seconds / series * 1000, "ms a series",
                f"of {sizes[0]} series", first * 1000,
            )  # fmt: skip
        yield figure(f"forecast.daily_scoring_{series}", scoring, "s", goal=_scoring_goal(series))
        yield figure(f"forecast.daily_memory_{series}", peak / _GIBIBYTE, "GiB", goal=Goal("under", 4))


def _scoring_goal(series: int) -> Goal | None:
    return Goal("under", 10) if series <= MOST_BESIDE else None
