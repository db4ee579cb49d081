"""Overload risk of one feed and grain: raw from the forecast, then set right by what happened before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import exceedance
from .eligibility import capacity_pairs
from .features import FeatureMaker
from .model import QuantileModel
from .spine import Spine

Floats = np.ndarray
Ints = np.ndarray

# Weights of (1, logit of the forecast's probability, logit of the past share) where nothing is known better.
PLAIN = (0.0, 1.0, 0.0)
RIDGE = (2.0, 20.0, 20.0)
CALIBRATION_ORIGINS = 12
FEWEST_WINDOWS = 200
DRAWN_TOWARDS_ALL = 10  # windows


@dataclass
class Overload:
    """What is said about pairs of demand and capacity from one origin each.

    Args:
        demand, capacity: [pair] grid rows; origin: [pair] columns.
        held: [pair] capacity last known at the origin; over_now: [pair] whether demand exceeds it already.
        raw, share: [pair, risk horizon] from the forecast alone, and from the past alone.
    """

    demand: Ints
    capacity: Ints
    origin: Ints
    held: Floats
    over_now: np.ndarray
    raw: Floats
    share: Floats


def pairs(maker: FeatureMaker, rows: Ints) -> tuple[Ints, Ints]:
    """Return demand and capacity rows among `rows` whose capacity has been observed."""
    found = capacity_pairs(maker.spine)
    wanted = {int(row) for row in rows}
    chosen = [
        (row, found[row]) for row in sorted(found) if row in wanted and maker.grid.last[found[row]] >= 0
    ]
    return np.array([one for one, _ in chosen], np.int64), np.array([one for _, one in chosen], np.int64)


def assess(
    model: QuantileModel, maker: FeatureMaker, demand: Ints, capacity: Ints, origin: Ints, seed: int,
    past: tuple[Floats, Floats] | None = None,
) -> Overload:  # fmt: skip
    """Say P(demand > capacity within h) for every pair and risk horizon from what the grid knows up to the
    origin.

    Args:
        past: `beds(...)` up to another column than the grid's last, when the grid knows more than the
        origin may.
    """
    grid, settings = maker.grid, maker.settings
    wanted, held = beds(maker, demand, capacity)
    at = np.arange(len(demand))
    now, present = held[at, origin], wanted[at, origin]
    forecast = (
        model.predict_paths(maker, demand, origin, settings.horizon) * grid.units[demand][:, None, None]
    )
    limit = np.broadcast_to(now[:, None], forecast.shape[:2])
    score = exceedance.exceedance_score(forecast, limit, model.quantiles)
    correlation = exceedance.error_correlation(maker, demand)
    steps = np.array(settings.risk_horizons)
    over = present > now
    return Overload(
        demand, capacity, origin, now, over,
        raw=exceedance.within_horizon(score, correlation, seed)[:, steps - 1],
        share=past_share(*(past or (wanted, held)), over, settings.risk_horizons),
    )  # fmt: skip


def beds(maker: FeatureMaker, demand: Ints, capacity: Ints) -> tuple[Floats, Floats]:
    """Return [pair, period] demand and capacity (carried forward), both for the panel that reports today."""
    grid = maker.grid
    wanted = grid.y[demand] * grid.units[demand][:, None]
    return wanted, exceedance.last_known(grid.y[capacity] * grid.units[capacity][:, None])


def past_share(demand: Floats, capacity: Floats, over: np.ndarray, horizons: tuple[int, ...]) -> Floats:
    """Return [pair, risk horizon] how often the past was over within h, given whether it was over at the
    start.

    A harder reference than plain persistence: it knows how long an overload lasts here and how often one
    begins.
    Each pair's own past is drawn towards all pairs' by ten windows.
    """
    state = np.where(np.isnan(demand) | np.isnan(capacity), np.nan, demand > capacity)
    known, hit = ~np.isnan(state), np.nan_to_num(state) > 0
    found = np.empty((len(demand), len(horizons)))
    for number, step in enumerate(horizons):
        ahead, seen = np.zeros_like(hit), np.zeros_like(hit)
        for shift in range(1, step + 1):
            ahead[:, :-shift] |= hit[:, shift:]
            seen[:, :-shift] |= known[:, shift:]
        for start in (False, True):
            windows = known & seen & (hit == start)
            windows[:, -step:] = False
            count, total = windows.sum(axis=1), (ahead & windows).sum(axis=1)
            prior = (total.sum() + 0.5) / (count.sum() + 1.0)
            mine = over == start
            found[mine, number] = ((total + DRAWN_TOWARDS_ALL * prior) / (count + DRAWN_TOWARDS_ALL))[mine]
    return found


def events(
    spine: Spine, demand: Floats, capacity: Floats, origin: Ints, horizons: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return [pair, risk horizon] whether demand exceeded capacity within h, and whether that can be told.

    Args:
        demand, capacity: [pair, period]; origin: [pair] columns. "No" needs half of the window observed.
    """
    at = np.arange(len(demand))[:, None]
    width = demand.shape[1]
    ahead = np.arange(1, max(horizons) + 1)[None, :]
    # Nothing follows across a silence that was cut out.
    follows = spine.period_at(origin[:, None] + ahead) - spine.period_at(origin)[:, None] == ahead
    found, told = np.zeros((len(demand), len(horizons)), bool), np.zeros((len(demand), len(horizons)), bool)
    for number, step in enumerate(horizons):
        columns = origin[:, None] + np.arange(1, step + 1)[None, :]
        inside = (columns < width) & follows[:, :step]
        columns = np.minimum(columns, width - 1)
        wanted = np.where(inside, demand[at, columns], np.nan)
        with np.errstate(invalid="ignore"):
            found[:, number] = (wanted > capacity[at, columns]).any(axis=1)
        told[:, number] = found[:, number] | ((~np.isnan(wanted)).mean(axis=1) >= 0.5)
    return found, told


def probability(said: Overload, weights: tuple[float, float, float]) -> Floats:
    """Return [pair, risk horizon] probabilities under the weights, never falling with the horizon."""
    x = _design(said)
    return np.maximum.accumulate(_logistic(x @ np.array(weights)), axis=1)


def calibrate(model: QuantileModel, maker: FeatureMaker, rows: Ints, seed: int) -> tuple[float, float, float]:
    """Return the weights that would have been right over the calibration periods, which the trees never saw.

    Logistic regression of the event on the two log-odds, drawn by a ridge towards the forecast alone
    (Platt 1999). A source whose capacity always holds its demand, because it counts them together, thereby
    gets risks near none.
    """
    demand, capacity = pairs(maker, rows)
    if not len(demand):
        return PLAIN
    settings = maker.settings
    newest = int(maker.grid.last[demand].max())
    limit = newest - settings.calibration
    if limit < maker.spine.season:
        return PLAIN
    wanted, held = beds(maker, demand, capacity)
    origins = np.unique(
        np.linspace(limit, newest - settings.risk_horizons[0], CALIBRATION_ORIGINS).astype(int)
    )
    x, y = [], []
    for origin in origins:
        # Each pair starts from its newest value at or before the origin, as it would have then.
        start = maker.newest(demand, np.full(len(demand), origin))
        fit = np.flatnonzero(
            (start >= max(0, origin - settings.horizon)) & ~np.isnan(held[np.arange(len(demand)), start])
        )
        if not len(fit):
            continue
        past = wanted[fit, : limit + 1], held[fit, : limit + 1]
        said = assess(model, maker, demand[fit], capacity[fit], start[fit], seed, past)
        happened, told = events(maker.spine, wanted[fit], held[fit], start[fit], settings.risk_horizons)
        told &= start[fit][:, None] + np.array(settings.risk_horizons)[None, :] <= newest
        x.append(_design(said)[told])
        y.append(happened[told])
    if not x or sum(len(part) for part in y) < FEWEST_WINDOWS:
        return PLAIN
    return _regress(np.concatenate(x), np.concatenate(y).astype(float))


def _design(said: Overload) -> Floats:
    """Return [pair, risk horizon, 3]: one and the two log-odds."""
    raw, share = _log_odds(said.raw), _log_odds(said.share)
    return np.stack([np.ones_like(raw), raw, share], axis=-1)


def _log_odds(p: Floats) -> Floats:
    kept = np.clip(p, 0.002, 0.998)
    return np.log(kept / (1 - kept))


def _logistic(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


def _regress(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Return ridge logistic weights by Newton's method (25 steps, each damped)."""
    weights, towards, ridge = np.array(PLAIN), np.array(PLAIN), np.diag(RIDGE)
    for _ in range(25):
        p = _logistic(x @ weights)
        gradient = x.T @ (p - y) + ridge @ (weights - towards)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + ridge
        step = np.linalg.solve(hessian, gradient)
        weights = weights - np.clip(step, -1.0, 1.0)
    return float(weights[0]), float(weights[1]), float(weights[2])
