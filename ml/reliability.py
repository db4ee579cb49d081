"""How probabilities agree with what happened: the diagram, when it is refused, and the line through it."""

from __future__ import annotations

import numpy as np

Floats = np.ndarray

FEWEST_EVENTS = 50  # a reliability diagram of fewer shows noise


def refusal(event: Floats) -> str | None:
    """Return why a reliability diagram of these would mislead, or None.

    Both kinds count: where nearly all are events, it is the few that are none which carry the diagram.
    """
    count, other = int(event.sum()), int(len(event) - event.sum())
    if count < FEWEST_EVENTS:
        return f"{count} events, at least {FEWEST_EVENTS} are needed: a diagram of fewer shows noise"
    if other < FEWEST_EVENTS:
        return f"{other} without the event, at least {FEWEST_EVENTS} are needed: of fewer it shows noise"
    return None


def bins_of(probability: Floats, bins: int = 10) -> np.ndarray:
    """Return [row] which tenth of the rows by probability it belongs to; every tenth holds as many rows."""
    order = np.argsort(probability, kind="stable")
    found = np.zeros(len(order), np.int64)
    for which, part in enumerate(np.array_split(order, max(1, min(bins, len(order))))):
        found[part] = which
    return found


def curve(probability: Floats, event: Floats, bins: int = 10) -> list[dict[str, float]]:
    """Return per tenth of the rows by probability: mean said, share that came true, its 95 % interval.

    The interval is Wilson's (1927, J. Am. Stat. Assoc. 22), which stays within 0 and 1 and does not
    vanish where all or none came true.
    """
    found = []
    bin_of = bins_of(probability, bins)
    for which in range(int(bin_of.max()) + 1):
        part = np.flatnonzero(bin_of == which)
        n, share = len(part), float(event[part].mean())
        z = 1.959964
        middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
        found.append(
            {
                "rows": float(n),
                "said": float(probability[part].mean()),
                "came_true": share,
                "low": float(max(0.0, middle - half)),
                "high": float(min(1.0, middle + half)),
            }
        )
    return found


def log_odds(probability: Floats) -> Floats:
    """Return the log-odds, kept finite a millionth away from 0 and 1."""
    kept = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.log(kept / (1 - kept))


def logistic(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-np.clip(x, -35, 35)))


def line(x: Floats, target: Floats, slope: float | None = None) -> tuple[float, float]:
    """Return intercept and slope of the logistic regression of the targets on x, by Newton's method.

    With x the log-odds of a forecast, intercept 0 and slope 1 are what a calibrated one has: Cox (1958),
    Biometrika 45, 562-565. A slope below 1 tells of forecasts that are too extreme.

    Args:
        target: [row] in 0..1.
        slope: held at this value (1 gives "calibration in the large") where given.
    """
    centre, spread = float(x.mean()), float(x.std()) or 1.0
    scaled = (x - centre) / spread
    if slope is None:
        design = np.column_stack([np.ones(len(x)), scaled])
        offset = np.zeros(len(x))
    else:
        design, offset = np.ones((len(x), 1)), slope * x
    weights = np.zeros(design.shape[1])

    def loss(w: Floats) -> float:
        z = design @ w + offset
        return float((np.logaddexp(0.0, z) - target * z).sum() + 1e-6 * (w @ w))

    for _ in range(50):
        p = logistic(design @ weights + offset)
        gradient = design.T @ (p - target) + 2e-6 * weights
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 2e-6 * np.eye(len(weights))
        step, length, before = np.linalg.solve(hessian, gradient), 1.0, loss(weights)
        while length > 1e-4 and loss(weights - length * step) > before:
            length /= 2
        weights = weights - length * step
        # Steps shrink quadratically: what follows one of a millionth is nothing.
        if float(np.abs(length * step).max()) < 1e-6:
            break
    if slope is not None:
        return float(weights[0]), slope
    found = float(weights[1] / spread)
    return float(weights[0] - found * centre), found
