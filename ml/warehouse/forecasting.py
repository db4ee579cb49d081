"""One feed and grain from one cut: quantiles, joint paths, sums of places, overload, what is withdrawn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .. import paths
from ..panel import Floats, Ints, Panel
from ..periods import FREQUENCIES
from ..recipe import CareGridModel, FittedCareGrid
from ..recipe.revisions import nowcast
from . import areas, overload
from .eligibility import drawn, usable_rows
from .settings import GrainSettings, Settings
from .spine import Grid

MISSES = 2  # in a row and on the same side: a third is not waited for
LOOKED_AT = 3  # newest periods in which a series' last values are looked for
OUTER = (0.025, 0.975)


@dataclass
class GridForecast:
    """What is said of one feed and grain.

    Args:
        grid: what was known; rows: [series] its forecast rows, those withdrawn left out.
        begins: column of the first target.
        quantiles: [series, target, quantile]; paths: [path, series, target].
        totals: sums over the places of regions and countries; overload: what is said of capacity, or None.
        remarks: {grid row: how its forecast was made}, where there is something particular to it.
        withdrawn: {grid row: why}; unanswered: {grid row: why}.
    """

    grid: Grid
    rows: Ints
    begins: int
    quantiles: Floats
    paths: Floats
    totals: list[areas.Total] = field(default_factory=list)
    overload: overload.Overload | None = None
    remarks: dict[int, str] = field(default_factory=dict)
    withdrawn: dict[int, str] = field(default_factory=dict)
    unanswered: dict[int, str] = field(default_factory=dict)

    @property
    def leads(self) -> range:
        """Return how many periods after the feed's publication the targets lie, from 1."""
        return range(1, self.quantiles.shape[1] + 1)


def panel_of(grid: Grid, rows: Ints, grain: GrainSettings) -> Panel:
    """Return some rows of a grid as models are given them."""
    return grid.panel(rows, grid.spine.pairs, grain.horizon)


def learn(grid: Grid, settings: Settings) -> FittedCareGrid | None:
    """Fit the recipe on what a grid knows; None where no series can be used."""
    grain = settings.grains[grid.spine.grain]
    rows = drawn(grid.spine, usable_rows(grid, settings), settings.trained_per_feed, settings.seed)
    if not len(rows):
        return None
    frequency = FREQUENCIES[grid.spine.grain]
    return CareGridModel({frequency: grain.configuration}).fit(panel_of(grid, rows, grain))


def forecast_grid(fitted: FittedCareGrid, grid: Grid, settings: Settings) -> GridForecast | None:
    """Forecast every usable series of a grid; None when there is none.

    A series whose last two values both fell out of the 95 % interval of the forecast made one period before
    them, on the same side, is withdrawn: it says so, in place of a third miss, until a value is inside again.
    """
    grain = settings.grains[grid.spine.grain]
    usable = usable_rows(grid, settings)
    if not len(usable):
        return None
    panel = panel_of(grid, usable, grain)
    values = fitted.predict(panel, settings.quantiles)
    reasons, how = fitted.reasons, dict(fitted.how)
    answered = ~np.isnan(values).any(axis=(1, 2))
    missed = misses(fitted, grid, usable, panel, settings)
    sums = areas.following(
        grid, set(usable[answered].tolist()), set(usable[answered & (missed == 0)].tolist()), panel.horizon
    )
    # A total that is the sum of its parts is judged by them, not by a forecast that nobody is given.
    missed[np.isin(usable, list(sums.parts))] = 0
    kept = np.flatnonzero(answered & (missed == 0))
    rows = usable[kept]
    made = GridForecast(grid, rows, panel.width, values[kept], np.zeros(0))
    for at in np.flatnonzero(~answered):
        made.unanswered[int(usable[at])] = reasons.get(panel.ids[at], "too little history · 历史太短")
    for at in np.flatnonzero(answered & (missed != 0)):
        side, side_zh = ("above", "高于") if missed[at] > 0 else ("below", "低于")
        why = (
            f"its last {MISSES} values lay {side} the 95 % interval forecast for them · "
            f"最近 {MISSES} 个值都{side_zh}对其预测的 95 % 区间"
        )
        made.withdrawn[int(usable[at])] = why
    if not len(rows):
        return made
    shown = panel if len(kept) == len(usable) else panel_of(grid, rows, grain)
    made.paths = paths.shuffle(shown, made.quantiles, settings.quantiles, settings.paths, settings.seed)
    areas.follow(sums.parts, rows, made.paths, made.quantiles, settings.quantiles)
    made.totals = areas.add(grid, rows, made.paths, settings.quantiles)
    made.overload = overload.assess(grid, rows, made.paths, grid.spine.pairs, grain.risk_horizons)
    ahead = grid.spine.series["ahead"].to_list()
    for at in kept:
        plans = None
        if planned := ahead[usable[at]]:
            plans = (
                f"{planned} values told before their {grid.spine.grain} began are left out · "
                f"{planned} 个在其时段开始前公布的值未采用"
            )
        told = (how.get(""), how.get(panel.ids[at]), plans, sums.remarks.get(int(usable[at])))
        said = "; ".join(one for one in told if one)
        if said:
            made.remarks[int(usable[at])] = said
    return made


def misses(fitted: FittedCareGrid, grid: Grid, rows: Ints, panel: Panel, settings: Settings) -> Ints:
    """Return [series] 1 or -1 where the last values all lay above or below their intervals, else 0.

    Each value is held against the forecast from what was known just before its period's first value came, and
    as it will stand once revised: a first report that is always too low is no miss. A series with fewer
    values within the newest periods than it takes is not judged.

    Args:
        rows: grid rows of the panel's series.
    """
    spine, grain = grid.spine.with_assumed_vintages(), settings.grains[grid.spine.grain]
    values = nowcast(panel, fitted.configuration.revisions)
    side = np.full((LOOKED_AT, len(rows)), np.nan)
    for back in range(LOOKED_AT):
        column = grid.newest - back
        arrived = spine.known[: grid.versions][spine.column[: grid.versions] == column]
        if column < 1 or not len(arrived):
            continue
        before = panel_of(spine.as_known(int(arrived.min()) - 1), rows, grain)
        lead = column - before.width
        if not 0 <= lead < before.horizon or not before.width:
            continue
        said = fitted.predict(before, OUTER)[:, lead]
        value = values[:, column]
        missed = np.where(value > said[:, 1], 1.0, np.where(value < said[:, 0], -1.0, 0.0))
        side[back] = np.where(np.isnan(value) | np.isnan(said).any(axis=1), np.nan, missed)
    found = np.zeros(len(rows), dtype=np.int64)
    for at in range(len(rows)):
        newest = side[:, at][~np.isnan(side[:, at])][:MISSES]
        if len(newest) == MISSES and (newest == newest[0]).all():
            found[at] = int(newest[0])
    return found
