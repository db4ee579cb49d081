"""Series on a grid of periods with gaps left open, as known at any cut: no lag ever counts rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from .periods import MODEL_GRAIN, index_periods, zone_offsets

if TYPE_CHECKING:
    import polars as pl

Floats = np.ndarray
Ints = np.ndarray

# A series whose share of observed values with a known number of reporting units reaches this is modelled
# per unit.
PANEL_SHARE = 0.9
LONG_SILENCE = 8  # seasons


@dataclass
class Grid:
    """Values of the series of a spine as known at one cut.

    Args:
        spine: where it comes from; rows and columns are the spine's.
        y: [series, period] values, NaN where nothing is known; per reporting unit where `is_panel`.
        units: [series] what a value per unit is multiplied with to name today's panel; 1 where not a panel.
        last: [series] column of the last observed value, -1 where there is none.
        observed: [series] number of observed periods.
    """

    spine: Spine
    y: Floats
    units: Floats
    last: Ints
    observed: Ints


@dataclass
class Spine:
    """Every version of every value of one feed's series of one grain, by row and column of a grid.

    Args:
        feed, grain, season: whose series these are; grain is the models' (an instant counts as its hour).
        series: one row per grid row (SERIES_COLUMNS plus `phase`, the weekday a week begins on).
        periods: [width] true period of each column. They follow each other, but for silences of the whole
        feed of
            many seasons, out of which whole seasons are cut: the winter before stands before the winter.
        row, column, known, value, unit_count: one entry per version, in order of known_at (microseconds).
        zone: [series] row of `offsets`; offsets: [zone, period] hours of local time ahead of UTC, with
        room on
            either side (`offset_pad` columns) so that lags and horizons need no care.
        is_panel: [series] whether values are modelled per reporting unit.
        vintages_assumed: whether known_at was assumed for a history that was published in bulk.
    """

    feed: str
    grain: str
    season: int
    series: pl.DataFrame
    periods: Ints
    row: Ints
    column: Ints
    known: Ints
    period_end: Ints
    value: Floats
    unit_count: Floats
    zone: Ints
    offsets: Ints
    offset_pad: int
    is_panel: np.ndarray
    vintages_assumed: bool = False

    @property
    def width(self) -> int:
        """Return the number of columns, room for the horizon not included."""
        return len(self.periods)

    @property
    def silences(self) -> int:
        """Return how many periods of silence were cut out."""
        return int(self.periods[-1] - self.periods[0]) + 1 - self.width

    def period_at(self, columns: Ints) -> Ints:
        """Return true periods, also of columns before and after the grid."""
        inside = self.periods[np.clip(columns, 0, self.width - 1)]
        return inside + np.minimum(columns, 0) + np.maximum(columns - self.width + 1, 0)

    def as_known(self, cut: int | None) -> Grid:
        """Return the newest value of every period known at the cut (microseconds; None: everything)."""
        end = len(self.known) if cut is None else int(np.searchsorted(self.known, cut, side="right"))
        shape = (len(self.series), self.width)
        y = np.full(shape, np.nan)
        # Versions lie in order of known_at and numpy keeps the last of equal indices: the newest wins.
        y[self.row[:end], self.column[:end]] = self.value[:end]
        counts = np.full(shape, np.nan)
        counts[self.row[:end], self.column[:end]] = self.unit_count[:end]
        counts[~(counts > 0)] = np.nan
        seen = ~np.isnan(y)
        observed = seen.sum(axis=1)
        units = np.ones(shape[0])
        for row in np.flatnonzero(self.is_panel):
            known = np.flatnonzero(seen[row] & ~np.isnan(counts[row]))
            if len(known):
                units[row] = counts[row, known[-1]]
                y[row] = y[row] / counts[row]
        seen = ~np.isnan(y)
        last = np.where(seen.any(axis=1), self.width - 1 - np.argmax(seen[:, ::-1], axis=1), -1)
        return Grid(self, y, units, last, observed)

    def same_position(self, rows: Ints, columns: Ints, periods: int | Ints) -> Ints:
        """Return columns `periods` earlier at the same position of the season, by local clock for hours.

        Twenty-four hours before 09:00 is 09:00 also over a change of the clocks.
        """
        earlier = columns - periods
        if self.grain != "hour":
            return earlier
        zone = self.zone[rows]
        pad, limit = self.offset_pad, self.offsets.shape[1] - 1
        here = self.offsets[zone, np.clip(columns + pad, 0, limit)]
        return earlier + here - self.offsets[zone, np.clip(earlier + pad, 0, limit)]

    def local_index(self, rows: Ints, columns: Ints) -> Ints:
        """Return period indices in local time (hours since 1970-01-01T00:00 on the local clock)."""
        periods = self.period_at(columns)
        if self.grain != "hour":
            return periods
        limit = self.offsets.shape[1] - 1
        return periods + self.offsets[self.zone[rows], np.clip(columns + self.offset_pad, 0, limit)]

    def with_assumed_vintages(self) -> Spine:
        """Return the spine as it would have become known, where a long history was published at once.

        A known_at that covers more periods of the feed than a season tells nothing about when each of them
        became known. Their first versions are then taken to have been known as soon after their end as the
        newest of
        them was. Back-tests say that they assumed it; values whose known_at is the publisher's stay as
        they are.
        """
        if not len(self.known):
            return self
        import polars as pl

        _, firsts = np.unique(self.row * self.width + self.column, return_index=True)
        first_version = np.zeros(len(self.known), dtype=bool)
        first_version[firsts] = True
        versions = pl.DataFrame({"known": self.known, "column": self.column, "end": self.period_end})
        bulks = (
            versions.filter(first_version)
            .group_by("known")
            .agg(periods=pl.col("column").n_unique(), newest=pl.col("end").max())
            .filter(pl.col("periods") > self.season)
        )
        assumed, known = len(bulks) > 0, self.known.copy()
        for stamp, _, newest in bulks.iter_rows():
            bulk = first_version & (self.known == stamp)
            known[bulk] = np.minimum(known[bulk], self.period_end[bulk] + max(stamp - newest, 0))
        if not assumed:
            return self
        order = np.argsort(known, kind="stable")
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("row", "column", "period_end", "value", "unit_count"):
            fields[name] = fields[name][order]
        return Spine(**{**fields, "known": known[order], "vintages_assumed": True})


def build_spines(
    series: pl.DataFrame, values: pl.DataFrame, seasons: dict[str, int], history: dict[str, int]
) -> list[Spine]:
    """Return one spine per feed and model grain, ordered by grain and feed.

    Args:
        series, values: as Data gives them.
        seasons, history: per model grain; the feed's newest `history` periods are kept, long silences not
        counted.
    """
    import polars as pl

    series = series.with_columns(
        model_grain=pl.col("grain").replace_strict(MODEL_GRAIN, default=None)
    ).filter(pl.col("model_grain").is_not_null())
    spines = []
    for key, group in series.sort("series_id").group_by("model_grain", "feed", maintain_order=True):
        grain, feed = str(key[0]), str(key[1])
        found = values.join(group.select("series_id", "timezone"), on="series_id", how="inner")
        if found.is_empty():
            continue
        found = index_periods(found, grain)
        spines.append(_build(feed, grain, seasons[grain], history[grain], group.drop("model_grain"), found))
    return sorted(spines, key=lambda spine: (spine.grain, spine.feed))


def _build(
    feed: str, grain: str, season: int, history: int, series: pl.DataFrame, found: pl.DataFrame
) -> Spine:
    """Return the spine of one feed and grain; `found` is indexed."""
    import polars as pl

    rows = pl.DataFrame({"series_id": series["series_id"], "row": np.arange(len(series))})
    found = found.join(rows, on="series_id").sort("known_at", "period_start", "load_id", "series_id")
    # Several instants of one hour: the newest instant speaks for the hour, whenever an older one is
    # corrected.
    found = found.filter(pl.col("period_start") >= pl.col("period_start").cum_max().over("row", "period"))
    periods = columns_without_silence(found["period"].to_numpy(), season)[-history:]
    found = found.filter(pl.col("period") >= int(periods[0]))
    phases = found.group_by("series_id").agg(phase=pl.col("phase").last())
    series = series.join(phases, on="series_id", how="left", maintain_order="left").with_columns(
        pl.col("phase").fill_null(0)
    )
    zones = sorted(set(series["timezone"].to_list()))
    pad = 3 * season if grain == "hour" else 0
    around = np.concatenate(
        [periods[0] + np.arange(-pad, 0), periods, periods[-1] + np.arange(1, pad + 1)]
    )  # fmt: skip
    offsets = zone_offsets(zones, around) if grain == "hour" else np.zeros((len(zones), 1), dtype=np.int64)
    row = found["row"].to_numpy().astype(np.int64)
    value = found["value"].fill_null(np.nan).to_numpy()
    unit_count = found["reporting_units"].fill_null(np.nan).to_numpy()
    seen = np.bincount(row[~np.isnan(value)], minlength=len(series))
    with_units = np.bincount(row[~np.isnan(value) & (unit_count > 0)], minlength=len(series))
    return Spine(
        feed=feed,
        grain=grain,
        season=season,
        series=series,
        periods=periods,
        row=row,
        column=np.searchsorted(periods, found["period"].to_numpy()),
        known=found["known_at"].to_physical().to_numpy(),
        period_end=found["period_end"].to_physical().to_numpy(),
        value=value,
        unit_count=unit_count,
        zone=np.array([zones.index(zone) for zone in series["timezone"]]),
        offsets=offsets,
        offset_pad=pad,
        is_panel=(seen > 0) & (with_units >= PANEL_SHARE * seen),
    )


def columns_without_silence(periods: Ints, season: int) -> Ints:
    """Return the ascending periods from the first to the last, without whole seasons of long silences.

    A silence is a run of periods of which no series of the feed has a value. Of one that lasts
    LONG_SILENCE seasons
    or more, whole seasons are left out, so that every position of the season keeps its place.
    """
    seen = np.unique(periods)
    steps = np.diff(seen)
    removed = np.where(steps - 1 >= LONG_SILENCE * season, (steps - 1) // season * season, 0)
    parts, start = [], int(seen[0])
    for at in np.flatnonzero(removed):
        parts.append(np.arange(start, seen[at] + 1))
        start = int(seen[at] + 1 + removed[at])
    return np.concatenate([*parts, np.arange(start, seen[-1] + 1)]).astype(np.int64)


def gaps(grid: Grid) -> pl.DataFrame:
    """Return the gaps within each series: series_id, first and last missing period index, periods."""
    import polars as pl

    found = []
    ids = grid.spine.series["series_id"].to_list()
    for row, series_id in enumerate(ids):
        seen = np.flatnonzero(~np.isnan(grid.y[row]))
        for at in np.flatnonzero(np.diff(seen) > 1):
            first, last = grid.spine.periods[seen[at]] + 1, grid.spine.periods[seen[at + 1]] - 1
            found.append((series_id, int(first), int(last), int(last - first + 1)))
    return pl.DataFrame(found, schema=["series_id", "first_missing", "last_missing", "periods"], orient="row")


def microseconds(moment: datetime) -> int:
    """Return a moment as the spine counts it."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
