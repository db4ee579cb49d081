"""Scores of joint paths: do steps and places move together as they did, and what is the whole worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml import metrics

from .cells import Cells, Floats, Ints, has_columns
from .coherence import Checks

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("cutoff", "model", "path", "unique_id", "ds", "value")
STEPS, PLACES = "steps of a series", "series at a step"
# Distances between all pairs of paths are dear: so many vectors per model and kind are scored, evenly spread.
MOST_VECTORS = 2_000
MOST_PATHS = 400
MOST_PLACES = 60
# Of the steps of an event that must have come true for it to be judged.
FEWEST_KNOWN = 0.5
# Horizons for `any step in the next h over capacity`, in periods of the frequency.
EVENT_STEPS = {"H": (1, 6, 12, 24, 48), "D": (1, 7, 14, 28), "W": (1, 2, 4), "M": (1, 3, 6, 12)}


@dataclass
class Joint:
    """Tables of what the paths are worth.

    Args:
        scores: model, over, score, vectors, paths, value, independent, ratio: `independent` is the same
            marginals, each shuffled by itself; below 1 the ratio says that dependence is worth something.
        events: EVENTS, none where no capacity is known.
        checks: model, check, n, value: what a reader may rely on.
        said: {model: {within: (probability [case], event [case])}} for a reliability diagram.
    """

    scores: pl.DataFrame
    events: pl.DataFrame
    checks: pl.DataFrame
    said: dict[str, dict[int, tuple[Floats, Floats]]]


def score(
    paths: Path | pl.DataFrame, cells: Cells, frequency: str, parts: dict[str, list[str]] | None = None
) -> Joint:
    """Score joint paths, one cutoff of one model in memory at once.

    Args:
        paths: columns COLUMNS.
        cells: what was scored; truth, capacity and time scale come from there.
        frequency: H, D, W or M.
        parts: {total: series that sum to it}, for the check of coherence.
    """
    import polars as pl

    rows = pl.scan_parquet(paths) if isinstance(paths, Path) else paths.lazy()
    has_columns(rows.collect_schema().names(), COLUMNS, str(paths) if isinstance(paths, Path) else "paths")
    book = _Book(cells)
    vectors: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
    cases: dict[tuple[str, int], list[tuple[Floats, ...]]] = {}
    checks: dict[str, Checks] = {}
    counts: dict[str, int] = {}
    seen: dict[str, set[int]] = {}
    for model, number, drawn in _draws(rows, cells, book):
        seen.setdefault(model, set()).add(number)
        if not len(drawn):
            # All of them are about what nobody knows yet.
            continue
        truth, capacity = book.truth[:, number], book.capacity[:, number]
        checks.setdefault(model, Checks()).see(drawn, book.point(model)[:, number], cells.ids, parts)
        counts[model] = min(counts.get(model, len(drawn)), len(drawn))
        for within in EVENT_STEPS[frequency] if np.isfinite(book.capacity).any() else ():
            if within <= cells.horizon:
                cases.setdefault((model, within), []).append(_event(drawn, truth, capacity, within))
        some = drawn[:MOST_PATHS]
        apart = np.random.default_rng(number).permuted(some, axis=0)
        vectors.setdefault((model, STEPS), []).extend(_over_steps(some, apart, truth, book, number))
        vectors.setdefault((model, PLACES), []).extend(_over_places(some, apart, truth, book, number))
    for model, found_checks in checks.items():
        rest = [number for number in range(len(cells.cutoffs)) if number not in seen[model]]
        found_checks.miss(book.point(model)[:, rest])
    said = {
        model: {
            within: (_gathered(found, 0), _gathered(found, 2))
            for (name, within), found in cases.items() if name == model and len(_gathered(found, 0))
        }
        for model in checks
    }  # fmt: skip
    told = [row for model, found in checks.items() for row in found.rows(model)]
    return Joint(
        pl.DataFrame(_score_rows(vectors, counts), schema=_types(SCORES), orient="row"),
        pl.DataFrame(_event_rows(cases), schema=_types(EVENTS), orient="row"),
        pl.DataFrame(told, schema=_types(CHECKS), orient="row"),
        said,
    )


SCORES = ("model", "over", "score", "vectors", "paths", "value", "independent", "ratio")
EVENTS = (
    "model", "within", "n", "events", "brier", "brier_marginal", "skill", "said", "said_marginal",
    "steps_known", "reason",
)  # fmt: skip
CHECKS = ("model", "check", "n", "value")


class _Book:
    """The cells as [series, cutoff, step] tables."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.shape = (len(cells.ids), len(cells.cutoffs), cells.horizon)
        self.truth = self._table(cells.truth)
        # [series, cutoff] capacity, NaN where there is none
        self.capacity = _largest(self._table(cells.capacity), 2)
        # [series] what one unit of error means to a series, so that the largest does not rule.
        naive = _largest(self._table(cells.naive_error), (1, 2))
        size = _largest(np.abs(self.truth), (1, 2))
        self.scale = np.where(naive > 0, naive, np.where(size > 0, size, 1.0))
        self.times = np.full(self.shape[1:], np.datetime64("NaT"), dtype="datetime64[us]")
        self.times[cells.cutoff, cells.step - 1] = cells.ds
        self._points: dict[str, Floats] = {}

    def _table(self, values: Floats) -> Floats:
        found = np.full(int(np.prod(self.shape)), np.nan)
        found[self.cells.code] = values
        return found.reshape(self.shape)

    def point(self, model: str) -> Floats:
        """Return a model's median per series, cutoff and step; NaN where it has none."""
        if model not in self._points:
            there = model in self.cells.models
            nothing = np.full(len(self.cells.code), np.nan)
            self._points = {model: self._table(self.cells.figure(model, "point") if there else nothing)}
        return self._points[model]


def _largest(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    """Return the largest known number along axes, NaN where none is known."""
    found = np.where(np.isnan(values), -np.inf, values).max(axis=axis)
    return np.where(np.isfinite(found), found, np.nan)


def _draws(rows: pl.LazyFrame, cells: Cells, book: _Book) -> Iterator[tuple[str, int, Floats]]:
    """Yield (model, number of the cutoff, [path, series, step]) with NaN where nothing was drawn."""
    import polars as pl

    names = pl.Enum(list(cells.ids))
    keys = rows.select("model", "cutoff").unique().sort("model", "cutoff").collect()
    for model, cutoff in keys.iter_rows():
        moment = np.datetime64(cutoff, "us")
        number = int(np.searchsorted(cells.cutoffs, moment))
        if number == len(cells.cutoffs) or cells.cutoffs[number] != moment:
            continue
        steps = pl.DataFrame({"ds": book.times[number], "step": np.arange(cells.horizon)})
        some = (
            rows.filter((pl.col("model") == model) & (pl.col("cutoff") == cutoff))
            .select(
                "path", "value", pl.col("unique_id").cast(pl.String), pl.col("ds").cast(pl.Datetime("us"))
            )
            .join(steps.drop_nulls().lazy(), on="ds", how="inner")
            .with_columns(series=pl.col("unique_id").cast(names, strict=False).to_physical())
            .filter(pl.col("series").is_not_null())
            .collect(engine="streaming")
        )
        paths = some["path"].unique().sort().to_numpy()
        drawn = np.full((len(paths), len(cells.ids), cells.horizon), np.nan)
        at = np.searchsorted(paths, some["path"].to_numpy())
        drawn[at, some["series"].to_numpy(), some["step"].to_numpy()] = some["value"].to_numpy()
        yield model, number, drawn


def _over_steps(
    drawn: Floats, apart: Floats, truth: Floats, book: _Book, number: int
) -> Iterator[tuple[float, float, float, float]]:
    """Yield energy and variogram score, as drawn and with every step shuffled by itself, per series."""
    known = np.isfinite(truth) & np.isfinite(drawn).all(axis=0)
    there = np.flatnonzero(known.sum(axis=1) > 1)
    for series in _spread(there, max(1, MOST_VECTORS // book.shape[1]), number):
        dims = known[series]
        yield _vector(drawn[:, series, dims], apart[:, series, dims], truth[series, dims], book.scale[series])


def _over_places(
    drawn: Floats, apart: Floats, truth: Floats, book: _Book, number: int
) -> Iterator[tuple[float, float, float, float]]:
    """Yield the same over all series at one step."""
    known = np.isfinite(truth) & np.isfinite(drawn).all(axis=0)
    there = np.flatnonzero(known.sum(axis=0) > 1)
    for step in _spread(there, max(1, MOST_VECTORS // book.shape[1]), number):
        dims = _spread(np.flatnonzero(known[:, step]), MOST_PLACES, 0)
        scale = book.scale[dims]
        yield _vector(drawn[:, dims, step], apart[:, dims, step], truth[dims, step], scale)


def _vector(
    drawn: Floats, apart: Floats, truth: Floats, scale: Floats | float
) -> tuple[float, float, float, float]:
    drawn, apart, truth = drawn / scale, apart / scale, truth / scale
    return (
        metrics.energy_score(truth, drawn), metrics.energy_score(truth, apart),
        metrics.variogram_score(truth, drawn), metrics.variogram_score(truth, apart),
    )  # fmt: skip


def _spread(numbers: Ints, most: int, shift: int) -> Ints:
    """Return at most so many of the numbers, evenly spread, others at each shift."""
    if len(numbers) <= most:
        return numbers
    return np.unique(numbers[(np.arange(most) * len(numbers) // most + shift) % len(numbers)])


def _event(drawn: Floats, truth: Floats, capacity: Floats, within: int) -> tuple[Floats, ...]:
    """Return [case] P(any step over capacity) by paths, by marginals alone, whether it was, steps known.

    The steps are those of the next `within` whose truth is known, for forecast and truth alike: were a case
    counted because it was seen to be an event, events would be counted too often. A case with fewer than half
    of its steps known, or with a path missing at one of them, is left out.
    """
    known = np.isfinite(truth[:, :within])
    drawn = drawn[:, :, :within]
    full = (np.isfinite(drawn) | ~known).all(axis=(0, 2)) & np.isfinite(capacity)
    share = known.mean(axis=1)
    told = full & (share >= FEWEST_KNOWN)
    over = (drawn > capacity[None, :, None]) & known
    seen = ((truth[:, :within] > capacity[:, None]) & known).any(axis=1).astype(float)
    alone = metrics.any_of_independent(over.mean(axis=0))
    return over.any(axis=2).mean(axis=0)[told], alone[told], seen[told], share[told]


def _gathered(found: list[tuple[Floats, ...]], at: int) -> Floats:
    return np.concatenate([one[at] for one in found])


def _score_rows(
    vectors: dict[tuple[str, str], list[tuple[float, float, float, float]]], counts: dict[str, int]
) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for (model, over), found in vectors.items():
        for score_name, at in (("energy", 0), ("variogram", 2)):
            both = np.array(found).reshape(-1, 4)[:, at : at + 2]
            both = both[np.isfinite(both).all(axis=1)]
            if len(both):
                value, apart = both.mean(axis=0).tolist()
                ratio = value / apart if apart > 0 else None
                paths = min(counts[model], MOST_PATHS)
                rows.append((model, over, score_name, len(both), paths, value, apart, ratio))
    return rows


def _event_rows(cases: dict[tuple[str, int], list[tuple[Floats, ...]]]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for (model, within), found in cases.items():
        said, alone, event, known = (_gathered(found, at) for at in range(4))
        if not len(event):
            text = "no case with a capacity, all paths, and half of its steps known"
            rows.append((model, within, 0, 0, *[None] * 6, text))
            continue
        joint, marginal = metrics.brier(said, event), metrics.brier(alone, event)
        skill: float | None = metrics.brier_skill(said, alone, event)
        reason = None
        if not np.isfinite(skill):  # type: ignore[arg-type]
            skill = None
            reason = "skill: the event always happened" if event.all() else "skill: the event never happened"
            if event.any() and not event.all():
                reason = "skill: the marginal answer was perfect"
        rows.append(
            (model, within, len(event), int(event.sum()), joint, marginal, skill, float(said.mean()),
             float(alone.mean()), float(known.mean()), reason)
        )  # fmt: skip
    return rows


def _types(columns: tuple[str, ...]) -> dict[str, Any]:
    import polars as pl

    text, whole = ("model", "over", "score", "check", "reason"), ("vectors", "paths", "within", "n", "events")
    return {
        name: pl.String if name in text else pl.Int64 if name in whole else pl.Float64 for name in columns
    }
