"""Forecast rows to scored cells: model by model and in batches of cutoffs, so that memory holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from caregrid.errors import CareGridError

from ml import metrics

from .cells import LEVELS, Cells, Floats, Ints, Model, has_columns, per_cutoff

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("unique_id", "cutoff", "ds", "horizon", "model", "quantile", "value")
# Rows of forecasts that are held at once.
MOST_ROWS = 6_000_000
# Up to this many possible cells a table of all of them is quicker than sorting.
DENSE = 60_000_000
# Levels that fewer of a model's cells hold are strays, not part of its set.
SHARE_OF_CELLS = 0.5


def read(
    forecasts: Path | pl.DataFrame | pl.LazyFrame,
    truth: pl.DataFrame,
    history: pl.DataFrame | None = None,
    capacity: pl.DataFrame | None = None,
) -> Cells:
    """Score every cell of every model.

    Args:
        forecasts: columns COLUMNS, a row per quantile; a path is read model by model, so that memory holds.
        truth: unique_id, ds, y.
        history: unique_id, cutoff, naive_error (in-sample, as known at the cutoff).
        capacity: unique_id, cutoff, capacity.

    Raises:
        CareGridError: columns are missing, a quantile stands twice, or models disagree on a target's time.
    """
    import polars as pl

    rows = pl.scan_parquet(forecasts) if isinstance(forecasts, Path) else forecasts.lazy()
    where = str(forecasts) if isinstance(forecasts, Path) else "forecasts"
    has_columns(rows.collect_schema().names(), COLUMNS, where)
    has_columns(truth.columns, ("unique_id", "ds", "y"), "truth")
    known = truth.select(pl.col("unique_id").cast(pl.String), "ds", "y").drop_nulls()
    known = known.filter(pl.col("y").is_finite())
    ids = tuple(known["unique_id"].unique().sort().to_list())
    sizes = rows.group_by("model", "cutoff").agg(rows=pl.len(), far=pl.col("horizon").max()).collect()
    cutoffs = sizes["cutoff"].unique().sort().cast(pl.Datetime("us")).to_numpy()
    if not len(sizes) or not ids:
        raise CareGridError(
            "there is nothing to score", where=where, fix="give forecasts and the truth of their series"
        )
    held = per_cutoff(capacity, "capacity", ids, cutoffs)
    book = _Book(ids, cutoffs, int(sizes["far"].max()), known, held)  # type: ignore[arg-type]
    models = {}
    times: dict[int, np.ndarray] = {}
    for name in sizes["model"].unique().sort().to_list():
        of_model = sizes.filter(pl.col("model") == name).sort("cutoff")
        parts = [
            _score(batch, book, name) for batch in _batches(rows.filter(pl.col("model") == name), of_model)
        ]
        models[name], times[len(times)] = joined(parts)
    code = np.unique(np.concatenate([one.code for one in models.values()]))
    ds = np.full(len(code), np.datetime64("NaT"), dtype="datetime64[us]")
    for number, (name, model) in enumerate(models.items()):
        at = np.searchsorted(code, model.code)
        other = ~np.isnat(ds[at]) & (ds[at] != times[number])
        if other.any():
            first = int(np.flatnonzero(other)[0])
            raise CareGridError(
                f"model {name} and another one forecast the same step of the same cutoff for two times, "
                f"{times[number][first]} and {ds[at][first]}",
                where=where,
                fix="ds must follow from cutoff and horizon",
            )
        ds[at] = times[number]
    cells = Cells(ids, cutoffs, book.horizon, code, ds, np.zeros(0), np.zeros(0), np.zeros(0), models)
    cells.truth = book.truth(cells.series, ds)
    cells.naive_error = per_cutoff(history, "naive_error", ids, cutoffs)[cells.series, cells.cutoff]
    cells.capacity = held[cells.series, cells.cutoff]
    return cells


class _Book:
    """How series, cutoffs and horizons are numbered, and the truth by those numbers."""

    def __init__(
        self, ids: tuple[str, ...], cutoffs: np.ndarray, horizon: int, known: pl.DataFrame, held: Floats
    ) -> None:
        import polars as pl

        self.ids, self.cutoffs, self.horizon = ids, cutoffs, horizon
        # [series, cutoff] capacity, NaN where there is none.
        self.held = held
        self.names = pl.Enum(list(ids))
        series = known["unique_id"].cast(self.names).to_physical().to_numpy().astype(np.int64)
        moments = known["ds"].cast(pl.Datetime("us")).to_numpy()
        self.moments = np.unique(moments)
        key = series * len(self.moments) + np.searchsorted(self.moments, moments)
        order = np.argsort(key, kind="stable")
        self.key, self.values = key[order], known["y"].cast(pl.Float64).to_numpy()[order]
        twice = np.flatnonzero(self.key[1:] == self.key[:-1])
        if len(twice):
            at = self.key[twice[0]]
            raise CareGridError(
                f"series {ids[at // len(self.moments)]} has two values at "
                f"{self.moments[at % len(self.moments)]}",
                where="truth",
                fix="give one value per series and time",
            )

    def truth(self, series: Ints, ds: np.ndarray) -> Floats:
        """Return the truth of cells, NaN where it is not known."""
        at = np.minimum(np.searchsorted(self.moments, ds), len(self.moments) - 1)
        key = series * len(self.moments) + at
        found = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        known = (self.moments[at] == ds) & (self.key[found] == key)
        return np.where(known, self.values[found], np.nan)


def _batches(rows: pl.LazyFrame, sizes: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield a model's rows, as many cutoffs at once as memory takes."""
    import polars as pl

    part = (sizes["rows"].cum_sum() - 1) // MOST_ROWS
    wanted = rows.select("unique_id", "cutoff", "ds", "horizon", "quantile", "value")
    for number in part.unique().sort():
        some = sizes.filter(part == number)["cutoff"]
        inside = wanted if part.n_unique() == 1 else wanted.filter(pl.col("cutoff").is_in(some.implode()))
        yield inside.collect(engine="streaming")


def _score(rows: pl.DataFrame, book: _Book, name: str) -> tuple[Model, np.ndarray]:
    """Return a model's cells among some rows, and the times [own cell] they are about."""
    import polars as pl

    read_rows = len(rows)
    rows = rows.with_columns(
        series=pl.col("unique_id").cast(pl.String).cast(book.names, strict=False).to_physical(),
        quantile=pl.col("quantile").round(9),
    ).filter(pl.col("series").is_not_null())
    unknown = read_rows - len(rows)
    cutoff = np.searchsorted(book.cutoffs, rows["cutoff"].cast(pl.Datetime("us")).to_numpy())
    step = rows["horizon"].to_numpy().astype(np.int64)
    if len(step) and step.min() < 1:
        raise CareGridError(
            f"model {name} has horizon {step.min()}", where="forecasts", fix="horizons count from 1"
        )
    series = rows["series"].to_numpy().astype(np.int64)
    code, at = _positions((series * len(book.cutoffs) + cutoff) * book.horizon + step - 1, book)
    levels = rows["quantile"].unique().sort().to_numpy()
    place = at * max(1, len(levels)) + np.searchsorted(levels, rows["quantile"].to_numpy())
    flat = np.full(len(code) * len(levels), np.nan)
    flat[place] = rows["value"].cast(pl.Float64).to_numpy()
    there = np.zeros(len(flat), dtype=bool)
    there[place] = True
    if there.sum() < len(place):
        first = rows.filter(pl.struct("series", "cutoff", "horizon", "quantile").is_duplicated()).row(
            0, named=True
        )
        raise CareGridError(
            f"model {name} has quantile {first['quantile']} of {first['unique_id']} twice at cutoff "
            f"{first['cutoff']}, horizon {first['horizon']}",
            where="forecasts",
            fix="give each quantile of a cell once",
        )
    ds = np.full(len(code), np.datetime64("NaT"), dtype="datetime64[us]")
    ds[at] = rows["ds"].cast(pl.Datetime("us")).to_numpy()
    shape = (len(code), len(levels))
    matrix, filled = flat.reshape(shape), there.reshape(shape)
    held = filled.sum(axis=0)
    kept = held >= SHARE_OF_CELLS * (held.max() if len(held) else 0)
    quantiles = tuple(float(level) for level in levels[kept])
    stray = {float(level): int(count) for level, count in zip(levels[~kept], held[~kept], strict=True)}
    complete = np.isfinite(matrix[:, kept]).all(axis=1)
    truth = book.truth(code // book.horizon // len(book.cutoffs), ds)
    scored = complete & np.isfinite(truth)
    capacity = book.held[code // book.horizon // len(book.cutoffs), code // book.horizon % len(book.cutoffs)]
    model = figures_of(truth[scored], matrix[np.ix_(scored, kept)], quantiles, capacity[scored])
    model.code, model.rows, model.unknown, model.stray = code[scored], read_rows, unknown, stray
    model.incomplete, model.without_truth = int((~complete).sum()), int((complete & ~scored).sum())
    return model, ds[scored]


def _positions(code: Ints, book: _Book) -> tuple[Ints, Ints]:
    """Return the distinct codes, ascending, and [row] the position of each row's code among them."""
    size = len(book.ids) * len(book.cutoffs) * book.horizon
    if size > DENSE:
        return np.unique(code, return_inverse=True)
    seen = np.zeros(size, dtype=bool)
    seen[code] = True
    found = np.flatnonzero(seen)
    place = np.zeros(size, dtype=np.int64)
    place[found] = np.arange(len(found))
    return found, place[code]


def figures_of(truth: Floats, said: Floats, quantiles: tuple[float, ...], capacity: Floats) -> Model:
    """Return the figures of cells from their truth [cell], quantiles [cell, level] and capacity [cell]."""
    model = Model(quantiles, np.zeros(0, dtype=np.int64), {}, mass=np.zeros(len(quantiles) + 1))
    if not quantiles:
        return model
    losses = metrics.pinball(truth, said, quantiles)
    model.figures["wis"] = metrics.interval_score_of(losses)
    model.figures["wis_log1p"] = metrics.log1p_interval_score(truth, said, quantiles)
    middle = [at for at, level in enumerate(quantiles) if abs(level - 0.5) < metrics.SAME_LEVEL]
    if middle:
        model.figures["point"] = said[:, middle[0]].copy()
    for level in LEVELS:
        edges = metrics.interval(said, quantiles, level / 100)
        if edges is not None:
            model.figures[f"covered{level}"] = metrics.covered(truth, *edges)
            if level == LEVELS[-1]:
                model.figures[f"width{level}"] = edges[1] - edges[0]
    if np.isfinite(capacity).any():
        model.figures["over"] = metrics.probability_above(capacity, said, quantiles)
    below, reached = truth[:, None] > said, truth[:, None] >= said
    model.crossed = int((np.diff(said, axis=1) < 0).any(axis=1).sum())
    model.mass = metrics.mass_between_quantiles(below.sum(axis=1), reached.sum(axis=1), quantiles)
    model.reached = {
        level: (len(truth) - int(reached[:, at].sum()), len(truth) - int(below[:, at].sum()))
        for at, level in enumerate(quantiles)
    }
    model.loss = {level: float(losses[:, at].sum()) for at, level in enumerate(quantiles)}
    return model


def joined(parts: list[tuple[Model, np.ndarray]]) -> tuple[Model, np.ndarray]:
    """Return one model of the batches it was read in."""
    models = [model for model, _ in parts]
    if len({one.quantiles for one in models if len(one.code)}) > 1:
        raise CareGridError(
            "a model has other quantiles at some cutoffs than at others",
            where="forecasts",
            fix="give it the same levels at every cutoff, or score the cutoffs apart",
        )
    whole = next((one for one in models if len(one.code)), models[0])
    code = np.concatenate([one.code for one in models])
    order = np.argsort(code)
    filled = [one for one in models if len(one.code)] or models[:1]
    figures = {name: np.concatenate([one.figures[name] for one in filled])[order] for name in whole.figures}
    found = Model(whole.quantiles, code[order], figures, mass=sum(one.mass for one in filled))  # type: ignore[arg-type]
    for one in models:
        for name in ("rows", "incomplete", "without_truth", "unknown", "crossed"):
            setattr(found, name, getattr(found, name) + getattr(one, name))
        for level, count in one.stray.items():
            found.stray[level] = found.stray.get(level, 0) + count
    for level in whole.quantiles if whole.reached else ():
        pairs = [one.reached[level] for one in filled]
        found.reached[level] = (sum(low for low, _ in pairs), sum(high for _, high in pairs))
        found.loss[level] = sum(one.loss[level] for one in filled)
    return found, np.concatenate([ds for _, ds in parts])[order]
