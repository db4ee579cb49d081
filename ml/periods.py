"""Periods as whole numbers per grain, in the place's own time, and back to instants in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

if TYPE_CHECKING:
    import polars as pl

# Grains that can be forecast, and the grid they lie on: an instant is snapped to the hour it falls in.
MODEL_GRAIN = {"instant": "hour", "hour": "hour", "day": "day", "week": "week", "month": "month"}
EPOCH = date(1970, 1, 1)


def index_periods(values: pl.DataFrame, grain: str) -> pl.DataFrame:
    """Add `period` (whole number of the grain) and `phase` (days into the week count at which its weeks
    begin).

    hour: hours since the epoch in UTC, so that each hour of a 25-hour day is its own; day, week and month
    count
    local dates. Needs columns period_start (UTC) and timezone.
    """
    import polars as pl

    if grain == "hour":
        return values.with_columns(
            period=pl.col("period_start").dt.epoch("s") // 3600, phase=pl.lit(0, pl.Int64)
        )
    parts = []
    for key, part in values.group_by("timezone", maintain_order=True):
        local = pl.col("period_start").dt.convert_time_zone(str(key[0]))
        days = local.dt.date().cast(pl.Int32).cast(pl.Int64)
        if grain == "month":
            period = local.dt.year().cast(pl.Int64) * 12 + local.dt.month().cast(pl.Int64) - 1
        else:
            period = days if grain == "day" else days // 7
        phase = days % 7 if grain == "week" else pl.lit(0, pl.Int64)
        parts.append(part.with_columns(period=period, phase=phase))
    return pl.concat(parts)


def period_bounds(grain: str, period: int, timezone: str, phase: int) -> tuple[datetime, datetime]:
    """Return [start, end) of a period in UTC."""
    if grain == "hour":
        start = datetime.fromtimestamp(period * 3600, UTC)
        return start, start + timedelta(hours=1)
    if grain == "month":
        first = date(period // 12, period % 12 + 1, 1)
        after = date((period + 1) // 12, (period + 1) % 12 + 1, 1)
    else:
        length = 1 if grain == "day" else 7
        first = EPOCH + timedelta(days=period * length + (phase if grain == "week" else 0))
        after = first + timedelta(days=length)
    zone = ZoneInfo(timezone)
    return tuple(datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, after))  # type: ignore[return-value]


def period_date(grain: str, period: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Return the local dates (datetime64[D]) on which periods begin; hours are given in local hours."""
    if grain == "hour":
        return period.astype("datetime64[h]").astype("datetime64[D]")
    if grain == "day":
        return period.astype("datetime64[D]")
    if grain == "week":
        return (period * 7 + phase).astype("datetime64[D]")
    return (period - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]")


def zone_offsets(zones: list[str], hours: np.ndarray) -> np.ndarray:
    """Return [zone, hour] whole hours of local time ahead of UTC at hours since the epoch."""
    import polars as pl

    moments = pl.from_epoch(pl.Series(hours * 3600), time_unit="s").dt.replace_time_zone("UTC")
    found = []
    for zone in zones:
        local = moments.dt.convert_time_zone(zone)
        offset = local.dt.base_utc_offset() + local.dt.dst_offset()
        found.append((offset.dt.total_minutes() // 60).to_numpy())
    return np.stack(found).astype(np.int64)
