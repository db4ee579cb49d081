"""Whether a champion is due to be replaced: by age, by growth of what there is to forecast, or by drift."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from . import drift
from .drift import FEWEST_REALISED, Decay, Shift
from .periods import MODEL_GRAIN
from .warehouse.realised import Realised, realised
from .warehouse.scores import TOLD_LEADS, at_lead
from .warehouse.tested import OURS

if TYPE_CHECKING:
    import polars as pl

    from .panel import Panel
    from .recipe import FittedCareGrid
    from .tracking.store import Registered
    from .warehouse.inputs import Inputs

MAX_AGE_DAYS = 7
ASKED_AGAIN_DAYS = 1  # a model that was only just fitted, or refused, answers no better a moment later
GROWTH = 1.25
COVERAGE_80 = (0.65, 0.95)


@dataclass(frozen=True)
class Watched:
    """What the champion would forecast from now, of one feed and grain, and the model it has for it."""

    grain: str
    feed: str
    fitted: FittedCareGrid
    panel: Panel


def why(
    connection: Any,
    champion: Registered,
    as_of: datetime,
    challenger: Registered | None = None,
    watched: Callable[[], Iterable[Watched]] = tuple,
    damage: Callable[[], str | None] = lambda: None,
) -> str | None:
    """Return why a new training is due, or None.

    In this order: the newest model is too old; there is much more to forecast than it knew; the champion
    cannot be loaded, and so forecasts nothing; of the forecasts the champion made, too much or too little lay
    within the 80 % interval; their loss is worse than in the back-test; the features since training are not
    those of training. A refused challenger has answered what was asked of it, and a champion of today has
    learned what there was: drift is looked for once a day.

    Args:
        damage: says why the champion cannot be loaded, None where it can; called only where it is asked,
            since it fetches all models.
        watched: reads what the champion would forecast now (`watch`); called only where nothing before it has
            an answer, since it reads all values.
    """
    newest = challenger if challenger is not None and challenger.as_of > champion.as_of else champion
    age = (as_of - newest.as_of).total_seconds() / 86_400
    if age > MAX_AGE_DAYS:
        return f"the newest model is {age:.1f} days old, {MAX_AGE_DAYS} are allowed"
    trained = json.loads(newest.tags.get("series_by_grain", "{}"))
    for grain, count in _counts(connection).items():
        if count > GROWTH * trained.get(grain, 0):
            return f"{count} series per {grain} where the newest model knew {trained.get(grain, 0)}"
    if (newest is champion or age >= ASKED_AGAIN_DAYS) and (broken := damage()) is not None:
        return broken
    if age < ASKED_AGAIN_DAYS:
        return None
    came = realised(connection, champion.version, as_of)
    for grain, cells in sorted(came.items()):
        said = cells.covered[np.isfinite(cells.covered)]
        if len(said) >= FEWEST_REALISED and not COVERAGE_80[0] <= said.mean() <= COVERAGE_80[1]:
            return f"drift: the 80 % interval held {said.mean():.0%} of {len(said)} values per {grain}"
    seen = list(watched())
    expected = _expected(connection, champion.version) if came else {}
    return drift.why(shifts(seen), decays(came, expected, scales(seen)))


def watch(
    inputs: Inputs, champion: Registered, models: dict[tuple[str, str], FittedCareGrid]
) -> Iterator[Watched]:
    """Yield what a champion would forecast of what is known, where it serves the grain.

    Args:
        inputs: read with the champion's settings; models: its own, by grain and feed.
    """
    from .warehouse.eligibility import usable_rows
    from .warehouse.forecasting import panel_of

    settings = champion.settings
    for grid in inputs.grids():
        grain, feed = grid.spine.grain, grid.spine.feed
        if (grain, feed) in models and grain in champion.serves:
            rows = usable_rows(grid, settings)
            if len(rows):
                panel = panel_of(grid, rows, settings.grains[grain])
                yield Watched(grain, feed, models[grain, feed], panel)


def shifts(seen: Iterable[Watched]) -> list[Shift]:
    """Return how far features have moved since training, named by grain, feed and feature."""
    return [
        replace(moved, name=f"{one.grain} {one.feed} {moved.name}")
        for one in seen
        for moved in one.fitted.shifts(one.panel)
    ]


def scales(seen: Iterable[Watched]) -> dict[int, float]:
    """Return {series_id: in-sample seasonal naive error}, the unit of the back-test's losses."""
    from .backtest.naive import naive_errors

    return {
        int(name): float(error)
        for one in seen
        for name, error in zip(one.panel.ids, naive_errors(one.panel), strict=True)
        if error > 0
    }


def decays(
    came: dict[str, Realised], expected: dict[str, dict[int, float]], scale: dict[int, float]
) -> dict[str, Decay]:
    """Return {grain: how the loss of what came true stands to the back-test's}.

    Each cell's score is divided by its series' naive error and by what the back-test lost so far ahead, so
    that neither large places nor the nearness of what has come true so far is taken for a change.

    Args:
        expected: {grain: {lead: mean scaled interval score of the back-test}}.
    """
    found = {}
    for grain, cells in came.items():
        leads = expected.get(grain, {})
        unit = np.array([scale.get(int(one), np.nan) for one in cells.series_id])
        usual = np.array([leads.get(int(one), np.nan) for one in cells.lead])
        found[grain] = drift.decay(cells.score / unit / usual, cells.origin, 1.0)
    return found


def series_counts(series: pl.DataFrame) -> str:
    """Return {model grain: demand series} as JSON, as `why` compares it with later."""
    found: dict[str, int] = {}
    for grain, demand in series.select("grain", "is_forecast").iter_rows():
        if demand and grain in MODEL_GRAIN:
            found[MODEL_GRAIN[grain]] = found.get(MODEL_GRAIN[grain], 0) + 1
    return json.dumps(found, sort_keys=True)


def _counts(connection: Any) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """select s.grain, count(*) from core.dim_series s join core.dim_measure m using (measure)
               where m.forecast group by s.grain"""
        )
        found: dict[str, int] = {}
        for grain, count in cursor.fetchall():
            if grain in MODEL_GRAIN:
                found[MODEL_GRAIN[grain]] = found.get(MODEL_GRAIN[grain], 0) + count
        return found


def _expected(connection: Any, version: str) -> dict[str, dict[int, float]]:
    """Return {grain: {lead: mean scaled interval score}} of the back-test the version was registered with."""
    leads = {at_lead(lead): lead for lead in TOLD_LEADS}
    with connection.cursor() as cursor:
        cursor.execute(
            """select b.grain, b.metric, b.value from model_output.backtest b
               join model_output.run r using (run_id)
               where r.kind = 'train' and r.model_version = %s and b.model = %s and b.metric = any(%s)
                   and b.value > 0""",
            (version, OURS, list(leads)),
        )
        found: dict[str, dict[int, float]] = {}
        for grain, metric, value in cursor.fetchall():
            found.setdefault(grain, {})[leads[metric]] = value
        return found
