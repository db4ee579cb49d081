"""From a frame of observed values to panels: one per grain and feed, on a grid of periods without holes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from ..panel import LARGEST, Floats, Ints, Panel
from ..periods import FREQUENCIES, is_zone, zone_offsets
from ..recipe.model import FittedCareGrid

if TYPE_CHECKING:
    import pandas as pd

# What does not change within a series; `grain` is day where nothing is said.
OF_A_SERIES = ("grain", "feed", "measure", "timezone", "country_code")
STATIC = ("measure", "country_code")
# Longer or larger comes from a ds that is wrong, not from a history.
MOST_PERIODS, MOST_CELLS = 300_000, 50_000_000
LABEL = {
    "hour": "the hour's beginning in UTC, such as 2025-01-31T14:00:00",
    "day": "the day, without a time of day, such as 2025-01-31",
    "week": "the week's last day, without a time of day, the same day of the week for all series",
    "month": "the month's first day, such as 2025-01-01",
}
UNIT = {"hour": "h", "day": "D", "week": "D", "month": "M"}

Models = dict[tuple[str, str], FittedCareGrid]


@dataclass(frozen=True)
class Asked:
    """The series of a frame that one model answers."""

    grain: str
    feed: str
    fitted: FittedCareGrid
    panel: Panel


def panels(frame: pd.DataFrame, models: Models) -> Iterator[Asked]:
    """Yield the panels of a frame, each with the model that answers it.

    Args:
        frame: unique_id, ds, y, optionally the columns of OF_A_SERIES and capacity.

    Raises:
        ValueError: rows that no model could answer; the message names the series and what to do.
    """
    frame = _checked(frame)
    named = _of_series(frame)
    grains = named["grain"].fillna("day")
    feeds = named["feed"].fillna("")
    for (grain, feed), ids in named.groupby([grains, feeds], sort=True).groups.items():
        chosen = _choose(models, str(grain), str(feed), str(ids[0]))
        fitted = models[str(grain), chosen]
        part = frame[frame["unique_id"].isin(ids)]
        panel = _panel(part, _at_home(named.loc[ids], fitted), str(grain), fitted.horizon)
        yield Asked(str(grain), chosen, fitted, panel)


def _checked(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with columns of their kinds."""
    import pandas as pd

    missing = [name for name in ("unique_id", "ds", "y") if name not in frame.columns]
    if missing:
        raise ValueError(f"the frame lacks {', '.join(missing)}: give unique_id, ds and y")
    if not len(frame):
        raise ValueError("the frame has no rows: give the observed values of each series")
    frame = frame.copy()
    for name in ("unique_id", "ds"):
        empty = int(frame[name].isna().sum())
        if empty:
            raise ValueError(f"{name} is empty in {empty} rows: fill it in, or leave the rows out")
    frame["unique_id"] = frame["unique_id"].astype(str)
    ds = pd.to_datetime(frame["ds"])
    frame["ds"] = ds.dt.tz_convert("UTC").dt.tz_localize(None) if ds.dt.tz is not None else ds
    for name in ("y", "capacity"):
        if name in frame.columns:
            frame[name] = frame[name].astype(float)
    for name in ("y", "capacity"):
        if name in frame.columns:
            bad = (frame[name] < 0) | (frame[name] > LARGEST)
            if bad.any():
                fix = "count what there is, and leave out what is unknown"
                _refuse(frame[bad], f"{name} is negative, or more than can be counted", fix)
    twice = frame.duplicated(["unique_id", "ds"])
    if twice.any():
        _refuse(frame[twice], "two rows tell of the same ds", "keep the newest value of each period")
    unknown = frame["y"].isna().groupby(frame["unique_id"]).transform("all")
    if unknown.any():
        _refuse(frame[unknown], "no y is known", "leave the series out, or give some of its values")
    return frame


def _of_series(frame: pd.DataFrame) -> pd.DataFrame:
    """Return [series] what holds for each series, None where nothing is said."""
    for name in OF_A_SERIES:
        if name not in frame.columns:
            frame[name] = None
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    grouped = frame.groupby("unique_id", sort=True)
    for name in OF_A_SERIES:
        several = grouped[name].transform("nunique") > 1
        if several.any():
            fix = "give the series one of them, or two names of its own"
            _refuse(frame[several], f"{name} changes within a series", fix)
    return grouped[list(OF_A_SERIES)].first()


def _choose(models: Models, grain: str, feed: str, example: str) -> str:
    """Return the feed whose model answers: the named one, else the one that learned from the most series."""
    if grain not in FREQUENCIES:
        raise ValueError(f"{example}: grain {grain!r} is none of {', '.join(FREQUENCIES)}: name one of them")
    there = {one: len(fitted.ids) for (of, one), fitted in models.items() if of == grain}
    if not there:
        known = ", ".join(sorted({of for of, _ in models}))
        raise ValueError(f"{example}: no model of grain {grain} is here: give values per {known}")
    if feed and feed not in there:
        fix = f"leave feed empty, or name one of {', '.join(sorted(there))}"
        raise ValueError(f"{example}: no model of feed {feed!r} and grain {grain} is here: {fix}")
    return feed or max(sorted(there), key=lambda one: there[one])


def _at_home(named: pd.DataFrame, fitted: FittedCareGrid) -> pd.DataFrame:
    """Return the series with the country of the model's own, where it has one and the frame names none."""
    countries = [one for one in fitted.levels.get("country_code", ()) if one]
    if len(countries) != 1 or named["country_code"].notna().any():
        return named
    return named.assign(country_code=countries[0])


def _panel(frame: pd.DataFrame, named: pd.DataFrame, grain: str, horizon: int) -> Panel:
    """Return the panel of one grain and feed; its cutoff is the newest period of the frame."""
    ids = tuple(str(name) for name in named.index)
    row = named.index.get_indexer(frame["unique_id"])
    first, column = _columns(frame, grain)
    width = int(column.max()) + 1
    if width > MOST_PERIODS or len(ids) * width > MOST_CELLS:
        _refuse(frame.iloc[[int(column.argmin())]], f"ds lies {width} {grain}s before the newest", "check ds")
    step = 7 if grain == "week" else 1
    times = (first + np.arange(width + horizon) * step).astype("datetime64[s]")

    def grid(name: str) -> Floats:
        values = np.full((len(ids), width), np.nan)
        values[row, column] = frame[name].to_numpy()
        return values

    return Panel(
        FREQUENCIES[grain], ids, times, horizon,
        cutoff=int(times[width - 1].astype("datetime64[us]").astype(np.int64)),
        y=grid("y"),
        capacity=grid("capacity") if "capacity" in frame.columns else None,
        static={
            name: np.array([one or "" for one in named[name]]) for name in STATIC if named[name].notna().any()
        },
        clock=_clock(named, times) if grain == "hour" else None,
    )  # fmt: skip


def _columns(frame: pd.DataFrame, grain: str) -> tuple[np.datetime64, Ints]:
    """Return the first period of a frame, and the column of each row."""
    ds = frame["ds"].to_numpy().astype("datetime64[us]")
    period = ds.astype(f"datetime64[{UNIT[grain]}]")
    off = period != ds
    first = period.min()
    column: Ints = (period - first).astype(np.int64)
    if grain == "week":
        off |= column % 7 != 0
        column = column // 7
    if off.any():
        _refuse(frame[off], f"ds is no {grain} of the grid", f"give {LABEL[grain]}")
    return first, column


def _clock(named: pd.DataFrame, times: np.ndarray) -> Ints | None:
    """Return [series, period] hours of local time ahead of UTC; None where no series names a zone."""
    if named["timezone"].isna().all():
        return None
    for name, zone in named["timezone"].dropna().items():
        if not is_zone(str(zone)):
            raise ValueError(f"{name}: timezone {zone!r} is unknown: name one such as America/Toronto")
    zones = [str(one or "UTC") for one in named["timezone"]]
    distinct = sorted(set(zones))
    hours = times.astype("datetime64[h]").astype(np.int64)
    return zone_offsets(distinct, hours)[[distinct.index(zone) for zone in zones]]


def _refuse(rows: pd.DataFrame, what: str, fix: str) -> NoReturn:
    """Refuse rows by the names of their series, and the first of their periods."""
    names = sorted(set(rows["unique_id"]))
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    raise ValueError(f"{shown}: {what} (ds {rows['ds'].iloc[0]}): {fix}")
