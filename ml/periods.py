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
# As a panel names them.
FREQUENCIES = {"hour": "H", "day": "D", "week": "W", "month": "M"}
EPOCH = date(1970, 1, 1)


def is_zone(name: str) -> bool:
    """Whether a time zone is known by this name, to Python and to polars, whose lists differ."""
    import polars as pl

    try:
        ZoneInfo(name)
        pl.Series([datetime(1970, 1, 1, tzinfo=UTC)]).dt.convert_time_zone(name)
    except (KeyError, ValueError, OSError, pl.exceptions.PolarsError):
        return False
    return True


def index_periods(values: pl.DataFrame, grain: str) -> pl.DataFrame:
    """Add `period` (whole number of the grain) and `phase` (days into the week count at which its weeks
    begin, minutes past the UTC hour at which its hours begin).

    hour: hours since the epoch in UTC, so that each hour of a 25-hour day is its own; an instant lies within
    one. day, week and month count local dates. Needs columns period_start, period_end (UTC) and timezone.
    """
    import polars as pl

    if grain == "hour":
        seconds = pl.col("period_start").dt.epoch("s")
        # Where clocks are half an hour off, so are hours.
        past = pl.when(pl.col("period_end") > pl.col("period_start")).then(seconds % 3600 // 60).otherwise(0)
        return values.with_columns(period=seconds // 3600, phase=past)
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
        start = datetime.fromtimestamp(period * 3600 + phase * 60, UTC)
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


def period_holding(moment: datetime, grain: str, timezone: str, phase: int) -> int:
    """Return the period that a moment falls in, by the clock of a place."""
    if grain == "hour":
        return int((moment.timestamp() - phase * 60) // 3600)
    local = moment.astimezone(ZoneInfo(timezone)).date()
    if grain == "month":
        return local.year * 12 + local.month - 1
    days = (local - EPOCH).days
    return days if grain == "day" else (days - phase) // 7


def period_stamps(grain: str, period: np.ndarray, phase: int) -> np.ndarray:
    """Return periods as models name them (datetime64[s]): by their start, a week by its last day."""
    if grain == "hour":
        return (period * 3600).astype("datetime64[s]")
    if grain == "day":
        return period.astype("datetime64[D]").astype("datetime64[s]")
    if grain == "week":
        return (period * 7 + phase + 6).astype("datetime64[D]").astype("datetime64[s]")
    return (period - 1970 * 12).astype("datetime64[M]").astype("datetime64[s]")


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
