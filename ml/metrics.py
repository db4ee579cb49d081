"""Scores of probabilistic forecasts and of risks, each with the source of its formula."""

from __future__ import annotations

import numpy as np

Floats = np.ndarray


def pinball(truth: Floats, forecast: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Return [cell, quantile] pinball losses.

    Koenker & Bassett (1978), Econometrica 46: (tau - 1[y < q]) (y - q).

    Args:
        truth: [cell]; forecast: [cell, quantile].
    """
    difference = truth[:, None] - forecast
    tau = np.asarray(quantiles)[None, :]
    return np.maximum(tau * difference, (tau - 1.0) * difference)


def weighted_quantile_loss(truth: Floats, forecast: Floats, quantiles: tuple[float, ...]) -> float:
    """Return the mean over quantiles of 2 × sum of pinball losses / sum of |truth|; NaN where all truth is 0.

    Salinas et al. (2020), DeepAR, Int. J. Forecasting 36, eq. for the rho-risk, averaged over rho.
    """
    total = np.abs(truth).sum()
    return (
        float(2 * pinball(truth, forecast, quantiles).sum(axis=0).mean() / total)
        if total > 0
        else float("nan")
    )


def weighted_interval_score(truth: Floats, forecast: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Return [cell] weighted interval scores.

    Bracher et al. (2021), PLOS Comput. Biol. 17(2), e1008618, eq. 2: with K central intervals and the
    median it
    equals the mean over the 2K+1 quantiles of twice the pinball loss.
    """
    return 2 * pinball(truth, forecast, quantiles).mean(axis=1)


def coverage(truth: Floats, forecast: Floats, quantiles: tuple[float, ...], level: float) -> float:
    """Return the share of truth within a central interval; NaN if its two quantiles are not forecast."""
    low, high = ((1 - level) / 2, (1 + level) / 2)
    found = [int(np.argmin(np.abs(np.asarray(quantiles) - edge))) for edge in (low, high)]
    if any(abs(quantiles[at] - edge) > 1e-9 for at, edge in zip(found, (low, high), strict=True)) or not len(
        truth
    ):
        return float("nan")
    return float(np.mean((truth >= forecast[:, found[0]]) & (truth <= forecast[:, found[1]])))


def mean_absolute_scaled_error(truth: Floats, point: Floats, naive_error: Floats) -> float:
    """Return the mean of |error| / in-sample mean absolute error of the seasonal naive forecast of the
    cell's series.

    Hyndman & Koehler (2006), Int. J. Forecasting 22(4), 679-688. Cells whose naive error is 0 are left out.

    Args:
        truth, point, naive_error: [cell].
    """
    known = (naive_error > 0) & ~np.isnan(point)
    return float(np.mean(np.abs(truth - point)[known] / naive_error[known])) if known.any() else float("nan")


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
