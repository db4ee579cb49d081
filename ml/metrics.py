"""Scores of probabilistic forecasts and of risks, each with the source of its formula."""

from __future__ import annotations

import numpy as np

Floats = np.ndarray
Ints = np.ndarray
SAME_LEVEL = 1e-9  # two quantile levels closer than this are one, whatever rounding did to them


def pinball(truth: Floats, forecast: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Return [cell, quantile] pinball losses.

    Koenker & Bassett (1978), Econometrica 46: (tau - 1[y < q]) (y - q).

    Args:
        truth: [cell]; forecast: [cell, quantile].
    """
    difference = truth[:, None] - forecast
    tau = np.asarray(quantiles)[None, :]
    return np.maximum(tau * difference, (tau - 1.0) * difference)


def weighted_interval_score(truth: Floats, forecast: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Return [cell] weighted interval scores.

    Bracher et al. (2021), PLOS Comput. Biol. 17(2), e1008618, eq. 2: with K central intervals and the
    median it
    equals the mean over the 2K+1 quantiles of twice the pinball loss.
    """
    return interval_score_of(pinball(truth, forecast, quantiles))


def interval_score_of(losses: Floats) -> Floats:
    """Return [cell] weighted interval scores from [cell, quantile] pinball losses."""
    return 2 * losses.mean(axis=1)


def mass_between_quantiles(below: Ints, reached: Ints, quantiles: tuple[float, ...]) -> Floats:
    """Return [len(quantiles) + 1] how much truth fell before, between and behind the quantiles.

    Czado, Gneiting & Held (2009), Biometrics 65(4), 1254-1261: where truth ties with quantiles, as counts do,
    its one is shared out over the bins it touches by their width, the two outer ones by half of theirs.

    Args:
        below, reached: [cell] number of quantiles less than the truth, and at most the truth.
    """
    edges = np.concatenate([[0.0], np.asarray(quantiles), [1.0]])
    width, size = np.diff(edges), len(quantiles) + 1
    pairs = np.bincount(below * size + reached, minlength=size * size)
    found = np.zeros(size)
    for pair in np.flatnonzero(pairs):
        low, high = divmod(int(pair), size)
        share = width[low : high + 1].copy()
        if high > low:
            share[[0, -1]] /= 2
        found[low : high + 1] += pairs[pair] * share / share.sum()
    return found


def interval(forecast: Floats, quantiles: tuple[float, ...], level: float) -> tuple[Floats, Floats] | None:
    """Return the lower and upper edge [cell] of a central interval; None if one of them is not forecast."""
    edges = []
    for wanted in ((1 - level) / 2, (1 + level) / 2):
        at = int(np.argmin(np.abs(np.asarray(quantiles) - wanted))) if quantiles else 0
        if not quantiles or abs(quantiles[at] - wanted) > SAME_LEVEL:
            return None
        edges.append(forecast[:, at])
    return edges[0], edges[1]


def covered(truth: Floats, low: Floats, high: Floats) -> Floats:
    """Return [cell] 1.0 where the truth lies within an interval, its edges included, else 0.0."""
    return ((truth >= low) & (truth <= high)).astype(float)


def coverage(truth: Floats, forecast: Floats, quantiles: tuple[float, ...], level: float) -> float:
    """Return the share of truth within a central interval; NaN if its two quantiles are not forecast."""
    edges = interval(forecast, quantiles, level)
    if edges is None or not len(truth):
        return float("nan")
    return float(covered(truth, *edges).mean())


def scaled_errors(truth: Floats, point: Floats, naive_error: Floats) -> Floats:
    """Return [cell] |error| / naive error of the cell's series; NaN where that is 0 or not known."""
    scale = np.where(naive_error > 0, naive_error, np.nan)
    return np.abs(truth - point) / scale


def mean_absolute_scaled_error(truth: Floats, point: Floats, naive_error: Floats) -> float:
    """Return the mean of |error| / in-sample mean absolute error of the seasonal naive forecast of the
    cell's series.

    Hyndman & Koehler (2006), Int. J. Forecasting 22(4), 679-688. Cells whose naive error is 0 are left out.

    Args:
        truth, point, naive_error: [cell].
    """
    scaled = scaled_errors(truth, point, naive_error)
    known = ~np.isnan(scaled)
    return float(scaled[known].mean()) if known.any() else float("nan")


def percentage_errors(truth: Floats, point: Floats) -> Floats:
    """Return [cell] |error| / |truth| as a fraction; NaN where the truth is 0, which has no percentage."""
    return np.abs(truth - point) / np.where(truth != 0, np.abs(truth), np.nan)


def log1p_interval_score(truth: Floats, forecast: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Return [cell] weighted interval scores of log(1 + x): errors of growth, whatever the size.

    Bosse et al. (2023), PLOS Comput. Biol. 19(8), e1011393. Forecasts below 0 count as 0; NaN where the truth
    is below 0.
    """
    seen = np.log1p(np.where(truth >= 0, truth, np.nan))
    return weighted_interval_score(seen, np.log1p(np.maximum(forecast, 0.0)), quantiles)


def geometric_mean_of_ratios(ratios: Floats) -> Floats:
    """Return [model, ...] the geometric mean over opponents of pairwise loss ratios; NaN ratios left out.

    Cramer et al. (2022), PNAS 119(15), e2113561119: theta of a model is the mean over all models, itself
    (ratio 1) included.

    Args:
        ratios: [model, opponent, ...] mean loss of the model / of the opponent over the cells both have.
    """
    known = np.isfinite(ratios) & (ratios > 0)
    logs = np.where(known, np.log(np.where(known, ratios, 1.0)), 0.0).sum(axis=1)
    return np.where(known.any(axis=1), np.exp(logs / np.maximum(known.sum(axis=1), 1)), np.nan)


def poisson_absolute_error(mean: Floats) -> Floats:
    """Return [cell] E|Y - median| of a Poisson count Y: no forecast of counts of events can do better.

    With m the median: mean - m + 2 (m F(m) - mean F(m - 1)), about 0.8 sqrt(mean) from a mean of 2 on.
    """
    from scipy.stats import poisson

    # Counts repeat: each is reckoned once.
    distinct, at = np.unique(mean, return_inverse=True)
    middle = poisson.median(distinct)
    low, lower = poisson.cdf(middle, distinct), poisson.cdf(middle - 1, distinct)
    error = distinct - middle + 2 * (middle * low - distinct * lower)
    return np.where(distinct > 0, error, np.where(np.isnan(distinct), np.nan, 0.0))[at]


def brier(probability: Floats, event: Floats) -> float:
    """Return the mean squared difference of probability and event: Brier (1950), Mon. Weather Rev. 78."""
    return float(np.mean((probability - event) ** 2)) if len(event) else float("nan")


def brier_skill(probability: Floats, reference: Floats, event: Floats) -> float:
    """Return 1 - Brier / Brier of the reference: Murphy (1973), J. Appl. Meteorology 12.

    NaN where there is no event or nothing else: then there is nothing to be skilled at.
    """
    base = brier(reference, event)
    told = 0 < event.sum() < len(event) and base > 0
    return 1 - brier(probability, event) / base if told else float("nan")


def probability_above(threshold: Floats, forecast: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Return [cell] P(Y > threshold) from quantiles: straight lines between them.

    Outside of them half of what is left: the forecast does not say how far its tails reach. NaN where there
    is no threshold. A threshold that lies on quantiles counts as reached by all of them.
    """
    level = np.asarray(quantiles)
    forecast = np.sort(forecast, axis=1)
    passed = (forecast <= threshold[:, None]).sum(axis=1)
    low, high = np.maximum(passed - 1, 0), np.minimum(passed, len(level) - 1)
    rows = np.arange(len(forecast))
    gap = forecast[rows, high] - forecast[rows, low]
    part = np.where(gap > 0, (threshold - forecast[rows, low]) / np.where(gap > 0, gap, 1.0), 0.0)
    below = level[low] + part * (level[high] - level[low])
    below = np.where(passed == 0, level[0] / 2, np.where(passed == len(level), (1 + level[-1]) / 2, below))
    return np.where(np.isnan(threshold), np.nan, 1 - below)


def relative_economic_value(hits: float, needless: float, missed: float, quiet: float, ratio: float) -> float:
    """Return what alarms save, as a share of what perfect foresight would: 1 is perfect, 0 is no use.

    Richardson (2000), Q. J. R. Meteorol. Soc. 126, 649-667: acting costs `ratio` of the loss of an event that
    was not acted upon. NaN where nothing or everything was an event, for then nothing can be saved.

    Args:
        hits, needless, missed, quiet: numbers of events with alarm, alarms without event, events without
            alarm, and neither.
    """
    total = hits + needless + missed + quiet
    if not total or not 0 < hits + missed < total:
        return float("nan")
    rate = (hits + missed) / total
    climate, perfect = min(ratio, rate), rate * ratio
    spent = ((hits + needless) * ratio + missed) / total
    return (climate - spent) / (climate - perfect)


def energy_score(truth: Floats, paths: Floats) -> float:
    """Return mean |X - y| - mean |X - X'| / 2 over paths, in Euclidean distance.

    Gneiting & Raftery (2007), J. Am. Stat. Assoc. 102, eq. 22, beta 1; each path is paired with every other
    one (the fair form: Ferro 2014), so that the number of paths does not rule.

    Args:
        truth: [dimension]; paths: [path, dimension].
    """
    from scipy.spatial.distance import pdist

    to_truth = np.sqrt(((paths - truth) ** 2).sum(axis=1)).mean()
    return float(to_truth - (pdist(paths).mean() / 2 if len(paths) > 1 else 0.0))


def variogram_score(truth: Floats, paths: Floats, power: float = 0.5) -> float:
    """Return the mean over pairs of dimensions of (|y_i - y_j|^p - mean |x_i - x_j|^p)^2.

    Scheuerer & Hamill (2015), Mon. Weather Rev. 143, 1321-1334, all weights equal; NaN for one dimension.

    Args:
        truth: [dimension]; paths: [path, dimension].
    """
    one, two = np.triu_indices(len(truth), 1)
    if not len(one):
        return float("nan")
    seen = np.abs(truth[one] - truth[two]) ** power
    said = (np.abs(paths[:, one] - paths[:, two]) ** power).mean(axis=0)
    return float(((seen - said) ** 2).mean())


def any_of_independent(probability: Floats) -> Floats:
    """Return [...] P(any step is an event) if steps were independent: 1 - product of 1 - p, last axis."""
    return 1 - np.prod(1 - probability, axis=-1)
