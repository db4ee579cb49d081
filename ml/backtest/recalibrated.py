"""A model's points with the spread of its own earlier errors: what recalibration alone would bring."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..panel import Floats, Forecaster, Panel

# Earlier origins that errors are taken from: as many as are at hand, at most this many.
MOST_ORIGINS = 12
# With fewer than this at hand, the model is asked for forecasts from earlier columns of the panel.
FEWEST_ORIGINS = 3
# So many series, spread evenly, are enough for those.
MOST_SERIES = 60
# Errors of one lead, over series and origins; with fewer, the errors of all leads are taken together.
FEWEST_ERRORS = 100


@dataclass
class Recalibrated:
    """Split conformal offsets per lead and interval, pooled over series and earlier origins; points stay.

    An error is measured in widths of the model's own 80 % interval of its cell, so that series of all sizes
    pool. A central interval of level p reaches to the order statistic p (n + 1) of the n sizes of errors
    (Vovk et al., 2005, Algorithmic Learning in a Random World; Lei et al., 2018, J. Am. Stat. Assoc. 113,
    for scores scaled by a spread). An origin counts as far as its truth stands in the panel that is predicted
    from, so nothing that became known after the cutoff is used. In a back-test the earlier cutoffs' own
    forecasts are remembered; for the first ones, forecasts are made from earlier columns of the panel.
    """

    base: Forecaster
    name: str = ""
    _memory: dict[int, tuple[np.ndarray, tuple[str, ...], Floats]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = self.name or f"{self.base.name}_recalibrated"

    def fit(self, panel: Panel) -> Recalibrated:
        """Learn nothing yet: all is in the panel that is predicted from, and in earlier forecasts."""
        return self

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return [series, horizon, quantile]; NaN where the model has no answer."""
        said = self.base.fit(panel).predict(panel, quantiles)
        origins = [self._memory[at] for at in sorted(self._memory) if at < panel.cutoff]
        errors = [_errors(panel, *origin, quantiles) for origin in origins[-MOST_ORIGINS:]]
        errors = [found for found in errors if np.isfinite(found).any()]
        # What was published late is no truth yet: its columns are stepped back over.
        silent = int(np.isnan(panel.y).all(axis=0)[::-1].cumprod().sum())
        for back in range(1, FEWEST_ORIGINS - len(errors) + 1):
            earlier = _earlier(panel, silent + back * panel.horizon)
            if earlier is not None:
                then = self.base.fit(earlier).predict(earlier, quantiles)
                targets = earlier.times[earlier.width :]
                errors.append(_errors(panel, targets, earlier.ids, then, quantiles))
        self._memory[panel.cutoff] = (panel.times[panel.width :], panel.ids, said)
        if not errors:
            return np.full(said.shape, np.nan)
        offsets = _offsets(np.concatenate(errors), quantiles)
        middle, width = _middle_and_width(said, quantiles)
        found = np.maximum(middle[:, :, None] + width[:, :, None] * offsets[None], 0)
        return np.sort(found, axis=2)


def _middle_and_width(said: Floats, quantiles: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Return [series, horizon] medians and widths of the 80 % interval (or the next there is)."""
    low, middle, high = (int(np.argmin(np.abs(np.asarray(quantiles) - level))) for level in (0.1, 0.5, 0.9))
    # A native interval may be clipped at 0 or be flat: a width of nothing would say that nothing can err.
    return said[:, :, middle], np.maximum(said[:, :, high] - said[:, :, low], 1e-3)


def _errors(
    panel: Panel, targets: np.ndarray, ids: tuple[str, ...], said: Floats, quantiles: tuple[float, ...]
) -> Floats:
    """Return [series, lead] errors of earlier forecasts in widths; NaN where the panel has no truth."""
    place = {name: row for row, name in enumerate(panel.ids)}
    rows = np.array([place.get(name, -1) for name in ids])
    columns = np.searchsorted(panel.times[: panel.width], targets)
    inside = columns < panel.width
    truth = np.full((len(ids), len(targets)), np.nan)
    truth[:, inside] = panel.y[rows][:, columns[inside]]
    truth[rows < 0] = np.nan
    middle, width = _middle_and_width(said, quantiles)
    return (truth - middle) / width


def _earlier(panel: Panel, back: int) -> Panel | None:
    """Return the panel as if it ended `back` periods earlier, with values known now; None if too short."""
    width = panel.width - back
    if width < max(2 * panel.horizon, 8):
        return None
    rows = np.unique(np.linspace(0, len(panel.ids) - 1, min(MOST_SERIES, len(panel.ids))).astype(int))
    return replace(
        panel,
        ids=tuple(panel.ids[row] for row in rows),
        times=panel.times[: width + panel.horizon],
        y=panel.y[rows, :width],
        capacity=None if panel.capacity is None else panel.capacity[rows, :width],
        past={name: values[rows, :width] for name, values in panel.past.items()},
        ahead={name: values[rows, : width + panel.horizon] for name, values in panel.ahead.items()},
        static={name: values[rows] for name, values in panel.static.items()},
        clock=None if panel.clock is None else panel.clock[rows, : width + panel.horizon],
        versions=None,
    )


def _offsets(errors: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Return [lead, quantile] offsets in widths."""
    together = _order_statistics(errors[np.isfinite(errors)], quantiles)
    out = np.tile(together, (errors.shape[1], 1))
    for lead in range(errors.shape[1]):
        found = errors[np.isfinite(errors[:, lead]), lead]
        if len(found) >= FEWEST_ERRORS:
            out[lead] = _order_statistics(found, quantiles)
    return out


def _order_statistics(errors: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Return offsets that leave the point where it is: of |error| the rank |2 tau - 1| (n + 1), either way.

    Linear between ranks; NaN without errors.
    """
    if not len(errors):
        return np.full(len(quantiles), np.nan)
    away = 2 * np.asarray(quantiles) - 1
    ranks = np.abs(away) * (len(errors) + 1)
    sizes = np.concatenate([[0.0], np.sort(np.abs(errors))])
    found: Floats = np.sign(away.round(9)) * np.interp(ranks, np.arange(len(sizes)), sizes)
    return found
