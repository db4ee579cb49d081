"""Fitting a grain: rows drawn, a LightGBM per quantile, calibration on periods the trees never saw."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import overload
from .eligibility import sample_rows, usable_rows
from .features import FeatureMaker
from .model import BANDS, QuantileModel, band
from .settings import Settings
from .spine import Grid

if TYPE_CHECKING:
    import lightgbm as lgb

Floats = np.ndarray
Ints = np.ndarray

FEWEST_ROWS = 300  # fewer rows than this train nothing worth serving
FEWEST_CALIBRATION = 150


def fit(
    grids: list[Grid],
    settings: Settings,
    rows: int,
    progress: Callable[[str], None] = lambda line: None,
) -> QuantileModel | None:
    """Fit one grain on what the grids know; None when they hold too little.

    The last `calibration` periods of each feed, a third of a short history at most, are kept out of training;
    the quantiles are then shifted so that the share of their truth below each equals its level (conformalised
    quantile regression, Romano et al. 2019, asymmetric, per feed and horizon band, drawn towards no shift).
    Deterministic: same grids and settings, same numbers.
    """
    import lightgbm as lgb

    grain = settings.grains[grids[0].spine.grain]
    measures = sorted({measure for grid in grids for measure in grid.spine.series["measure"]})
    makers, chosen = [], []
    for grid in grids:
        usable = sample_rows(grid.spine, usable_rows(grid, settings), settings)
        if len(usable):
            makers.append(FeatureMaker(grid, grain, measures))
            chosen.append(usable)
    if not makers:
        return None
    draws = np.random.default_rng(settings.seed)
    weight = np.sqrt(
        [grid_rows.size * maker.grid.y.shape[1] for maker, grid_rows in zip(makers, chosen, strict=True)]
    )
    share = weight / weight.sum()
    training, calibrating, windows = [], [], []
    for maker, usable, part in zip(makers, chosen, share, strict=True):
        newest = int(maker.grid.last[usable].max())
        windows.append(min(grain.calibration, newest // 3))
        limit = newest - windows[-1]
        wanted = int(rows * part) + 1
        training.append(_draw(maker, usable, grain.horizon, 0, limit, wanted, draws))
        calibrating.append(_draw(maker, usable, grain.horizon, limit + 1, newest, wanted // 2 + 200, draws))
    x = np.concatenate([part.x for part in training])
    z = np.concatenate([part.z for part in training])
    if len(z) < FEWEST_ROWS:
        return None
    data = lgb.Dataset(
        x, z, feature_name=makers[0].names, categorical_feature=["measure"],
        params=_parameters(settings, 0.5, len(z)),
        free_raw_data=True,
    )  # fmt: skip
    boosters = _train_all(data, settings, len(z))
    progress(f"{grids[0].spine.grain}: {len(z)} rows, {len(boosters)} quantiles")
    model = QuantileModel(
        grain=grids[0].spine.grain,
        quantiles=settings.quantiles,
        measures=measures,
        horizon=grain.horizon,
        boosters=boosters,
        offsets={"": np.zeros((BANDS, len(settings.quantiles)))},
        rows=len(z),
        feature_names=makers[0].names,
    )
    for maker, part_rows, window in zip(makers, calibrating, windows, strict=True):
        model.offsets[maker.spine.feed] = _offsets(model, part_rows, window, grain.season)
    for maker, usable in zip(makers, chosen, strict=True):
        model.risk_weights[maker.spine.feed] = overload.calibrate(model, maker, usable, settings.seed)
    return model


def _train_all(data: lgb.Dataset, settings: Settings, rows: int) -> list[lgb.Booster]:
    """Train one booster per quantile, several at once and each on one thread.

    LightGBM's own threads wait for each other at every node: on a busy machine two of them took five times
    as long as one. Boosters that know nothing of each other need no waiting, and no sum depends on threads.
    """
    import lightgbm as lgb

    data.construct()

    def one(quantile: float) -> lgb.Booster:
        return lgb.train(_parameters(settings, quantile, rows), data, num_boost_round=settings.rounds)

    with ThreadPoolExecutor(settings.workers) as pool:
        return list(pool.map(one, settings.quantiles))


@dataclass
class _Drawn:
    x: Floats
    z: Floats
    horizon: Ints


def _draw(
    maker: FeatureMaker,
    usable: Ints,
    horizon: int,
    first: int,
    last: int,
    wanted: int,
    draws: np.random.Generator,
) -> _Drawn:
    """Draw (series, origin, horizon) triples whose target column lies within [first, last] and is observed.

    Origins are observed periods, as in use, that have a season behind them.
    """
    y = maker.y
    begin = min(maker.spine.season, max(y.shape[1] // 3, 1))
    rows, origins = np.nonzero(~np.isnan(y[usable, : last + 1]))
    rows = usable[rows]
    kept = (origins >= max(begin, first - horizon)) & (origins < last)
    rows, origins = rows[kept], origins[kept]
    if not len(rows):
        return _Drawn(np.zeros((0, len(maker.names)), np.float32), np.zeros(0), np.zeros(0, np.int64))
    picked = draws.integers(0, len(rows), size=wanted * 2)
    steps = draws.integers(1, horizon + 1, size=wanted * 2)
    target = origins[picked] + steps
    inside = (target >= first) & (target <= last)
    # Not across a silence that was cut out.
    inside &= maker.spine.period_at(target) - maker.spine.period_at(origins[picked]) == steps
    truth = np.where(inside, y[rows[picked], np.where(inside, target, 0)], np.nan)
    good = np.flatnonzero(~np.isnan(truth))[:wanted]
    made = maker.rows(rows[picked][good], origins[picked][good], steps[good])
    return _Drawn(made.x, (truth[good] - made.level) / made.scale, steps[good])


def _offsets(model: QuantileModel, drawn: _Drawn, calibration: int, season: int) -> Floats:
    """Return [band, quantile] shifts from the residuals of the calibration rows; 0 where they are too few."""
    offsets = np.zeros((BANDS, len(model.quantiles)))
    # A few seasons tell little: the shift is drawn towards none as if one more season had needed none.
    trusted = calibration / (calibration + season)
    if len(drawn.z) < FEWEST_CALIBRATION:
        return offsets
    said = np.stack([booster.predict(drawn.x, num_threads=1) for booster in model.boosters], axis=1)
    bands = band(drawn.horizon, model.horizon)
    for number in range(BANDS):
        mine = bands == number
        if mine.sum() < FEWEST_CALIBRATION:
            mine = np.ones(len(bands), dtype=bool)
        for at, quantile in enumerate(model.quantiles):
            offsets[number, at] = trusted * np.quantile(drawn.z[mine] - said[mine, at], quantile)
    return offsets


def _parameters(settings: Settings, quantile: float, rows: int) -> dict[str, Any]:
    """Return LightGBM's parameters: seeds fixed and one thread, so that the same data give the same trees."""
    return {
        "objective": "quantile", "alpha": quantile, "num_leaves": settings.leaves, "metric": "None",
        "learning_rate": settings.learning_rate, "min_data_in_leaf": max(10, min(100, rows // 200)),
        "feature_pre_filter": False, "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 1,
        "max_bin": settings.bins,
        "seed": settings.seed, "deterministic": True, "force_row_wise": True, "num_threads": 1,
        "verbosity": -1,
    }  # fmt: skip
