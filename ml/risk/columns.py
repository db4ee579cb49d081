"""From columns to the matrix a model learns from: what was learned of them on the training rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .table import numbers

if TYPE_CHECKING:
    import polars as pl

Floats = np.ndarray

NUMBER, CATEGORY = "number", "category"
OTHER = "(rare or unseen)"
LEAK = 0.99  # one column alone that tells the outcome this well is the outcome, or came after it
FEWEST_TO_JUDGE = 10  # events, and others: among fewer a column separates them by chance


@dataclass(frozen=True)
class Column:
    """One feature. `levels` are the texts of a category that were seen often enough; the rest are OTHER."""

    name: str
    kind: str
    levels: tuple[str, ...] = ()

    def code(self, column: pl.Series) -> Floats:
        """Return [row] numbers, or codes of levels (the number of levels for OTHER); NaN where missing."""
        import polars as pl

        if self.kind == NUMBER:
            return numbers(column)
        texts = column.cast(pl.String)
        made = texts.replace_strict(
            {level: float(at) for at, level in enumerate(self.levels)},
            default=float(len(self.levels)), return_dtype=pl.Float64,
        ).to_numpy()  # fmt: skip
        return np.where(texts.is_null().to_numpy(), np.nan, made)

    def text(self, column: pl.Series) -> list[str]:
        """Return what a person reads of each value."""
        import polars as pl

        said = column.cast(pl.String).fill_null("missing").to_list()
        if self.kind == NUMBER:
            return [f"{value:g}" if np.isfinite(value) else "missing" for value in numbers(column)]
        known = {*self.levels, "missing"}
        return [value if value in known else f"{value} {OTHER}" for value in said]


def learn(
    frame: pl.DataFrame, candidates: list[str], categories: tuple[str, ...] = ()
) -> tuple[list[Column], list[str]]:
    """Return the columns that can teach, as the training rows show them, and what is told of the others."""
    columns, told = [], []
    for name in candidates:
        found, why = _one(frame[name], name, name in categories)
        if found is not None:
            columns.append(found)
        if why:
            told.append(why)
    return columns, told


def _one(column: pl.Series, name: str, is_code: bool) -> tuple[Column | None, str]:
    import polars as pl

    seen = column.drop_nulls()
    if seen.is_empty():
        return None, f"{name} left out: no training row has a value"
    distinct = seen.n_unique()
    if distinct == 1 and not column.null_count():
        return None, f"{name} left out: every training row has the value {seen[0]}"
    if column.dtype.is_temporal():
        return None, f"{name} left out: a moment; give an age or a duration"
    texts = seen.cast(pl.String)
    value = numbers(seen)
    padded = bool(texts.str.contains(r"^0\d").any())
    is_number = not np.isnan(value).any() and not padded
    is_whole = is_number and bool((value == np.floor(value)).all())
    many = distinct > 50
    if (is_whole or not is_number) and many and distinct > 0.9 * len(seen):
        return (
            None,
            f"{name} left out, like an identifier: {distinct} values in {len(seen)} rows",
        )
    dates = texts.str.contains(r"^\d{4}-\d{2}-\d{2}").sum()
    if not is_number and dates > 0.9 * len(seen):
        return None, f"{name} left out: a moment; give an age or a duration"
    if not is_number and many and distinct > 0.5 * len(seen):
        return None, f"{name} left out: {distinct} different texts in {len(seen)} rows"
    named_as_code = is_whole and name.lower().endswith(("_id", "_code")) and distinct <= 200
    if is_number and not is_code and not named_as_code:
        return Column(name, NUMBER), ""
    fewest = int(max(2, min(20, len(column) // 200)))
    counts = texts.value_counts().filter(pl.col("count") >= fewest)
    levels = tuple(sorted(counts[texts.name].to_list()))
    if not levels:
        return None, f"{name} left out: no value occurs in {fewest} training rows"
    return Column(name, CATEGORY, levels), f"{name} is taken as a code" if named_as_code else ""


def matrix(frame: pl.DataFrame, columns: list[Column]) -> Floats:
    """Return [row, column] numbers and codes, NaN where missing."""
    return np.column_stack([column.code(frame[column.name]) for column in columns])


def leaks(x: Floats, event: Floats, columns: list[Column], group: np.ndarray) -> dict[str, float]:
    """Return {column: AUROC} of columns that tell the outcome nearly by themselves, on the training rows.

    A number is judged by its size and by whether it is there at all; a category by the share of events of
    its levels among the other half of the persons, so that rare levels do not tell their own outcome.
    """
    from .metrics import auroc

    found: dict[str, float] = {}
    if min(event.sum(), (1 - event).sum()) < FEWEST_TO_JUDGE:
        return found
    half = np.random.default_rng(0).integers(0, 2, int(group.max()) + 1)[group]
    for at, column in enumerate(columns):
        values, missing = x[:, at], np.isnan(x[:, at])
        tries = [auroc(missing.astype(float), event)]
        if column.kind == NUMBER:
            tries.append(auroc(np.where(missing, np.nanmedian(values), values), event))
        else:
            code = np.where(missing, len(column.levels) + 1, values).astype(int)
            said = np.zeros(len(event))
            for side in (0, 1):
                other = half != side
                hits = np.bincount(code[other], event[other], len(column.levels) + 2)
                count = np.bincount(code[other], minlength=len(column.levels) + 2)
                said[~other] = ((hits + event.mean()) / (count + 1))[code[~other]]
            tries.append(auroc(said, event))
        best = max(max(one, 1 - one) for one in tries if np.isfinite(one))
        if best >= LEAK:
            found[column.name] = best
    return found
