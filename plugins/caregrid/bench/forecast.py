"""Training the forecaster, beside mlforecast's own fit of as many trees and quantiles on the same frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from caregrid import paths
from caregrid.bench import ground, network
from caregrid.bench.figures import Figure, figure

_SETTINGS = """
from dataclasses import replace
from datetime import UTC, datetime
import lightgbm, polars as pl
from ml import fitting, inputs
from ml.data import Frames
from ml.settings import DEMO
frame = pl.read_parquet({file!r})
hours = replace(DEMO.grains["hour"], history=frame["period_start"].n_unique())
settings = replace(DEMO, series_per_feed=None, rows=frame.height, grains={{"hour": hours}})
smallest_leaf = max(10, min(100, settings.rows // 200))
"""
_OURS = """
series = frame.select("series_id").unique().sort("series_id").with_columns(
    grain=pl.lit("instant"), timezone=pl.lit("Asia/Hong_Kong"), country_code=pl.lit("HK")
)
known = inputs.read(Frames(series, frame), settings, datetime.now(UTC))
model = fitting.fit(known.grids(), settings, settings.rows)
assert model is not None, "too few values to train on"
"""
_PEER_IMPORTS = """
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean, RollingStd
frame = frame.select(unique_id="series_id", ds=pl.col("period_start").dt.replace_time_zone(None), y="value")
"""
# The lags, windows and calendar that our features are made of, as far as mlforecast has them.
_PEER = """
models = {
    f"q{quantile}": lightgbm.LGBMRegressor(
        objective="quantile", alpha=quantile, n_estimators=settings.rounds, num_leaves=settings.leaves,
        learning_rate=settings.learning_rate, max_bin=settings.bins, min_child_samples=smallest_leaf,
        subsample=0.8, subsample_freq=1, colsample_bytree=0.8, n_jobs=settings.workers, verbosity=-1,
    )
    for quantile in settings.quantiles
}
windows = [RollingMean(window) for window in hours.windows]
windows += [RollingStd(hours.windows[at]) for at in (1, -1)]
peer = MLForecast(
    models=models, freq="1h", lags=[1, 2, 3, 4, 24, 48, 168, 336], lag_transforms={1: windows},
    date_features=["hour", "weekday"], num_threads=settings.workers,
)
peer.fit(frame)
assert len(peer.models_) == len(settings.quantiles)
"""


def measure(sizes: Sequence[int]) -> Iterator[Figure]:
    """Yield the training at each size in hourly values of the simulated hospitals.

    Both sides begin with the frame in memory and end with a booster per quantile; ours has put the values on
    their spine and calibrated the quantiles, too, and learns from as many rows, for every horizon at once.
    """
    for values in sizes:
        file = paths.var("occupied.parquet")
        rows = network.write_occupied(values, file)
        seconds, peak, _ = ground.in_a_process(_OURS, _settings(file))
        beside, beside_peak, _ = ground.in_a_process(_PEER, _settings(file) + _PEER_IMPORTS)
        yield figure(f"forecast.training_{rows}", seconds, "s", "mlforecast's fit of the same frame", beside)
        yield figure(
            f"forecast.peak_memory_{rows}", peak / 2**20, "MiB", "mlforecast's, the same frame",
            beside_peak / 2**20,
        )  # fmt: skip
        file.unlink()


def _settings(file: Path) -> str:
    return _SETTINGS.format(file=str(file))
