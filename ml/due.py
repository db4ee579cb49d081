"""Whether a champion is due to be replaced: by age, by growth of what there is to forecast, or by drift."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import drift
from .drift import FEWEST_REALISED, Decay, Shift
from .periods import MODEL_GRAIN
from .registry import Registered

if TYPE_CHECKING:
    import polars as pl

MAX_AGE_DAYS = 7
GROWTH = 1.25
COVERAGE_80 = (0.65, 0.95)


def why(
    connection: Any, champion: Registered, as_of: datetime, challenger: Registered | None = None,
    shifts: list[Shift] | None = None, decays: dict[str, Decay] | None = None,
) -> str | None:  # fmt: skip
    """Return why a new training is due, or None.

    Drift is looked for in the champion's own forecasts of the past whose truth is known by now. A challenger
    that was refused has answered what was asked of it: the same question is not asked again for a day.

    Args:
        shifts, decays: what `drift` found of the champion's features, and of its score per grain.
    """
    newest = challenger if challenger is not None and challenger.as_of > champion.as_of else champion
    age = (as_of - newest.as_of).total_seconds() / 86_400
    if age > MAX_AGE_DAYS:
        return f"the newest model is {age:.1f} days old, {MAX_AGE_DAYS} are allowed"
    trained = json.loads(newest.tags.get("series_by_grain", "{}"))
    for grain, count in _counts(connection).items():
        if count > GROWTH * trained.get(grain, 0):
            return f"{count} series per {grain} where the newest model knew {trained.get(grain, 0)}"
    if newest is not champion and age < 1:
        return None
    for grain, (count, covered) in _realised(connection, champion.version, as_of).items():
        if count >= FEWEST_REALISED and not COVERAGE_80[0] <= covered <= COVERAGE_80[1]:
            return f"drift: the 80 % interval held {covered:.0%} of {count} values per {grain}"
    return drift.why(shifts or [], decays or {})


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


def _realised(connection: Any, version: str, as_of: datetime) -> dict[str, tuple[int, float]]:
    """Return {grain: (cells, share within the 80 % interval)} of the version's forecasts that came due."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select s.grain, count(*), avg((f.value between low.value and high.value)::int)
            from model_output.run r
            join model_output.forecast low on low.run_id = r.run_id and low.quantile = 0.1
            join model_output.forecast high on high.run_id = r.run_id and high.quantile = 0.9
                and high.series_id = low.series_id and high.period_start = low.period_start
            join core.dim_series s on s.series_id = low.series_id
            join core.fct_usage f on f.series_id = low.series_id and f.is_current and f.value_status =
            'reported'
                and f.period_start >= low.period_start and f.period_start < low.period_end
            where r.kind = 'score' and r.model_version = %s and f.known_at <= %s and f.known_at > low.known_at
            group by s.grain
            """,
            (version, as_of),
        )
        return {grain: (count, float(share)) for grain, count, share in cursor.fetchall()}
