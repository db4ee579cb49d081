"""The warehouse's series as the long table that `python -m ml.backtest` takes, for models of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from caregrid.errors import CareGridError

from ..panel import Floats, Ints
from ..periods import FREQUENCIES, period_stamps
from .settings import Settings
from .spine import Spine, moment_of
from .tested import cuts_of

if TYPE_CHECKING:
    import polars as pl

GRAINS = ("hour", "day", "week")  # that a back-test of a table takes
TEXTS = ("measure", "service_or_resource", "statistic", "region_key", "country_code")
CAPACITY = "capacity"


@dataclass(frozen=True)
class LongTable:
    """One feed's demand series of one grain.

    Args:
        rows: unique_id (the series_id), ds, y, known_at (UTC), capacity where a series has one, and texts
            that do not change with time.
        series: how many there are.
        assumed: whether vintages were assumed (see `Spine.with_assumed_vintages`).
        cutoffs: of the warehouse's own back-test, in UTC, ascending.
    """

    rows: pl.DataFrame
    series: int
    assumed: bool
    cutoffs: list[datetime]


def of_feed(spines: Sequence[Spine], feed: str, grain: str, settings: Settings) -> LongTable:
    """Return the table of a feed's demand series as its own back-test sees them.

    Values are as they were told: what the feed's own model makes of reporting units is not in them. An
    instant stands under its hour. What is told of capacity stands in rows of its own, without y.

    Raises:
        CareGridError: there is no such series, or none with a value.
    """
    import polars as pl

    spine = next((one for one in spines if (one.feed, one.grain) == (feed, grain)), None)
    if spine is None or not spine.series["is_forecast"].any():
        there = sorted(
            f"{one.feed} ({one.grain})"
            for one in spines
            if one.grain in GRAINS and one.series["is_forecast"].any()
        )
        raise CareGridError(
            f"no series of feed {feed} is of grain {grain} and forecast",
            where="--feed, --grain",
            fix=f"name one of {', '.join(there)}" if there else "load feeds and build the warehouse first",
        )
    demand = np.flatnonzero(spine.series["is_forecast"].to_numpy())
    spine = spine.with_assumed_vintages()
    pairs = spine.pairs
    names = np.array(spine.names, dtype=object)
    values = _versions(spine, np.isin(spine.row, demand), names[spine.row], "y")
    parts = [values]
    for row, held in sorted(pairs.items()):
        parts.append(_versions(spine, spine.row == held, names[row], CAPACITY))
    texts = spine.series.select(pl.col("name").alias("unique_id"), *TEXTS)
    told = [name for name in TEXTS if (texts[name].fill_null("") != "").any()]
    rows = pl.concat(parts, how="diagonal").join(texts.select("unique_id", *told), on="unique_id", how="left")
    if not len(values):
        raise CareGridError(f"no series of feed {feed} has a value of grain {grain}", where="--feed")
    moments = [moment_of(cut) for cut in cuts_of(spine, settings)]
    return LongTable(
        rows.sort("unique_id", "known_at", "ds", maintain_order=True),
        values["unique_id"].n_unique(),
        spine.vintages_assumed,
        moments,
    )


def command(table: LongTable, path: str, grain: str, settings: Settings) -> str:
    """Return a command that back-tests the table about as the warehouse does itself."""
    one = settings.grains[grain]
    newest: datetime = table.rows["known_at"].max()  # type: ignore[assignment]
    dates = table.cutoffs or [newest]
    shape = "%Y-%m-%dT%H:00" if grain == "hour" else "%Y-%m-%d"
    unit = {"hour": "h", "day": "D", "week": "W"}[grain]
    cutoffs = f"{dates[0].strftime(shape)}:{dates[-1].strftime(shape)}:{one.step}{unit}"
    held = f" --capacity {CAPACITY}" if CAPACITY in table.rows.columns else ""
    return (
        f"python -m ml.backtest --series {path} --freq {FREQUENCIES[grain]} --horizon {one.horizon} "
        f"--cutoffs {cutoffs}{held} --models all,mine=my_package.my_module:MyModel --out var/backtest"
    )


def _versions(spine: Spine, mask: np.ndarray, ids: Floats | str, column: str) -> pl.DataFrame:
    """Return unique_id, ds, known_at and the values of some versions."""
    import polars as pl

    kept: Ints = np.flatnonzero(mask & ~np.isnan(spine.value))
    stamps = period_stamps(spine.grain, spine.first + spine.column[kept], spine.phase)
    named = ids[kept].tolist() if isinstance(ids, np.ndarray) else [ids] * len(kept)
    return pl.DataFrame(
        {
            "unique_id": pl.Series(named, dtype=pl.String),
            "ds": pl.Series(stamps.astype("datetime64[us]"), dtype=pl.Datetime("us")),
            column: pl.Series(spine.value[kept], dtype=pl.Float64),
            "known_at": pl.Series(spine.known[kept].astype("datetime64[us]"), dtype=pl.Datetime("us")),
        }
    )
