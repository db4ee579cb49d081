"""Joint paths from marginal quantiles: samples of each cell, put in the order that past errors had.

Schaake shuffle: Clark et al. (2004), J. Hydrometeorology 5, 243-262,
https://doi.org/10.1175/1525-7541(2004)005<0243:TSSAMF>2.0.CO;2. A member of the ensemble follows one past
period over all places and leads at once, so that what used to be high together is high together.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from .panel import Floats, Ints, Panel

# How far back past errors are taken from, in periods, and the positions of a profile that they depart from.
RECENT = {"H": 26 * 7 * 24, "D": 3 * 365, "W": 6 * 52, "M": 12 * 12}
PROFILE = {"H": 168, "D": 7, "W": 1, "M": 12}
# An origin counts when this share of the series that are known now was known over its leads.
SHARE = 0.5
CHUNK = 500  # series at once, so that ten thousand of them fit
FEWEST = 100  # paths


def shuffle(panel: Panel, values: Floats, levels: tuple[float, ...], count: int, seed: int) -> Floats:
    """Return [path, series, horizon] as float32: the marginals of `values`, with past errors' ranks.

    Only what the panel knows is used, so nothing of the future is. Where there are fewer past origins than
    paths, they serve several times; a cell without past errors follows the mean error of the other series.

    Args:
        values: [series, horizon, quantile] without NaN, ascending along the last axis.
        levels: of the quantiles, ascending.
        count: number of paths, at least FEWEST.
    """
    if count < FEWEST:
        raise ValueError(f"{count} paths are too few for the levels between, {FEWEST} are the least")
    out = np.empty((count, *values.shape[:2]), dtype=np.float32)
    weights = _weights(levels, count)
    for rows, ranks in _ranks(panel, count, seed):
        samples = np.moveaxis(values[rows] @ weights.T, 2, 0)
        # What is counted is not negative; a model that says otherwise is left as it is.
        floor = np.where(values[rows, :, 0] >= 0, 0.0, -np.inf)
        samples = np.sort(np.maximum(samples, floor[None]), axis=0)
        out[:, rows] = np.take_along_axis(samples, ranks, axis=0)
    return out


def levels_of_paths(count: int) -> Floats:
    """Return the evenly spaced levels at which the marginals are sampled."""
    made: Floats = (np.arange(count) + 0.5) / count
    return made


def quantiles_of_paths(paths: Floats, levels: tuple[float, ...]) -> Floats:
    """Return [..., quantile] of paths along their first axis (Hazen's rule, as `levels_of_paths`)."""
    return np.moveaxis(np.quantile(paths.astype(float), levels, axis=0, method="hazen"), 0, -1)


def _weights(levels: tuple[float, ...], count: int) -> Floats:
    """Return [path, quantile] weights: linear between quantiles on the normal's scale, and beyond the ends.

    On that scale a normal marginal is a straight line, so its tails are continued as they are.
    """
    normal = NormalDist()
    known = np.array([normal.inv_cdf(level) for level in levels])
    wanted = np.array([normal.inv_cdf(float(level)) for level in levels_of_paths(count)])
    weights = np.zeros((count, len(levels)))
    if len(levels) == 1:
        return weights + 1
    below = np.clip(np.searchsorted(known, wanted) - 1, 0, len(levels) - 2)
    share = (wanted - known[below]) / (known[below + 1] - known[below])
    weights[np.arange(count), below] = 1 - share
    weights[np.arange(count), below + 1] += share
    return weights


def _ranks(panel: Panel, count: int, seed: int) -> Iterator[tuple[np.ndarray, Ints]]:
    """Yield rows of the panel with [path, series, horizon] ranks 0 … count - 1 of past errors."""
    rng = np.random.default_rng(seed)
    origins = _origins(panel, count)
    chunks = [np.arange(at, min(at + CHUNK, len(panel.ids))) for at in range(0, len(panel.ids), CHUNK)]
    shape = (len(origins), panel.horizon)
    total, number = np.zeros(shape), np.zeros(shape)
    for rows in chunks if len(origins) else []:
        errors = _errors(panel, rows, origins)
        total += np.nansum(errors, axis=1)
        number += (~np.isnan(errors)).sum(axis=1)
    common = np.where(number > 0, total / np.maximum(number, 1), 0.0)
    # Each path has its origin; which one comes first says nothing.
    order = rng.permutation(np.resize(np.arange(len(origins)), count)) if len(origins) else None
    for rows in chunks:
        noise = rng.standard_normal((count, len(rows), panel.horizon))
        if order is None:
            yield rows, np.argsort(np.argsort(noise, axis=0), axis=0)
            continue
        errors = _errors(panel, rows, origins)
        errors = np.where(np.isnan(errors), common[:, None, :], errors)
        # The noise decides between origins that serve twice and between equal counts, nothing else.
        mixed = errors[order] + 1e-6 * noise
        yield rows, np.argsort(np.argsort(mixed, axis=0), axis=0)


def _origins(panel: Panel, count: int) -> Ints:
    """Return the columns of past origins, spread evenly over the recent past."""
    seen = ~np.isnan(panel.y)
    share = seen.sum(axis=0) / max(int(seen.any(axis=1).sum()), 1)
    first = max(0, panel.width - RECENT[panel.frequency])
    full = [
        at
        for at in range(first, panel.width - panel.horizon)
        if share[at] >= SHARE and share[at + 1 : at + 1 + panel.horizon].mean() >= SHARE
    ]
    if len(full) <= count:
        return np.array(full, dtype=np.int64)
    return np.array(full)[np.linspace(0, len(full) - 1, count).round().astype(int)]


def _errors(panel: Panel, rows: np.ndarray, origins: Ints) -> Floats:
    """Return [origin, series, lead] errors of a plain forecast in units of each series' own spread.

    The plain forecast is the profile of the season plus what is left, after the lead, of the last departure
    from it (one factor per lead, least squares over all these series). Square roots calm the large ones.
    """
    first = max(0, panel.width - RECENT[panel.frequency])
    y = np.sqrt(np.maximum(panel.y[rows, first:], 0))
    rest = y - _profile(y, PROFILE[panel.frequency])
    spread = np.sqrt(np.nanmean(np.where(np.isnan(rest).all(axis=1)[:, None], 0.0, rest) ** 2, axis=1))
    rest = rest / np.maximum(spread, 1e-9)[:, None]
    at = np.asarray(origins) - first
    now = rest[:, at]
    out = np.empty((len(at), len(rows), panel.horizon))
    for lead in range(1, panel.horizon + 1):
        later = rest[:, at + lead]
        both = ~np.isnan(now) & ~np.isnan(later)
        power = float((now[both] ** 2).sum())
        factor = float((now[both] * later[both]).sum()) / power if power > 0 else 0.0
        out[:, :, lead - 1] = (later - factor * now).T
    return out


def _profile(y: Floats, positions: int) -> Floats:
    """Return [series, period] the mean at each position of the season; the mean of all where never seen."""
    cycles = -(-y.shape[1] // positions)
    padded = np.full((y.shape[0], cycles * positions), np.nan)
    padded[:, : y.shape[1]] = y
    cube = padded.reshape(y.shape[0], cycles, positions)
    seen = ~np.isnan(cube)
    number = seen.sum(axis=1)
    mean = np.where(seen, cube, 0).sum(axis=1) / np.maximum(number, 1)
    whole = np.where(seen, cube, 0).sum(axis=(1, 2)) / np.maximum(number.sum(axis=1), 1)
    mean = np.where(number > 0, mean, whole[:, None])
    return np.tile(mean, (1, cycles))[:, : y.shape[1]]
