"""What is said of a feed and grain as rows for model_output."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from ..periods import period_bounds
from .areas import SHARED
from .forecasting import GridForecast
from .output import RiskRow, Said
from .settings import GrainSettings, Settings

Bounds = tuple[datetime, datetime]


class _Times:
    """Bounds of the target periods by the clock of each place, reckoned once."""

    def __init__(self, made: GridForecast) -> None:
        self._grain, self._last = made.grid.spine.grain, made.grid.spine.first + made.begins - 1
        self._known: dict[tuple[int, str, int], Bounds] = {}

    def of(self, lead: int, zone: str, phase: int) -> Bounds:
        """Return start and end of the period so far after the last one before the targets, in UTC."""
        key = (lead, zone, phase)
        if key not in self._known:
            self._known[key] = period_bounds(self._grain, self._last + lead, zone, phase)
        return self._known[key]


def add(said: Said, made: GridForecast, settings: Settings) -> None:
    """Append the rows of one feed and grain to what a run says."""
    times, series = _Times(made), list(made.grid.spine.series.iter_rows(named=True))
    known_at = made.grid.known_at()
    for at, row in enumerate(made.rows.tolist()):
        one = series[row]
        quantiles, along = made.quantiles[at].tolist(), made.paths[:, at].T
        for lead, values, path in zip(made.leads, quantiles, along, strict=True):
            start, end = times.of(lead, one["timezone"], one["phase"])
            for level, value in zip(settings.quantiles, values, strict=True):
                said.forecasts.append((one["series_id"], start, end, lead, level, value, known_at))
            said.paths.append((one["series_id"], start, path))
    _add_areas(said, made, times, settings)
    _add_risks(said, made, times, settings.grains[made.grid.spine.grain])
    said.remarks += [(series[row]["series_id"], remark) for row, remark in made.remarks.items()]


def _add_areas(said: Said, made: GridForecast, times: _Times, settings: Settings) -> None:
    series = {one["series_id"]: one for one in made.grid.spine.series.iter_rows(named=True)}
    spine = made.grid.spine
    for total in made.totals:
        number, kind = len(said.areas) + 1, [total.kind[name] for name in SHARED]
        said.areas.append(
            (number, total.level, total.area, spine.feed, spine.grain, *kind, list(total.members),
             total.absent)
        )  # fmt: skip
        # An area may lie in several zones: its first place's clock bounds its days.
        one = series[total.members[0]]
        for lead, values in zip(made.leads, total.quantiles.tolist(), strict=True):
            start, end = times.of(lead, one["timezone"], one["phase"])
            for level, value in zip(settings.quantiles, values, strict=True):
                said.area_forecasts.append((number, start, end, lead, level, value))


def _add_risks(said: Said, made: GridForecast, times: _Times, grain: GrainSettings) -> None:
    found = made.overload
    if found is None:
        return
    series, known_at = list(made.grid.spine.series.iter_rows(named=True)), made.grid.known_at()
    for at, row in enumerate(found.demand.tolist()):
        if np.isnan(found.held[at]):
            continue
        one = series[row]
        for number, step in enumerate(grain.risk_horizons):
            _, end = times.of(step, one["timezone"], one["phase"])
            said.risks.append(
                RiskRow(
                    one["series_id"], one["place_id"], step, end, float(found.held[at]),
                    series[int(found.capacity[at])]["series_id"], float(found.probability[at, number]),
                    bool(found.over_now[at]), known_at, float(found.limit[at]), found.definition.name,
                )
            )  # fmt: skip
