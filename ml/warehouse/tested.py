"""Rolling cutoffs over the warehouse's own past: what a model would have said, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .. import levels, paths
from ..backtest.naive import Climatology, LastValue, SeasonalNaive, naive_errors
from ..evaluation.cells import Cells, Model
from ..evaluation.reading import figures_of, joined
from ..panel import Fitted, Floats, Forecaster, Ints, Panel, last_known
from ..periods import FREQUENCIES
from ..recipe import CareGridModel
from . import overload
from .eligibility import drawn, usable_rows
from .forecasting import panel_of
from .settings import Progress, Settings
from .spine import Grid, Spine

if TYPE_CHECKING:
    import polars as pl

OURS, CHAMPION, BASELINE, PERSISTENCE = "caregrid", "champion", "seasonal_naive", "persistence"
PAST_SHARE = "past_share"  # of risks only: how often the past was over, given its state now
TRUTH_SHARE = 0.7  # of a cutoff's horizon must have come true for many series
EARLIEST = 3  # horizons that lie before the earliest cutoff, and the fewest values of a series


@dataclass
class RiskCells:
    """Probabilities and events: one entry per pair, cutoff and risk horizon."""

    horizon: Ints
    event: Floats
    over_now: Floats
    probability: dict[str, Floats]


@dataclass
class Tested:
    """The back-test of one feed and grain.

    Args:
        cuts: microseconds since 1970, ascending; cells: of every model, their cutoffs numbered as the cuts.
        facts: unique_id, measure, region: what subgroups are made of.
        assumed: whether vintages were assumed; failed: {model: why it has no answer}.
    """

    grain: str
    feed: str
    cuts: list[int]
    cells: Cells
    facts: pl.DataFrame
    assumed: bool
    risks: RiskCells | None = None
    failed: dict[str, str] = field(default_factory=dict)


def cuts_of(spine: Spine, settings: Settings) -> list[int]:
    """Return the cuts of a feed's rolling cutoffs in microseconds, ascending.

    A cutoff follows a period that at least half as many series report as in the fullest of the last ones,
    with the whole horizon's truth after it; it is the moment at which half of that period's values had become
    known. Cutoffs lie closer together where the feed's history is too short for the usual step.
    """
    grain = settings.grains[spine.grain]
    whole = spine.as_known(None)
    counts = (~np.isnan(whole.y)).sum(axis=0)
    recent = counts[counts > 0][-8 * grain.horizon :]
    if not len(recent):
        return []
    full = counts >= max(1, recent.max() / 2)
    cells, firsts = np.unique(spine.row * spine.width + spine.column, return_index=True)
    columns, known = cells % spine.width, spine.known[firsts]
    # The targets of a late feed begin later.
    last = spine.width - 1 - grain.horizon - whole.late(grain.horizon)
    earliest = max(EARLIEST * grain.horizon, grain.fewest)
    step = max(1, min(grain.step, (last - earliest) // max(1, grain.cutoffs - 1)))
    found: list[int] = []
    while last >= earliest and len(found) < grain.cutoffs:
        if not full[last] or full[last + 1 : last + 1 + grain.horizon].mean() < TRUTH_SHARE:
            last -= 1
            continue
        cut = int(np.sort(known[columns == last])[(int((columns == last).sum()) - 1) // 2])
        if not found or cut < found[-1]:
            found.append(cut)
        last -= step
    return found[::-1]


def run(
    spine: Spine, settings: Settings, champion: Settings | None = None,
    progress: Progress = lambda line: None,
) -> Tested | None:  # fmt: skip
    """Back-test the recipe of some settings, and of a champion's beside it, on one feed and grain.

    Our model is fitted on what was known at a cut and serves the next `refit_every` cuts, where it sees the
    values known by those. Nothing known after a cut reaches a forecast from it.

    Returns:
        None where the history is too short for a cutoff, or no model had an answer.
    """
    spine = spine.with_assumed_vintages()
    cuts, grain = cuts_of(spine, settings), settings.grains[spine.grain]
    truth, demand = spine.as_known(None), np.flatnonzero(spine.series["is_forecast"].to_numpy())
    allowed = set(drawn(spine, demand, settings.tested_per_feed, settings.seed).tolist())
    book = _Book(spine, cuts, grain.horizon, settings)
    models = _models(spine.grain, settings, champion)
    fitted: dict[str, tuple[int, Fitted]] = {}
    risks: list[tuple[Floats, ...]] = []
    for number, cut in enumerate(cuts):
        grid = spine.as_known(cut)
        rows = np.array([row for row in usable_rows(grid, settings) if int(row) in allowed], dtype=np.int64)
        if not len(rows):
            continue
        panel = panel_of(grid, rows, grain)
        later, naive = _truth(grid, truth, rows, panel), naive_errors(panel)
        for model in models:
            try:
                if model.name not in fitted or number - fitted[model.name][0] >= grain.refit_every:
                    fitted[model.name] = (number, model.fit(panel))
                said = fitted[model.name][1].predict(panel, settings.quantiles)
            except Exception as error:  # a model's failure is told and takes nothing else down
                book.failed[model.name] = f"{type(error).__name__}: {error}"
                continue
            book.add(model.name, number, rows, panel, later, naive, said)
            if model.name == OURS:
                risks += _risks(grid, truth, rows, panel, said, settings)
    tested = book.tested()
    if tested is None:
        progress(f"{spine.grain} {spine.feed}: too short for a back-test")
        return None
    if risks:
        horizon, event, over, ours, share = (np.concatenate(part) for part in zip(*risks, strict=True))
        said_of = {OURS: ours, PERSISTENCE: over, PAST_SHARE: share}
        tested.risks = RiskCells(horizon.astype(np.int64), event, over, said_of)
    progress(f"{spine.grain} {spine.feed}: {len(tested.cuts)} cutoffs, {len(tested.cells.code)} cells")
    return tested


def _models(grain: str, settings: Settings, champion: Settings | None) -> list[Forecaster]:
    frequency = FREQUENCIES[grain]
    found: list[Forecaster] = [CareGridModel({frequency: settings.grains[grain].configuration})]
    if champion is not None and grain in champion.grains:
        other = CareGridModel({frequency: champion.grains[grain].configuration})
        other.name = CHAMPION
        found.append(other)
    return [*found, SeasonalNaive(), LastValue(), Climatology()]


def _truth(grid: Grid, truth: Grid, rows: Ints, panel: Panel) -> Floats:
    """Return [series, target] what came, for the panel of units that reported at the cut; NaN if unknown."""
    columns = panel.width + np.arange(panel.horizon)
    inside = columns < grid.spine.width
    found = np.full((len(rows), panel.horizon), np.nan)
    found[:, inside] = truth.y[rows][:, columns[inside]]
    return found * (grid.units[rows] / truth.units[rows])[:, None]


class _Book:
    """Gathers the scored cells of every model."""

    def __init__(self, spine: Spine, cuts: list[int], horizon: int, settings: Settings) -> None:
        self.spine, self.cuts, self.quantiles = spine, cuts, settings.quantiles
        self.longest = horizon
        self.parts: dict[str, list[tuple[Model, np.ndarray]]] = {}
        self.known: list[tuple[Ints, np.ndarray, Floats, Floats]] = []
        self.failed: dict[str, str] = {}

    def add(
        self, name: str, number: int, rows: Ints, panel: Panel, later: Floats, naive: Floats, said: Floats
    ) -> None:  # fmt: skip
        """Score one model's answer at one cut."""
        told = ~np.isnan(later) & np.isfinite(said).all(axis=2)
        at, lead = np.nonzero(told)
        code = (rows[at] * len(self.cuts) + number) * self.longest + lead
        # Risks are scored by paths: no capacity is asked of the quantiles.
        model = figures_of(later[told], said[told], self.quantiles, np.full(len(at), np.nan))
        model.code = code
        ds = panel.times[panel.width :].astype("datetime64[us]")[lead]
        self.parts.setdefault(name, []).append((model, ds))
        self.known.append((code, ds, later[told], naive[at]))

    def tested(self) -> Tested | None:
        """Return everything that was gathered, None where our model has no cell."""
        if not sum(len(model.code) for model, _ in self.parts.get(OURS, [])):
            return None
        code, ds, truth, naive = (np.concatenate(part) for part in zip(*self.known, strict=True))
        code, first = np.unique(code, return_index=True)
        moments = np.array(self.cuts, dtype="datetime64[us]")
        models = {name: joined(parts)[0] for name, parts in self.parts.items()}
        cells = Cells(self.spine.names, moments, self.longest, code, ds[first], truth[first], naive[first],
                      np.full(len(code), np.nan), models)  # fmt: skip
        series = self.spine.series
        facts = series.select(unique_id="name", measure="measure", region="region_key")
        return Tested(
            self.spine.grain, self.spine.feed, self.cuts, cells, facts, self.spine.vintages_assumed,
            failed=self.failed,
        )  # fmt: skip


def _risks(
    grid: Grid, truth: Grid, rows: Ints, panel: Panel, said: Floats, settings: Settings
) -> list[tuple[Floats, ...]]:
    """Return (horizon, event, over now, ours, past share) [case] of one cut, where capacity is known."""
    answered = np.flatnonzero(~np.isnan(said).any(axis=(1, 2)))
    grain, pairs = settings.grains[grid.spine.grain], grid.spine.pairs
    if not any(int(row) in pairs for row in rows[answered]):
        return []
    shown = panel if len(answered) == len(rows) else panel_of(grid, rows[answered], grain)
    drawn_paths = paths.shuffle(shown, said[answered], settings.quantiles, settings.paths, settings.seed)
    steps = grain.risk_horizons
    made = overload.assess(grid, rows[answered], drawn_paths, pairs, steps)
    if made is None:
        return []
    rule = made.definition
    past = levels.is_over(grid.y[made.demand], last_known(grid.y[made.capacity]), rule)
    held = last_known(truth.y[made.capacity])
    columns = panel.width + np.arange(panel.horizon)
    inside = columns < truth.y.shape[1]
    state = np.full((len(made.demand), panel.horizon), np.nan)
    now = levels.is_over(truth.y[made.demand], held, rule)
    state[:, inside] = now[:, columns[inside]]
    event, told = overload.events(state, steps)
    told &= ~np.isnan(made.held)[:, None]
    share = overload.past_share(past[:, : grid.newest + 1], made.over_now, steps)
    over = np.broadcast_to(made.over_now[:, None], told.shape).astype(float)
    horizon = np.broadcast_to(np.array(grain.risk_horizons)[None, :], told.shape).astype(float)
    return [(horizon[told], event[told].astype(float), over[told], made.probability[told], share[told])]
