"""CareGrid's own model: fitted on a panel, asked for quantiles."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..panel import Floats, Ints, Panel
from . import errors, points
from .configuration import CONFIGURATIONS, Configuration, fingerprint
from .features import Features
from .history import LONGEST_SILENCE, History

NAME = "caregrid"
LARGEST_CHANGE = 10.0  # scales; what a row learns is held within, so that one wrong report does not rule
WARM_UP = 6  # seasons that a row's origin has behind it, a third of a shorter history


class CareGridModel:
    """One model over all series and leads of a table.

    The middle is a blend of a ridge regression and trees, both on changes from the present level in scales of
    each series; the spread is learned from errors of models that never saw the row. Nothing is ever held at
    capacity.
    """

    name = NAME

    def __init__(self, configurations: dict[str, Configuration] | None = None) -> None:
        self.configurations = configurations or CONFIGURATIONS

    def fingerprint(self) -> str:
        """Return what names the configuration of all frequencies."""
        return fingerprint()

    def fit(self, panel: Panel) -> FittedCareGrid:
        """Learn from a panel."""
        configuration = self.configurations[panel.frequency]
        history = History(panel, configuration)
        ids = {name: number for number, name in enumerate(panel.ids)}
        fitted = FittedCareGrid(configuration, ids)
        fitted.remember(panel, history)
        # The longest lead that a living series needs, counted from its own last value.
        reach = panel.horizon + int(history.silences().max(initial=0))
        series, origin, lead = _draw(panel, history, configuration, reach)
        made = Features(history, ids).rows(series, origin, lead) if len(series) else None
        if made is None:
            fitted.spread = errors.fit(
                np.zeros((0, 1)), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, str), reach, configuration
            )
            return fitted
        scale = history.scale[series, origin]
        z = (history.x[series, origin + lead] - history.base(series, origin, lead)) / scale
        z = np.clip(z, -LARGEST_CHANGE, LARGEST_CHANGE)
        hourly = panel.frequency == "H"
        fitted.blend, said = points.fit(made.x, z, origin, lead, made.linear, reach, hourly, configuration)
        # Too few rows for models: errors of the base itself.
        error = z - said if np.isfinite(said).any() else z
        if not np.isfinite(said).any():
            fitted.blend = None
        names = np.array(panel.ids, dtype=object)[series]
        fitted.spread = errors.fit(made.x, error, lead, names, reach, configuration)
        return fitted


@dataclass
class FittedCareGrid:
    """What the model knows.

    Args:
        ids: {series: number} as it was numbered when fitted.
        reasons: {series: why it has no forecast}.
        how: {series, or "" for all: what is particular about how its forecast was made}.
    """

    configuration: Configuration
    ids: dict[str, int]
    blend: points.Blend | None = None
    spread: errors.Spread | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)
    _panel: Panel | None = None
    _history: History | None = None

    def remember(self, panel: Panel, history: History) -> None:
        """Keep the history of a panel, so that it is not computed twice."""
        self._panel, self._history = panel, history

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return [series, horizon, quantile], ascending, never negative; NaN with a reason in `reasons`."""
        history = self._history if panel is self._panel else None
        if history is None:
            history = History(panel, self.configuration)
        count, horizon = len(panel.ids), panel.horizon
        found = np.full((count, horizon, len(quantiles)), np.nan)
        rows = self._answerable(panel, history)
        if not len(rows) or self.spread is None:
            return found
        series = np.repeat(rows, horizon)
        origin = history.last[series, -1]
        lead = np.tile(np.arange(1, horizon + 1), len(rows)) + (history.width - 1 - origin)
        x = Features(history, self.ids).rows(series, origin, lead).x
        middle = self.blend.predict(x, lead) if self.blend is not None else np.zeros(len(lead))
        names = np.array(panel.ids, dtype=object)[series]
        offsets = self.spread.offsets(x, lead, names, quantiles)
        scale = history.scale[series, origin]
        modelled = history.base(series, origin, lead)[:, None] + scale[:, None] * (middle[:, None] + offsets)
        values = history.back(series, np.sort(modelled, axis=1))
        found[rows] = values.reshape(len(rows), horizon, -1)
        return found

    def _answerable(self, panel: Panel, history: History) -> Ints:
        """Return rows with a value that is not long past, and say why others have no forecast."""
        self.reasons, self.how = {}, {}
        if history.holidays is not None and history.holidays.found:
            self.how[""] = f"holidays of {history.holidays.found}, which the past of all series shows"
        chosen = []
        for row, (name, silent) in enumerate(zip(panel.ids, history.silence().tolist(), strict=True)):
            if silent < 0:
                self.reasons[name] = "no value is known within the history that is read"
            elif silent > LONGEST_SILENCE * panel.horizon:
                self.reasons[name] = (
                    f"ended: the last value is {silent} periods old, more than {LONGEST_SILENCE} horizons"
                )
            else:
                chosen.append(row)
                observed = int(history.seen[row].sum())
                if self.blend is None:
                    self.how[name] = "the table is too short for models: the level and season go on"
                elif observed < 2 * self.configuration.season:
                    self.how[name] = f"{observed} values: mostly by what other series do"
                elif silent:
                    self.how[name] = f"from the last value, {silent} periods before the cutoff"
        return np.array(chosen, dtype=np.int64)


def _draw(
    panel: Panel, history: History, configuration: Configuration, reach: int
) -> tuple[Ints, Ints, Ints]:
    """Return (series, origin, lead) of training rows: both ends seen, all of them or a draw by seed.

    Leads are drawn as they will be asked for: from the horizon, and longer by the silences at the cutoff.
    """
    draws = np.random.default_rng(configuration.seed)
    width, horizon = history.width, panel.horizon
    longest_profile = configuration.profiles[-1][0] * 2 if configuration.profiles else 0
    warm = min(
        max(configuration.season * WARM_UP if configuration.profiles else 6, longest_profile), width // 3
    )
    origins = [np.flatnonzero(row[warm : width - 1]) + warm for row in history.seen]
    total = sum(len(one) for one in origins)
    if not total:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    series_all = np.repeat(np.arange(len(origins)), [len(one) for one in origins])
    origin_all = np.concatenate(origins)
    if total * reach <= configuration.rows:
        series = np.repeat(series_all, reach)
        origin = np.repeat(origin_all, reach)
        lead = np.tile(np.arange(1, reach + 1), total)
    else:
        wanted = 2 * configuration.rows
        picked = draws.integers(0, total, wanted)
        series, origin = series_all[picked], origin_all[picked]
        lead = draws.integers(1, horizon + 1, wanted)
        short = draws.random(wanted) < configuration.short_share
        lead = np.where(short, draws.integers(1, max(horizon // 8, 1) + 1, wanted), lead)
        living = history.silences()
        lead = lead + draws.choice(living, wanted) if len(living) else lead
    inside = origin + lead < width
    series, origin, lead = series[inside], origin[inside], lead[inside]
    good = history.seen[series, origin + lead] & np.isfinite(history.anchor[series, origin])
    good = np.flatnonzero(good)[: configuration.rows]
    return series[good], origin[good], lead[good]
