"""CareGrid's own model: fitted on a panel, asked for quantiles."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..drift import Reference, Shift
from ..panel import Floats, Ints, Panel
from ..words import many
from . import errors, points, watch
from .configuration import CONFIGURATIONS, Configuration, fingerprint
from .features import Features
from .history import LONGEST_SILENCE, History
from .sampling import draw

NAME = "caregrid"
# Said of a series wherever nothing is known of it, in English and Chinese.
NO_VALUE = "no value is known within the history that is read · 在读取的历史范围内没有已知的值"
LARGEST_CHANGE = 10.0  # scales; what a row learns is held within, so that one wrong report does not rule
SAMPLE = 500  # training rows that are kept, to explain the model by


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
        fitted = FittedCareGrid(configuration, ids, horizon=panel.horizon)
        fitted.trained_until = int(panel.times[panel.width - 1].astype("datetime64[s]").astype(np.int64))
        fitted.remember(panel, history)
        if history.holidays is not None:
            fitted.country = history.holidays.found
        # The longest lead that a living series needs, counted from its own last value.
        reach = panel.horizon + int(history.silences().max(initial=0))
        series, origin, lead = draw(panel, history, configuration, reach)
        features = Features(history, ids)
        fitted.levels = features.levels
        made = features.rows(series, origin, lead) if len(series) else None
        if made is None:
            fitted.spread = errors.fit(
                np.zeros((0, 1)), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, str), reach, configuration
            )
            return fitted
        fitted.feature_names = made.names
        fitted.references = watch.references(made, panel)
        spread_out = np.linspace(0, len(made.x) - 1, min(SAMPLE, len(made.x))).astype(np.int64)
        fitted.sample_rows = made.x[spread_out]
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
        horizon: of the panel it was fitted on; trained_until: its newest period, seconds since 1970.
        country: whose holidays the training panel showed where it named none, "" for none.
        levels: {static text: its values, numbered in this order}.
        feature_names: [feature] columns that the models were trained on.
        references: how the features that are watched were spread in training.
        sample_rows: [row, feature] a few training rows, spread over all of them.
    """

    configuration: Configuration
    ids: dict[str, int]
    blend: points.Blend | None = None
    spread: errors.Spread | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)
    horizon: int = 0
    trained_until: int = 0
    country: str = ""
    levels: dict[str, list[str]] = field(default_factory=dict)
    feature_names: list[str] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    sample_rows: Floats | None = None
    _panel: Panel | None = None
    _history: History | None = None

    def remember(self, panel: Panel, history: History) -> None:
        """Keep the history of a panel, so that it is not computed twice."""
        self._panel, self._history = panel, history

    def forget(self) -> None:
        """Let go of the history that was kept: whatever is asked next computes its own."""
        self._panel = self._history = None

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return [series, horizon, quantile], ascending, never negative; NaN with a reason in `reasons`."""
        history = self._history if panel is self._panel else None
        if history is None:
            history = History(panel, self.configuration, self.country)
        count, horizon = len(panel.ids), panel.horizon
        found = np.full((count, horizon, len(quantiles)), np.nan)
        rows = self._answerable(panel, history)
        if not len(rows) or self.spread is None:
            return found
        series = np.repeat(rows, horizon)
        origin = history.last[series, -1]
        lead = np.tile(np.arange(1, horizon + 1), len(rows)) + (history.width - 1 - origin)
        # Another panel may lack a signal or its holidays: its columns are put where the models know them.
        made = Features(history, self.ids, self.levels).rows(series, origin, lead)
        x = made.under(self.feature_names)
        middle = self.blend.predict(x, lead) if self.blend is not None else np.zeros(len(lead))
        names = np.array(panel.ids, dtype=object)[series]
        offsets = self.spread.offsets(x, lead, names, quantiles)
        scale = history.scale[series, origin]
        modelled = history.base(series, origin, lead)[:, None] + scale[:, None] * (middle[:, None] + offsets)
        values = history.back(series, np.sort(modelled, axis=1))
        found[rows] = values.reshape(len(rows), horizon, -1)
        return found

    def shifts(self, panel: Panel) -> list[Shift]:
        """Return how far the features of the periods since training lie from those of training."""
        history = History(panel, self.configuration, self.country)
        features = Features(history, self.ids, self.levels)
        return watch.shifts(features, self.references, self.trained_until)

    def _answerable(self, panel: Panel, history: History) -> Ints:
        """Return rows with a value that is not long past, and say why others have no forecast."""
        self.reasons, self.how = {}, {}
        if history.holidays is not None and (found := history.holidays.found):
            self.how[""] = (
                f"holidays of {found}, which the past of all series shows · "
                f"按 {found} 的节假日，由各序列的历史看出"
            )
        # What all are late by is how the table is published, and particular to none.
        usual = float(np.median(history.silences())) if len(history.silences()) else 0.0
        chosen = []
        for row, (name, silent) in enumerate(zip(panel.ids, history.silence().tolist(), strict=True)):
            if silent < 0:
                self.reasons[name] = NO_VALUE
            elif silent > LONGEST_SILENCE * panel.horizon:
                self.reasons[name] = (
                    f"ended: the last value is {silent} periods old, more than {LONGEST_SILENCE} horizons · "
                    f"已终止：最后一个值距今 {silent} 期，超过 {LONGEST_SILENCE} 个预测期"
                )
            else:
                chosen.append(row)
                late = silent if silent > usual else 0
                if said := self._particular(
                    int(history.seen[row].sum()), late, int(history.slips[row].sum())
                ):
                    self.how[name] = said
        return np.array(chosen, dtype=np.int64)

    def _particular(self, observed: int, silent: int, slips: int) -> str:
        """Return what is particular about a series' forecast, in English and Chinese; "" for nothing."""
        told = []
        if self.blend is None:
            told.append(
                "the table is too short for models: the level and season go on · "
                "数据太短，无法训练模型，沿用当前水平与周期"
            )
        elif observed < 2 * self.configuration.season:
            told.append(
                f"{many(observed, 'value')}: mostly by what other series do · "
                f"只有 {observed} 个值，主要依据其他序列"
            )
        elif silent:
            told.append(
                f"from the last value, {many(silent, 'period')} before the cutoff · "
                f"从最后一个值起算，距截止 {silent} 期"
            )
        if slips:
            told.append(
                f"{many(slips, 'lone value')}, tenfold those around, taken for slips · "
                f"{slips} 个孤立值为前后值的十倍以上，视为笔误"
            )
        return "; ".join(told)
