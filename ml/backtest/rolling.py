"""Rolling origins: at each cutoff every model is fitted and asked on what was known then."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import paths as joint
from ..panel import Floats, Forecaster, Panel
from ..recipe.history import LONGEST_SILENCE
from ..words import many
from . import files, hierarchy
from .naive import naive_errors
from .nowcasts import Nowcasts
from .table import Table
from .times import Cutoff

CHUNK = 500  # series whose rows are made at once: those of ten thousand would not fit
HARDLY_BEGUN = {"H": 48, "D": 14, "W": 8}  # fewer values than these are a short history
NO_CAPACITY = "its capacity is 0: any value above 0 counts as more than can be held"
NO_SUMS = hierarchy.Sums((), ())


@dataclass(frozen=True)
class Plan:
    """What is asked of the models.

    Args:
        paths_of: models whose paths are written; None: those of none.
        path_count: paths per cutoff.
        sums: series that are sums of the table's.
    """

    horizon: int
    quantiles: tuple[float, ...]
    paths_of: tuple[str, ...] = ()
    path_count: int = 200
    seed: int = 1
    sums: hierarchy.Sums = NO_SUMS


@dataclass
class Told:
    """What happened besides the forecasts.

    Args:
        seconds: {model: [fit, predict, paths]} over all cutoffs.
        unanswered: (cutoff, model, series, periods, reason), each "" for all.
        crossed: {model: cells whose quantiles had to be put in order}.
        remarks: (cutoff, model or "" for all, series, what is particular about how its forecast was made).
        answered: {model: cells}; fingerprints: {model: of its configuration, where it has one}.
        naive: (series, cutoff, in-sample mean absolute seasonal naive error), for MASE.
        capacity: (series, cutoff, last known capacity), of sums where all their living members have one.
        parts: {sum: its living members}, None where they changed between cutoffs.
        nowcasts: the newest values of every cutoff, where the table tells of revisions.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    unanswered: list[tuple[str, str, str, int, str]] = field(default_factory=list)
    remarks: list[tuple[str, str, str, str]] = field(default_factory=list)
    crossed: dict[str, int] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    naive: list[tuple[str, Cutoff, float]] = field(default_factory=list)
    capacity: list[tuple[str, Cutoff, float]] = field(default_factory=list)
    parts: dict[str, list[str] | None] = field(default_factory=dict)
    nowcasts: Nowcasts = field(default_factory=Nowcasts)

    def silent(self, names: Sequence[str]) -> dict[str, str]:
        """Return {model of these that has not answered a single cell: its first reason}."""
        found = {}
        for name in names:
            if not self.answered.get(name):
                reasons = (line[-1] for line in self.unanswered if line[1] == name)
                found[name] = next(reasons, "nothing was known by any cutoff")
        return found


@dataclass(frozen=True)
class Answer:
    """One model's answer at one cutoff.

    Args:
        values: [series, horizon, quantile] ascending, NaN where a cell has no answer; None: the model failed.
        reason: why it failed; reasons: {series: why it has none}; how: {series: how it was made}.
        infinite: [series] whether the answer held infinity in place of a number.
        paths: makes [path, series, horizon] by the model itself, or None.
    """

    values: Floats | None
    seconds: tuple[float, float]
    reason: str = ""
    reasons: dict[str, str] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)
    crossed: int = 0
    infinite: np.ndarray | None = None
    paths: Callable[[Panel, int, int], Floats] | None = None


def ask(model: Forecaster, panel: Panel, quantiles: tuple[float, ...]) -> Answer:
    """Fit one model on a panel and return its answer; whatever it raises is its reason, and nobody else's."""
    started = time.perf_counter()
    fitting = predicting = 0.0
    try:
        fitted = model.fit(panel)
        fitting = time.perf_counter() - started
        values = np.array(fitted.predict(panel, quantiles), dtype=float)
        predicting = time.perf_counter() - started - fitting
    except (Exception, SystemExit) as error:  # a model's failure is told and takes nothing else down
        return Answer(None, (fitting, predicting), f"{type(error).__name__}: {error}")
    shape = (len(panel.ids), panel.horizon, len(quantiles))
    if values.shape != shape:
        reason = f"answered with the shape {values.shape}, not [series, horizon, quantile] = {shape}"
        return Answer(None, (fitting, predicting), reason)
    infinite = np.isinf(values).any(axis=(1, 2))
    values[~np.isfinite(values).all(axis=2)] = np.nan
    crossed = int((np.diff(values, axis=2) < 0).any(axis=2).sum())
    reasons = dict(getattr(fitted, "reasons", None) or {})
    how = dict(getattr(fitted, "how", None) or {})
    own = getattr(fitted, "paths", None)
    return Answer(np.sort(values, axis=2), (fitting, predicting), "", reasons, how, crossed, infinite, own)


def run(
    table: Table,
    cutoffs: list[Cutoff],
    models: list[Forecaster],
    plan: Plan,
    forecasts: files.Writer,
    paths: files.Writer | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Told:
    """Write every model's forecasts (and paths) at every cutoff; what one cannot do costs only that.

    Memory holds one cutoff at a time.
    """
    told = Told()
    periods = plan.horizon * len(cutoffs)
    told.unanswered += [("", "", name, periods, why) for name, why in table.unusable.items()]
    for number, cutoff in enumerate(cutoffs):
        panel = frozen(table.panel(cutoff, plan.horizon))
        if not panel.ids:
            told.unanswered.append((str(cutoff), "", "", 0, "nothing was known by this cutoff"))
            continue
        _remember(told, panel, cutoff, plan.sums)
        told.nowcasts.see(panel, table, cutoff)
        parts = []
        for model in models:
            answer = ask(model, panel, plan.quantiles)
            seconds = told.seconds.setdefault(model.name, [0.0, 0.0, 0.0])
            seconds[0] += answer.seconds[0]
            seconds[1] += answer.seconds[1]
            parts.append(f"{model.name} {sum(answer.seconds):.1f} s")
            _note(told, model, panel, cutoff, answer)
            if answer.values is not None:
                started = time.perf_counter()
                _write(told, model.name, answer, panel, cutoff, plan, forecasts, paths)
                seconds[2] += time.perf_counter() - started
            fingerprint = getattr(model, "fingerprint", None)
            if callable(fingerprint):
                told.fingerprints[model.name] = str(fingerprint())
        progress(f"{number + 1}/{len(cutoffs)} {cutoff}: {len(panel.ids)} series; {', '.join(parts)}")
    return told


def frozen(panel: Panel) -> Panel:
    """Return the panel with arrays that no model can write to: the next one sees the same."""
    arrays: list[Any] = [panel.times, panel.y, panel.capacity, panel.clock]
    arrays += [*panel.past.values(), *panel.ahead.values(), *panel.static.values()]
    if panel.versions is not None:
        arrays += [panel.versions.row, panel.versions.column, panel.versions.known, panel.versions.value]
    for array in arrays:
        if array is not None:
            array.setflags(write=False)
    return panel


def _remember(told: Told, panel: Panel, cutoff: Cutoff, sums: hierarchy.Sums) -> None:
    """Keep what scores need of each series as it was known at the cutoff."""
    error = naive_errors(panel)
    held: dict[int, float] = {}
    for row, name in enumerate(panel.ids):
        if not np.isnan(error[row]):
            told.naive.append((name, cutoff, float(error[row])))
        if panel.capacity is not None:
            said = panel.capacity[row][~np.isnan(panel.capacity[row])]
            if len(said):
                held[row] = float(said[-1])
                told.capacity.append((name, cutoff, held[row]))
                if held[row] == 0:
                    told.remarks.append((str(cutoff), "", name, NO_CAPACITY))
    for name, rows in zip(sums.ids, hierarchy.living(panel, sums), strict=True):
        members = [panel.ids[row] for row in rows]
        told.parts[name] = members if told.parts.get(name, members) == members else None
        if len(rows) and all(row in held for row in rows.tolist()):
            told.capacity.append((name, cutoff, sum(held[row] for row in rows.tolist())))


def _note(told: Told, model: Forecaster, panel: Panel, cutoff: Cutoff, answer: Answer) -> None:
    """Keep what a model did not answer, with its reason."""
    if answer.values is None:
        cells = len(panel.ids) * panel.horizon
        told.unanswered.append((str(cutoff), model.name, "", cells, answer.reason))
        return
    told.remarks += [(str(cutoff), model.name, name, how) for name, how in sorted(answer.how.items())]
    told.crossed[model.name] = told.crossed.get(model.name, 0) + answer.crossed
    missing = np.isnan(answer.values).any(axis=2).sum(axis=1)
    told.answered[model.name] = told.answered.get(model.name, 0) + int(answer.values.shape[1] * len(missing))
    told.answered[model.name] -= int(missing.sum())
    for row in np.flatnonzero(missing):
        name = panel.ids[row]
        reason = answer.reasons.get(name) or _guessed(panel, int(row), answer)
        told.unanswered.append((str(cutoff), model.name, name, int(missing[row]), reason))


def _guessed(panel: Panel, row: int, answer: Answer) -> str:
    """Return why a series may have no answer, of a model that does not say: what can be seen from outside."""
    if answer.infinite is not None and answer.infinite[row]:
        return "the answer holds infinity in place of a number"
    known = np.flatnonzero(~np.isnan(panel.y[row]))
    silent = panel.width - 1 - int(known[-1])
    if silent > LONGEST_SILENCE * panel.horizon:
        last = str(panel.times[known[-1]]).removesuffix("T00:00:00")
        return f"no answer to a series that is silent since {last}, {silent} periods before the cutoff"
    if len(known) < HARDLY_BEGUN[panel.frequency]:
        return f"no answer from too little history: {many(len(known), 'value')}"
    return f"no number in the answer, though {len(known)} values were known"


def _write(
    told: Told,
    name: str,
    answer: Answer,
    panel: Panel,
    cutoff: Cutoff,
    plan: Plan,
    forecasts: files.Writer,
    paths: files.Writer | None,
) -> None:
    """Write one model's quantiles, and its paths and sums where they are wanted."""
    values, times = answer.values, files.targets(panel)
    if values is None or np.isnan(values).all():
        return
    ids = np.array(panel.ids, dtype=object)
    for at in range(0, len(ids), CHUNK):
        here = slice(at, at + CHUNK)
        forecasts.write(files.forecast_rows(ids[here], times, cutoff, name, plan.quantiles, values[here]))
    wanted = paths is not None and name in plan.paths_of
    answered = ~np.isnan(values).any(axis=(1, 2))
    if not answered.any() or not (wanted or plan.sums.ids):
        return
    try:
        drawn = _paths(answer, panel, values, plan, answered)
    except Exception as error:  # a model's own paths may fail as its forecasts may
        reason = f"paths: {type(error).__name__}: {error}"
        told.unanswered.append((str(cutoff), name, "", 0, reason))
        return
    if wanted and paths is not None:
        told_rows = np.flatnonzero(answered)
        for at in range(0, len(told_rows), CHUNK):
            rows = told_rows[at : at + CHUNK]
            paths.write(files.path_rows(ids[rows], times, cutoff, name, drawn[:, rows]))
    sums, totals = hierarchy.add(panel, plan.sums, drawn, answered)
    if sums:
        said = joint.quantiles_of_paths(totals, plan.quantiles)
        names = np.array(sums, dtype=object)
        forecasts.write(files.forecast_rows(names, times, cutoff, name, plan.quantiles, said))
        if wanted and paths is not None:
            paths.write(files.path_rows(names, times, cutoff, name, totals))


def _paths(answer: Answer, panel: Panel, values: Floats, plan: Plan, answered: np.ndarray) -> Floats:
    """Return [path, series, horizon] by the model itself or by past errors; 0 for series not answered."""
    shape = (len(panel.ids), panel.horizon)
    if answer.paths is not None:
        own = np.asarray(answer.paths(panel, plan.path_count, plan.seed), dtype=np.float32)
        if own.ndim != 3 or own.shape[1:] != shape or len(own) < joint.FEWEST:
            raise ValueError(f"shape {own.shape}, not [path, series, horizon] = ({plan.path_count}, {shape})")
        if not np.isfinite(own[:, answered]).all():
            raise ValueError("a path has no number where the model has an answer")
        return own
    return joint.shuffle(
        panel, np.where(answered[:, None, None], values, 0.0), plan.quantiles, plan.path_count, plan.seed
    )
