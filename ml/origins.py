"""Rolling origins: all models forecast the same cells from what a cut knew, and later truth scores them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import baselines, exceedance, overload
from .eligibility import sample_rows, usable_rows
from .features import FeatureMaker
from .fitting import fit
from .model import QuantileModel
from .settings import Settings
from .spine import Grid, Spine

Floats = np.ndarray
OURS, SEASONAL_NAIVE, PERSISTENCE = "caregrid", "seasonal_naive", "persistence"
PAST_SHARE = "past_share"  # of risks only: how often the past was over, given its state now
TRUTH_SHARE = 0.7  # of an origin's horizon must have come true for many series
MODELS = (OURS, SEASONAL_NAIVE, PERSISTENCE)


@dataclass
class Cells:
    """Forecasts and truth of one feed and grain, one entry per cell that every model forecast.

    Args:
        series_id, origin, horizon, truth: [cell]; origin numbers the cut, the newest 0.
        naive_error: [cell] in-sample seasonal naive error of the series as known at the cut (for MASE).
        quantiles: {model: [cell, quantile]}; points: {model: [cell]}.
    """

    feed: str
    grain: str
    series_id: np.ndarray
    origin: np.ndarray
    horizon: np.ndarray
    truth: Floats
    naive_error: Floats
    quantiles: dict[str, Floats]
    points: dict[str, Floats]


@dataclass
class RiskCells:
    """Probabilities and events of one feed and grain: one entry per pair, origin and risk horizon."""

    feed: str
    grain: str
    horizon: np.ndarray
    event: Floats
    over_now: Floats
    probability: dict[str, Floats]


@dataclass
class Backtest:
    """All cells of one grain, with the cuts that made them."""

    grain: str
    cells: list[Cells]
    risks: list[RiskCells]
    cuts: dict[str, list[int]]
    assumed: list[str]


def cuts_of(spine: Spine, settings: Settings) -> list[int]:
    """Return the cuts of a feed's rolling origins in microseconds, the newest first.

    An origin is a period that at least half as many series report as in the fullest of the last ones, with
    the whole horizon's truth after it; its cut is the moment at which half of its values had become known.
    Origins lie closer together where the feed's history is too short for the usual step.
    """
    grain = settings.grains[spine.grain]
    counts = (~np.isnan(spine.as_known(None).y)).sum(axis=0)
    reported = counts[counts > 0][-max(2 * grain.season, 4 * grain.horizon) :]
    cuts: list[int] = []
    if not len(reported):
        return cuts
    full = counts >= max(1, reported.max() / 2)
    ahead = np.arange(1, grain.horizon + 1)
    cells, firsts = np.unique(spine.row * spine.width + spine.column, return_index=True)
    columns, known = cells % spine.width, spine.known[firsts]
    # Two seasons and something to calibrate on must lie before the earliest origin.
    origin, earliest = spine.width - 1 - grain.horizon, 2 * grain.season
    step = max(1, min(grain.step, (origin - earliest) // max(1, grain.origins - 1)))
    while origin >= earliest and len(cuts) < grain.origins:
        follows = spine.periods[origin + grain.horizon] - spine.periods[origin] == grain.horizon
        if not full[origin] or not follows or full[origin + ahead].mean() < TRUTH_SHARE:
            origin -= 1
            continue
        cut = int(np.sort(known[columns == origin])[(counts[origin] - 1) // 2])
        if not cuts or cut < cuts[-1]:
            cuts.append(cut)
        origin -= step
    return cuts


def run(
    spines: list[Spine], settings: Settings, progress: Callable[[str], None] = lambda line: None
) -> Backtest:
    """Back-test one grain.

    For each feed a model is fitted at its earliest cut, on what all feeds had made known by then, and used
    unchanged for the next `refit_every` cuts, where it sees the values known by those; then one is fitted
    anew. Nothing known after a cut reaches a forecast from it.
    """
    spines = [spine.with_assumed_vintages() for spine in spines]
    grain = spines[0].grain
    found = Backtest(grain, [], [], {}, [spine.feed for spine in spines if spine.vintages_assumed])
    for spine in spines:
        cuts = cuts_of(spine, settings)
        if not cuts:
            progress(f"{grain} {spine.feed}: too short for a back-test")
            continue
        truth, model = spine.as_known(None), None
        every = settings.grains[grain].refit_every
        for number in reversed(range(len(cuts))):
            if model is None or (len(cuts) - 1 - number) % every == 0:
                grids = [other.as_known(cuts[number]) for other in spines]
                fresh = fit([one for one in grids if (one.last >= 0).any()], settings, settings.backtest_rows)
                model = fresh or model
            if model is None:
                continue
            cells, risks = _one_origin(spine, truth, cuts[number], number, model, settings)
            if cells is not None:
                found.cells.append(cells)
            if risks is not None:
                found.risks.append(risks)
        if model is None:
            progress(f"{grain} {spine.feed}: too few rows to fit at the earliest origin")
            continue
        found.cuts[spine.feed] = cuts
        progress(f"{grain} {spine.feed}: {len(cuts)} origins, {model.rows} training rows")
    return found


def _one_origin(
    spine: Spine, truth: Grid, cut: int, number: int, model: QuantileModel, settings: Settings
) -> tuple[Cells | None, RiskCells | None]:
    """Forecast one feed from one cut with every model."""
    grain = settings.grains[spine.grain]
    grid = spine.as_known(cut)
    rows = sample_rows(spine, usable_rows(grid, settings), settings)
    if not len(rows):
        return None, None
    maker = FeatureMaker(grid, grain, model.measures)
    origin = grid.last[rows]
    steps = np.arange(1, grain.horizon + 1)
    columns = origin[:, None] + steps[None, :]
    # Not across a silence that was cut out.
    inside = (columns < spine.width) & (
        spine.period_at(columns) - spine.period_at(origin)[:, None] == steps[None, :]
    )
    later = np.where(inside, truth.y[rows[:, None], np.minimum(columns, spine.width - 1)], np.nan)
    units = grid.units[rows][:, None]
    ours = model.predict_paths(maker, rows, origin, grain.horizon)
    middle = settings.quantiles.index(0.5)
    plain = FeatureMaker(grid, grain, model.measures, power=1) if maker.power != 1 else maker
    quantiles, points = {OURS: ours}, {OURS: ours[:, :, middle]}
    for name in (SEASONAL_NAIVE, PERSISTENCE):
        points[name], quantiles[name] = baselines.quantile_forecasts(
            plain, name, rows, origin, grain.horizon, settings.quantiles
        )
    common = ~np.isnan(later)
    for name in MODELS:
        common &= ~np.isnan(quantiles[name]).any(axis=2) & ~np.isnan(points[name])
    error = np.broadcast_to(_naive_error(plain, rows)[:, None], common.shape)
    scaled = np.broadcast_to(units, common.shape)
    cells = Cells(
        feed=spine.feed,
        grain=spine.grain,
        series_id=np.broadcast_to(spine.series["series_id"].to_numpy()[rows][:, None], common.shape)[common],
        origin=np.full(int(common.sum()), number),
        horizon=np.broadcast_to(steps[None, :], common.shape)[common],
        # A panel is scored as the panel it was at the origin: per unit, times the units of then.
        truth=(later * units)[common],
        naive_error=(error * scaled)[common],
        quantiles={name: (quantiles[name] * units[:, :, None])[common] for name in MODELS},
        points={name: (points[name] * units)[common] for name in MODELS},
    )
    return cells, _risks(spine, truth, maker, rows, model, settings.seed)


def _naive_error(maker: FeatureMaker, rows: np.ndarray) -> Floats:
    """Return the in-sample mean absolute seasonal naive error per row, NaN-free (0: none known)."""
    departures = np.abs(maker.departure[rows])
    seen = ~np.isnan(departures)
    return np.where(seen, departures, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)


def _risks(
    spine: Spine, truth: Grid, maker: FeatureMaker, rows: np.ndarray, model: QuantileModel, seed: int
) -> RiskCells | None:
    """Score P(demand > capacity within h) where capacity is observed."""
    demand, capacity = overload.pairs(maker, rows)
    if not len(demand):
        return None
    grid, steps = maker.grid, maker.settings.risk_horizons
    origin = grid.last[demand]
    said = overload.assess(model, maker, demand, capacity, origin, seed)
    ours = overload.probability(said, model.risk_weights.get(spine.feed, overload.PLAIN))
    wanted = truth.y[demand] * grid.units[demand][:, None]
    held = exceedance.last_known(truth.y[capacity] * grid.units[capacity][:, None])
    event, told = overload.events(spine, wanted, held, origin, steps)
    over = np.broadcast_to(said.over_now[:, None], told.shape).astype(float)
    return RiskCells(
        feed=spine.feed,
        grain=spine.grain,
        horizon=np.broadcast_to(np.array(steps)[None, :], told.shape)[told],
        event=event[told].astype(float),
        over_now=over[told],
        probability={OURS: ours[told], PERSISTENCE: over[told], PAST_SHARE: said.share[told]},
    )
