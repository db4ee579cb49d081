"""Forecasts and risks of every usable series from one cut, as rows for model_output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from . import overload
from .eligibility import usable_rows
from .features import FeatureMaker
from .model import QuantileModel
from .output import ForecastRow, RiskRow
from .periods import period_bounds
from .settings import Settings
from .spine import Grid

Floats = np.ndarray


@dataclass
class GridForecast:
    """Forecasts of one feed and grain.

    Args:
        grid: what was known; rows: [n] its forecast rows; quantiles: [n, horizon, quantile] for today's
        panel.
        levels: the quantile levels; known_at: newest moment at which anything in the grid became known.
        overload: what is said of capacity, with the probabilities [pair, risk horizon], or None.
    """

    grid: Grid
    rows: np.ndarray
    levels: tuple[float, ...]
    quantiles: Floats
    known_at: datetime
    overload: overload.Overload | None
    probability: Floats


def forecast_grid(model: QuantileModel, grid: Grid, settings: Settings) -> GridForecast | None:
    """Forecast every usable series of a grid from its last observed value; None when there is none."""
    rows = usable_rows(grid, settings)
    if not len(rows):
        return None
    grain = settings.grains[grid.spine.grain]
    maker = FeatureMaker(grid, grain, model.measures)
    quantiles = model.predict_paths(maker, rows, grid.last[rows], grain.horizon)
    demand, capacity = overload.pairs(maker, rows)
    said, probability = None, np.zeros((0, 0))
    if len(demand):
        said = overload.assess(model, maker, demand, capacity, grid.last[demand], settings.seed)
        weights = model.risk_weights.get(grid.spine.feed, overload.PLAIN)
        probability = overload.probability(said, weights)
    newest = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(grid.spine.known.max()))
    return GridForecast(
        grid, rows, model.quantiles, quantiles * grid.units[rows][:, None, None], newest, said, probability
    )


def forecast_rows(made: GridForecast) -> Iterator[ForecastRow]:
    """Yield rows of model_output.forecast."""
    spine = made.grid.spine
    ids, zones = spine.series["series_id"].to_list(), spine.series["timezone"].to_list()
    phases = spine.series["phase"].to_list()
    bounds: dict[tuple[int, str, int], tuple[datetime, datetime]] = {}
    for at, row in enumerate(made.rows):
        last = int(spine.periods[made.grid.last[row]])
        values = made.quantiles[at].tolist()
        for step, along in enumerate(values, start=1):
            key = (last + step, zones[row], phases[row])
            if key not in bounds:
                bounds[key] = period_bounds(spine.grain, *key)
            start, end = bounds[key]
            for level, value in zip(made.levels, along, strict=True):
                yield ids[row], start, end, step, level, value, made.known_at


def risk_rows(made: GridForecast, settings: Settings) -> Iterator[RiskRow]:
    """Yield rows of model_output.risk; period_end is the end of the horizon."""
    if made.overload is None:
        return
    spine, said = made.grid.spine, made.overload
    ids, places = spine.series["series_id"].to_list(), spine.series["place_id"].to_list()
    zones, phases = spine.series["timezone"].to_list(), spine.series["phase"].to_list()
    for at, row in enumerate(said.demand):
        if np.isnan(said.held[at]):
            continue
        for number, step in enumerate(settings.grains[spine.grain].risk_horizons):
            last = int(spine.periods[said.origin[at]])
            _, end = period_bounds(spine.grain, last + step, zones[row], phases[row])
            yield (
                ids[row], places[row], step, end, float(said.held[at]), ids[int(said.capacity[at])],
                float(made.probability[at, number]), bool(said.over_now[at]), made.known_at,
            )  # fmt: skip


def silences(grids: list[Grid]) -> dict[str, int]:
    """Return {grain feed: periods} of long silences cut out; what was before stands in for them."""
    return {
        f"{grid.spine.grain} {grid.spine.feed}": grid.spine.silences for grid in grids if grid.spine.silences
    }


def panels(grids: list[Grid]) -> dict[str, float]:
    """Return {series_id: reporting units} of the panels the forecasts are for."""
    return {
        str(grid.spine.series["series_id"][int(row)]): float(grid.units[row])
        for grid in grids
        for row in np.flatnonzero(grid.spine.is_panel & (grid.last >= 0))
    }
