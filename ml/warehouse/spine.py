"""Series of one feed and grain on a grid of periods with gaps left open, as known at any cut."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..panel import LARGEST, Floats, Ints, Panel, Versions, last_known
from ..periods import (
    FREQUENCIES,
    MODEL_GRAIN,
    index_periods,
    is_zone,
    period_holding,
    period_stamps,
    zone_offsets,
)
from ..recipe.history import LONGEST_SILENCE
from .pairs import capacity_pairs

if TYPE_CHECKING:
    import polars as pl

# A series whose share of observed values with a known number of reporting units reaches this is modelled
# as today's panel.
PANEL_SHARE = 0.9
# A publication of more periods than any feed gathers before it publishes them is a history, told all at once.
BULK = {"hour": 24 * 14, "day": 92, "week": 52, "month": 12}
# What is told of a period that begins later than this after the telling is a plan or a slip: nobody saw it.
AHEAD = timedelta(days=1)  # a date without a time of day may be the one before in another zone


@dataclass
class Spine:
    """Every version of every value of one feed's series of one grain, by row and column of a grid.

    Args:
        feed, grain: whose series these are; grain is the models' (an instant counts as its hour).
        series: one row per grid row, in order of their keys, so that what is drawn and learned is the same
            whichever file came first: SERIES_COLUMNS, `name` (the series_id as text), `phase` (the weekday a
            week begins on, the minute an hour begins at) and `ahead` (values that were left out, since they
            were told before their period began).
        first: period index of the first column; width: number of columns.
        row, column, known, period_end, value, unit_count: one entry per version, in order of known
            (microseconds since 1970 in UTC).
        is_panel: [series] whether values are modelled for the reporting units of today.
        vintages_assumed: whether known_at was assumed for a history that was published in bulk.
        moved: [version] whether its known_at was assumed: it tells nothing of how reports are revised.
    """

    feed: str
    grain: str
    series: pl.DataFrame
    first: int
    width: int
    row: Ints
    column: Ints
    known: Ints
    period_end: Ints
    value: Floats
    unit_count: Floats
    is_panel: np.ndarray
    vintages_assumed: bool = False
    moved: np.ndarray | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the rows."""
        return tuple(self.series["name"].to_list())

    @property
    def phase(self) -> int:
        """Return the phase of most series, the least of equally frequent ones."""
        return int(self.series["phase"].mode().sort()[0])

    @cached_property
    def pairs(self) -> dict[int, int]:
        """Return {demand row: capacity row}; every cut of a spine has the same."""
        return capacity_pairs(self.series)

    def as_known(self, cut: int | None) -> Grid:
        """Return the newest value of every period known at the cut (microseconds; None: everything)."""
        end = len(self.known) if cut is None else int(np.searchsorted(self.known, cut, side="right"))
        shape = (len(self.series), self.width)
        y, counts = np.full(shape, np.nan), np.full(shape, np.nan)
        # Versions lie in order of known_at and numpy keeps the last of equal indices: the newest wins.
        y[self.row[:end], self.column[:end]] = self.value[:end]
        counts[self.row[:end], self.column[:end]] = self.unit_count[:end]
        # Where nobody reports, nothing is nothing known; where it is not said how many do, as many as before.
        y[self.is_panel[:, None] & (counts == 0) & (y == 0)] = np.nan
        counts[~(counts > 0) | np.isnan(y)] = np.nan
        if self.is_panel.any():
            counts = last_known(counts)
        units = np.ones(shape[0])
        for row in np.flatnonzero(self.is_panel):
            told = np.flatnonzero(~np.isnan(y[row]) & ~np.isnan(counts[row]))
            if len(told):
                units[row] = counts[row, told[-1]]
            y[row] = y[row] * units[row] / counts[row]
        seen = ~np.isnan(y)
        last = np.where(seen.any(axis=1), self.width - 1 - np.argmax(seen[:, ::-1], axis=1), -1)
        return Grid(self, y, units, counts, last, seen.sum(axis=1), end)

    def with_assumed_vintages(self) -> Spine:
        """Return the spine as it would have become known, where a long history was published at once.

        A known_at that covers more periods than BULK tells nothing about when each of them became known.
        Their first versions are then taken to have been known as soon after their end as the
        newest of them was. Back-tests say that they assumed it; values whose known_at is the publisher's
        stay as they are.
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
            .filter(pl.col("periods") > BULK[self.grain])
        )
        assumed, known, bulked = len(bulks) > 0, self.known.copy(), np.zeros(len(self.known), dtype=bool)
        for stamp, _, newest in bulks.iter_rows():
            bulk = first_version & (self.known == stamp)
            bulked |= bulk
            known[bulk] = np.minimum(known[bulk], self.period_end[bulk] + max(stamp - newest, 0))
        if not assumed:
            return self
        order = np.argsort(known, kind="stable")
        moved = {name: getattr(self, name)[order]
                 for name in ("row", "column", "period_end", "value", "unit_count")}  # fmt: skip
        return replace(self, known=known[order], vintages_assumed=True, moved=bulked[order], **moved)


@dataclass
class Grid:
    """Values of the series of a spine as known at one cut.

    Args:
        spine: where it comes from; rows and columns are the spine's.
        y: [series, period] values, NaN where nothing is known; of a panel as if today's units had reported.
        units: [series] reporting units of today's panel; 1 where not a panel.
        counts: [series, period] reporting units of each period, those last told where it does not tell.
        last: [series] column of the last observed value, -1 where there is none.
        observed: [series] number of observed periods.
        versions: how many of the spine's versions were known.
    """

    spine: Spine
    y: Floats
    units: Floats
    counts: Floats
    last: Ints
    observed: Ints
    versions: int

    @property
    def newest(self) -> int:
        """Return the column of the newest value of any series, -1 where there is none."""
        return int(self.last.max(initial=-1))

    def known_at(self) -> datetime:
        """Return the newest moment at which anything in the grid became known."""
        return moment_of(int(self.spine.known[: self.versions].max(initial=0)))

    def late(self, horizon: int) -> int:
        """Return how many whole periods had ended before the values of the newest one were all published.

        So had those that the feed told of later, without a value.

        They lie between the newest value and the first target: a late publication makes the forecast longer.
        Where they are more than a model looks back over, the feed is an archive, and ends where it ends.
        """
        if self.newest < 0:
            return 0
        spine = self.spine
        of_newest = np.flatnonzero(spine.column[: self.versions] == self.newest)
        # A correction that comes later makes nothing late.
        _, firsts = np.unique(spine.row[of_newest], return_index=True)
        published = moment_of(int(spine.known[of_newest[firsts]].max()))
        held = period_holding(published, spine.grain, spine.series["timezone"][0], spine.phase)
        # Later periods of which the feed said only that it has no value are over as well.
        told = int(spine.column[: self.versions].max()) - self.newest
        late = max(0, held - 1 - (spine.first + self.newest), told)
        return late if late <= LONGEST_SILENCE * horizon else 0

    def panel(self, rows: Ints, capacity: dict[int, int], horizon: int) -> Panel:
        """Return some rows as a model is given them, up to the period before the feed's newest publication.

        Args:
            rows: ascending; capacity: {demand row: capacity row}; horizon: number of target periods.
        """
        spine, width = self.spine, self.newest + 1 + self.late(horizon)
        missing = np.full((len(self.y), max(0, width - spine.width)), np.nan)
        y = np.concatenate([self.y, missing], axis=1)[:, :width]
        periods = spine.first + np.arange(width + horizon)
        held = None
        if any(int(row) in capacity for row in rows):
            held = np.full((len(rows), width), np.nan)
            for at, row in enumerate(rows):
                if int(row) in capacity:
                    held[at] = y[capacity[int(row)]]
        clock = None
        if spine.grain == "hour":
            zones = [str(zone) for zone in spine.series["timezone"].to_numpy()[rows]]
            named = sorted(set(zones))
            clock = zone_offsets(named, periods)[[named.index(zone) for zone in zones]]
        return Panel(
            frequency=FREQUENCIES[spine.grain],
            ids=tuple(spine.names[int(row)] for row in rows),
            times=period_stamps(spine.grain, periods, spine.phase),
            horizon=horizon,
            cutoff=int(spine.known[: self.versions].max(initial=0)),
            y=y[rows],
            capacity=held,
            static=self._static(rows),
            clock=clock,
            versions=self._versions(rows, width),
        )

    def _static(self, rows: Ints) -> dict[str, np.ndarray]:
        """Return what does not change with time; a column that says the same everywhere says nothing."""
        series, found = self.spine.series, {}
        for name in ("measure", "service_or_resource", "statistic", "country_code"):
            values = np.array(["" if one is None else str(one) for one in series[name].to_list()])[rows]
            # A column that says the same of all says nothing, but whose holidays are kept. Where nobody said
            # the country, the past of the days may tell it.
            if values.astype(bool).any() if name == "country_code" else len(np.unique(values)) > 1:
                found[name] = values
        return found

    def _versions(self, rows: Ints, width: int) -> Versions | None:
        """Return the versions known, scaled as the values are, without those whose moment was assumed."""
        spine, end = self.spine, self.versions
        place = np.full(len(spine.series), -1)
        place[rows] = np.arange(len(rows))
        value = spine.value[:end]
        of_panel = spine.is_panel[spine.row[:end]]
        told = spine.unit_count[:end]
        told = np.where((told == 0) & (value == 0), np.nan, told)
        count = np.where(told > 0, told, self.counts[spine.row[:end], spine.column[:end]])
        value = np.where(of_panel, value * self.units[spine.row[:end]] / count, value)
        kept = (place[spine.row[:end]] >= 0) & (spine.column[:end] < width) & ~np.isnan(value)
        if spine.moved is not None:
            kept &= ~spine.moved[:end]
        kept = np.flatnonzero(kept)
        if not len(kept):
            return None
        return Versions(place[spine.row[kept]], spine.column[kept], spine.known[kept], value[kept])


def moment_of(microseconds: int) -> datetime:
    """Return the moment so many microseconds after the beginning of 1970, in UTC."""
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)


def build_spines(series: pl.DataFrame, values: pl.DataFrame, history: dict[str, int]) -> list[Spine]:
    """Return one spine per feed and model grain, ordered by grain and feed.

    Args:
        series, values: as Data gives them.
        history: per model grain, others are not looked at; the feed's newest `history` periods are kept.
    """
    import polars as pl

    series = series.with_columns(
        name=pl.col("series_id").cast(pl.String),
        model_grain=pl.col("grain").replace_strict(MODEL_GRAIN, default=None),
    ).filter(
        pl.col("model_grain").is_in(list(history))
        # One place with a zone that nobody knows takes no feed with it.
        & pl.col("timezone").is_in([zone for zone in series["timezone"].unique() if zone and is_zone(zone)])
    )
    spines = []
    for key, group in series.sort("key", "name").group_by("model_grain", "feed", maintain_order=True):
        grain, feed = str(key[0]), str(key[1])
        found = values.join(group.select("series_id", "timezone"), on="series_id", how="inner")
        ahead = pl.col("period_start") > pl.col("known_at") + AHEAD
        plans = found.filter(ahead & pl.col("value").is_not_null())
        planned = plans.group_by("series_id").agg(ahead=pl.len())
        group = group.join(planned, on="series_id", how="left", maintain_order="left").with_columns(
            pl.col("ahead").fill_null(0)
        )
        found = found.filter(~ahead)
        if found.is_empty():
            continue
        found = index_periods(found, grain)
        spines.append(_build(feed, grain, history[grain], group.drop("model_grain"), found))
    return sorted(spines, key=lambda spine: (spine.grain, spine.feed))


def _build(feed: str, grain: str, history: int, series: pl.DataFrame, found: pl.DataFrame) -> Spine:
    """Return the spine of one feed and grain; `found` is indexed."""
    import polars as pl

    rows = pl.DataFrame({"series_id": series["series_id"], "row": np.arange(len(series))})
    found = found.join(rows, on="series_id").sort(
        "known_at", "period_start", "row", "load_id", maintain_order=True
    )
    # Several instants of one hour: the newest instant speaks for the hour, whenever an older one is
    # corrected.
    found = found.filter(pl.col("period_start") >= pl.col("period_start").cum_max().over("row", "period"))
    newest = int(found["period"].max())  # type: ignore[arg-type]
    first = max(int(found["period"].min()), newest - history + 1)  # type: ignore[arg-type]
    found = found.filter(pl.col("period") >= first)
    phases = found.group_by("series_id").agg(phase=pl.col("phase").last())
    series = series.join(phases, on="series_id", how="left", maintain_order="left").with_columns(
        pl.col("phase").fill_null(0)
    )
    row, value = found["row"].to_numpy(), found["value"].fill_null(float("nan")).to_numpy()
    # What is counted is not negative, nor without end: such a value is as good as none.
    value = np.where((value < 0) | (value > LARGEST), np.nan, value)
    unit_count = found["reporting_units"].fill_null(float("nan")).to_numpy()
    unit_count = np.where(unit_count > LARGEST, np.nan, unit_count)
    seen = np.bincount(row[~np.isnan(value)], minlength=len(series))
    with_units = np.bincount(row[~np.isnan(value) & (unit_count > 0)], minlength=len(series))
    return Spine(
        feed=feed,
        grain=grain,
        series=series,
        first=first,
        width=newest - first + 1,
        row=row,
        column=found["period"].to_numpy() - first,
        known=found["known_at"].to_physical().to_numpy(),
        period_end=found["period_end"].to_physical().to_numpy(),
        value=value,
        unit_count=unit_count,
        is_panel=(seen > 0) & (with_units >= PANEL_SHARE * seen),
    )
