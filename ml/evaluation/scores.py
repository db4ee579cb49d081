"""Scored cells to tables of scores: per model and horizon, series, cutoff and period."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml import metrics

from .cells import LEVELS, Cells, Floats, Ints
from .reading import read

if TYPE_CHECKING:
    import polars as pl

FIGURES = (
    "n", "mae", "rmse", "mape", "mape_left_out", "mase", "wis", "wis_log1p", "rwis", "n_common",
    "rwis_pairwise", "n_common_pairwise", "cov50", "cov80", "cov95", "width95", "bias", "poisson_floor",
    "reason",
)  # fmt: skip
COUNTS = ("n", "mape_left_out", "n_common", "n_common_pairwise")


def score_table(
    forecasts: Path | pl.DataFrame | pl.LazyFrame,
    truth: pl.DataFrame,
    history: pl.DataFrame | None,
    baseline: str,
    counts_of_events: bool = False,
) -> pl.DataFrame:
    """Return one row per model and horizon, and one per model over all of them, with horizon `all`.

    The point forecast is the median, for rmse too. mape is a fraction. What cannot be computed is null, with
    the reason in words in the column `reason`.

    Args:
        forecasts: a row per quantile, see `reading.read`; truth: unique_id, ds, y.
        history: unique_id, cutoff, naive_error; None leaves mase empty.
        baseline: the model that rwis divides by.
        counts_of_events: whether the Poisson floor means anything: arrivals yes, occupancy no.
    """
    return by_horizon(read(forecasts, truth, history), baseline, counts_of_events)


def by_horizon(cells: Cells, baseline: str, counts_of_events: bool = False) -> pl.DataFrame:
    """Return the table of scores by horizon, `all` first within each model."""
    import polars as pl

    whole = summarise(cells, np.zeros(len(cells.code), dtype=np.int64), ["all"], baseline, counts_of_events)
    steps = np.unique(cells.step)
    each = summarise(
        cells, np.searchsorted(steps, cells.step), [str(step) for step in steps], baseline, counts_of_events
    )
    order = {name: number for number, name in enumerate(["all", *(str(step) for step in steps)])}
    joined = pl.concat([whole, each]).rename({"group": "horizon"})
    return joined.sort("model", pl.col("horizon").replace_strict(order, return_dtype=pl.Int64))


def by_series(cells: Cells, baseline: str, counts_of_events: bool = False) -> pl.DataFrame:
    """Return the scores of each series."""
    found = summarise(cells, cells.series, list(cells.ids), baseline, counts_of_events)
    return _seen(found).rename({"group": "unique_id"})


def by_cutoff(cells: Cells, baseline: str, counts_of_events: bool = False) -> pl.DataFrame:
    """Return the scores of each cutoff."""
    names = [str(moment).replace("T00:00:00", "") for moment in cells.cutoffs.astype("datetime64[s]")]
    return _seen(summarise(cells, cells.cutoff, names, baseline, counts_of_events)).rename(
        {"group": "cutoff"}
    )


def by_period(cells: Cells, baseline: str, frequency: str, counts_of_events: bool = False) -> pl.DataFrame:
    """Return the scores by season of the cutoff.

    Weeks and months are gathered in respiratory seasons, July to June, days in quarters, hours in months.
    """
    months = cells.cutoffs.astype("datetime64[M]").astype(np.int64)
    if frequency in ("W", "M"):
        years = 1970 + (months - 6) // 12
        names = [f"{year}/{(year + 1) % 100:02d}" for year in years]
    elif frequency == "D":
        names = [f"{1970 + month // 12}-Q{month % 12 // 3 + 1}" for month in months]
    else:
        names = [str(moment) for moment in cells.cutoffs.astype("datetime64[M]")]
    shown = sorted(set(names))
    group = np.array([shown.index(name) for name in names], dtype=np.int64)
    found = summarise(cells, group[cells.cutoff], shown, baseline, counts_of_events)
    return _seen(found).rename({"group": "period"})


def summarise(
    cells: Cells, group: Ints, names: list[str], baseline: str, counts_of_events: bool = False
) -> pl.DataFrame:
    """Return one row per model and group of cells, columns model, group and FIGURES.

    Args:
        group: [cell] the number of the cell's group in `names`; below 0 the cell belongs to none.
    """
    import polars as pl

    inside = group >= 0
    size, models = len(names), list(cells.models)
    wis = {name: np.where(inside, cells.figure(name, "wis"), np.nan) for name in models}
    group = np.where(inside, group, 0)
    ratios, shared = _pairs(wis, group, size)
    pairwise = metrics.geometric_mean_of_ratios(ratios)
    at = models.index(baseline) if baseline in models else None
    floor = metrics.poisson_absolute_error(np.maximum(cells.truth, 0)) if counts_of_events else None
    frames = []
    for number, name in enumerate(models):
        point = cells.figure(name, "point")
        scored = np.isfinite(wis[name])
        error = np.where(scored, point - cells.truth, np.nan)
        apart = metrics.percentage_errors(cells.truth, np.where(scored, point, np.nan))
        table: dict[str, Any] = {
            "n": _mean(group, wis[name], size)[1],
            "wis": _mean(group, wis[name], size)[0],
        }
        table["mae"] = _mean(group, np.abs(error), size)[0]
        table["rmse"] = np.sqrt(_mean(group, error**2, size)[0])
        table["bias"] = _mean(group, error, size)[0]
        table["mape"], told = _mean(group, apart, size)
        table["mape_left_out"] = _mean(group, error, size)[1] - told
        scaled = metrics.scaled_errors(cells.truth, np.where(scored, point, np.nan), cells.naive_error)
        table["mase"] = _mean(group, scaled, size)[0]
        table["wis_log1p"] = _mean(group, np.where(scored, cells.figure(name, "wis_log1p"), np.nan), size)[0]
        for level in LEVELS:
            held = np.where(scored, cells.figure(name, f"covered{level}"), np.nan)
            table[f"cov{level}"] = _mean(group, held, size)[0]
        width = np.where(scored, cells.figure(name, f"width{LEVELS[-1]}"), np.nan)
        table[f"width{LEVELS[-1]}"] = _mean(group, width, size)[0]
        table["poisson_floor"] = np.full(size, np.nan)
        if floor is not None:
            table["poisson_floor"] = _mean(group, np.where(scored, floor, np.nan), size)[0]
        table["rwis"] = np.full(size, np.nan) if at is None else ratios[number, at]
        table["n_common"] = np.zeros(size, dtype=np.int64) if at is None else shared[number, at]
        others = [other for other in range(len(models)) if other != number]
        table["n_common_pairwise"] = (
            shared[number, others].min(axis=0) if others else np.zeros(size, dtype=np.int64)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            table["rwis_pairwise"] = np.full(size, np.nan) if at is None else pairwise[number] / pairwise[at]
        table["reason"] = [
            _reason({key: values[row] for key, values in table.items()}, cells, name, baseline)
            for row in range(size)
        ]
        frames.append(
            pl.DataFrame(
                {"model": [name] * size, "group": names, **{key: table[key] for key in FIGURES}},
                schema_overrides={"reason": pl.String},
            )
        )
    floats = [key for key in FIGURES if key not in (*COUNTS, "reason")]
    whole = pl.concat(frames).with_columns(pl.col(COUNTS).cast(pl.Int64))
    return whole.with_columns(pl.when(pl.col(key).is_finite()).then(pl.col(key)).alias(key) for key in floats)


def _pairs(wis: dict[str, Floats], group: Ints, size: int) -> tuple[Floats, Ints]:
    """Return [model, opponent, group] ratios of mean scores over common cells, and the numbers of those."""
    names = list(wis)
    ratios = np.full((len(names), len(names), size), np.nan)
    shared = np.zeros((len(names), len(names), size), dtype=np.int64)
    for one, name in enumerate(names):
        for two in range(one, len(names)):
            other = wis[names[two]]
            both = np.isfinite(wis[name]) & np.isfinite(other)
            count = np.bincount(group[both], minlength=size)
            mine = np.bincount(group[both], wis[name][both], minlength=size)
            theirs = np.bincount(group[both], other[both], minlength=size)
            shared[one, two] = shared[two, one] = count
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios[one, two] = np.where(theirs > 0, mine / theirs, np.nan)
                ratios[two, one] = np.where(mine > 0, theirs / mine, np.nan)
    return ratios, shared


def _mean(group: Ints, values: Floats, size: int) -> tuple[Floats, Ints]:
    """Return [group] the mean of what is known, NaN where nothing is, and how many those are."""
    known = np.isfinite(values)
    count = np.bincount(group[known], minlength=size)
    total = np.bincount(group[known], values[known], minlength=size)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), count


def _reason(row: dict[str, Any], cells: Cells, model: str, baseline: str) -> str | None:
    """Return in words why figures of a row are empty, or None where all are there."""
    if not row["n"]:
        return "no scored cell of this model"
    own = cells.models[model]
    said = []
    if np.isnan(row["mae"]):
        said.append("mae, rmse, mape, mase, bias: the model gives no median")
    else:
        if np.isnan(row["mape"]):
            said.append("mape: every truth is 0")
        if np.isnan(row["mase"]):
            said.append("mase: the seasonal naive error is 0 or not known")
    if np.isnan(row["wis_log1p"]):
        said.append("wis_log1p: every truth is below 0")
    for level in LEVELS:
        if np.isnan(row[f"cov{level}"]):
            named = f"cov{level}" + (f", width{level}" if level == LEVELS[-1] else "")
            said.append(f"{named}: the model gives no quantiles {(100 - level) / 200:g} and "
                        f"{(100 + level) / 200:g}")  # fmt: skip
    if baseline not in cells.models:
        said.append(f"rwis, rwis_pairwise: there are no forecasts of the baseline {baseline}")
    elif np.isnan(row["rwis"]):
        why = "its score is 0 there" if row["n_common"] else "no cell that both have"
        said.append(f"rwis: against the baseline {baseline}: {why}")
    if baseline in cells.models and np.isnan(row["rwis_pairwise"]):
        said.append("rwis_pairwise: no pair of models leads to the baseline")
    if any(abs(low + high - 1) > metrics.SAME_LEVEL for low, high in zip(
        own.quantiles, reversed(own.quantiles), strict=True
    )):  # fmt: skip
        said.append("wis: the quantiles are not symmetric, it is twice their mean pinball loss")
    return "; ".join(said) or None


def _seen(table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that any cell belongs to."""
    import polars as pl

    return table.filter(pl.col("n") > 0)
