"""Which rows of a table can be used, and what is told of those that cannot."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from caregrid.errors import CareGridError

from ..panel import LARGEST, Ints
from ..words import many
from .times import STEPS, as_text

if TYPE_CHECKING:
    import polars as pl

MOST_NAMED = 5  # series that a note names; unanswered.csv names them all


def known(
    frame: pl.DataFrame, frequency: str, lag: int | None, where: str, notes: list[str]
) -> tuple[pl.DataFrame, bool]:
    """Return the rows with known_at, by vintages or by the publication lag, and whether that was assumed."""
    import polars as pl

    if "known_at" not in frame.columns:
        if lag is None:
            raise CareGridError(
                "no column tells when a row became known",
                where=where,
                fix="name it with --known-at COLUMN, or say after what time rows are published, such as "
                "--publication-lag 1D (0: at the end of their period)",
            )
        notes.append(
            "Vintages are assumed: every value counts as known "
            f"{_words(lag, frequency)} its ds, and never to be revised."
        )
        return frame.with_columns((pl.col("ds") + lag).alias("known_at")), True
    unknown = int(frame["known_at"].null_count())
    if unknown and lag is not None:
        notes.append(f"{unknown} rows without known_at count as known {_words(lag, frequency)} ds")
        frame = frame.with_columns(pl.col("known_at").fill_null(pl.col("ds") + lag))
    elif unknown:
        notes.append(f"{many(unknown, 'row')} left out: nothing tells when it became known")
        frame = frame.filter(pl.col("known_at").is_not_null())
    return frame, False


def _words(lag: int, frequency: str) -> str:
    """Return a lag in words, in front of what it counts from."""
    if not lag:
        return "at" if frequency == "H" else "on the day of"
    if lag % STEPS["D"]:
        return f"{lag / STEPS['H']:g} hours after"
    return f"{many(lag // STEPS['D'], 'day')} after"


def usable(frame: pl.DataFrame, where: str, notes: list[str]) -> pl.DataFrame:
    """Return the rows in order of known_at, without a y that is negative or more than can be counted."""
    import polars as pl

    broken = (pl.col("y") < 0) | (pl.col("y") > LARGEST)
    count = int(frame.select(broken.sum()).item() or 0)
    if count:
        line = frame.filter(broken)["line"][0]
        why = f"y is negative, or more than can be counted (the first in line {line})"
        notes.append(f"{many(count, 'row')} left out: {why}")
        frame = frame.filter(~broken.fill_null(value=False))
    if frame["y"].null_count() == len(frame):
        raise CareGridError("no row has a value of y that can be used", where=where, fix="check column y")
    return frame.sort("known_at", maintain_order=True)


def each_version_once(frame: pl.DataFrame, where: str, notes: list[str]) -> Ints:
    """Return the numbers of the rows to keep: of exact repeats the first, of contradictions none.

    Rows of one version may each tell a part, y in one and a signal in another; an empty y contradicts none.

    Args:
        frame: in order of known_at.
    """
    import polars as pl

    version = ["unique_id", "ds", "known_at"]
    others = [name for name in frame.columns if name not in (*version, "y", "line")]
    again = frame.select(version).is_duplicated()
    if not again.any():
        return np.arange(len(frame))
    rows = frame.with_row_index("number").filter(again)
    once = rows.unique([*version, "y", *others], keep="first", maintain_order=True)

    def told_twice(name: str) -> pl.Expr:
        return pl.col(name).drop_nulls().n_unique().over(version) > 1

    contradicted = told_twice("y") & pl.col("y").is_not_null()
    differs = pl.any_horizontal(pl.lit(value=False), *(told_twice(name) for name in others))
    once = once.with_columns(contradicted=contradicted, differs=differs)
    left_out = once.filter("contradicted")
    cells = left_out.select(version).n_unique()
    telling = frame.filter(pl.col("y").is_not_null()).select(version).n_unique()
    if cells > 0.5 * telling:
        raise CareGridError(
            f"most cells have several rows that contradict each other ({cells} cells)",
            where=where,
            fix="make unique_id tell the series apart, or give one row per period (--freq)",
        )
    if cells:
        notes.append(
            f"{many(cells, 'cell')} left out: several rows of one unique_id, ds and known_at differ in y"
        )
    if repeats := len(rows) - len(once):
        notes.append(f"{many(repeats, 'row')} left out: exact repeats")
    unsure = once.filter(~pl.col("contradicted") & pl.col("differs"))
    if len(unsure):
        line = unsure.sort("line")["line"][0]
        notes.append(
            f"{many(unsure.select(version).n_unique(), 'cell')} where several rows of one unique_id, ds and "
            f"known_at differ in another column: the last counts (the first in line {line})"
        )
    kept = np.ones(len(frame), dtype=bool)
    kept[rows["number"].to_numpy()] = False
    kept[once.filter(~pl.col("contradicted"))["number"].to_numpy()] = True
    return np.flatnonzero(kept)


def tell_early(frame: pl.DataFrame, frequency: str, notes: list[str]) -> None:
    """Tell of values that are known before their period begins: they stay, but they look like plans."""
    import polars as pl

    # A week is named by its last day.
    begins = pl.col("ds") - (6 * STEPS["D"] if frequency == "W" else 0)
    early = frame.filter(pl.col("y").is_not_null() & (pl.col("known_at") < begins)).sort("line")
    if len(early):
        one = early.row(0, named=True)
        notes.append(
            f"{many(len(early), 'value')} of y known before the period begins, as plans are and observations "
            f"are not; kept (the first: series {one['unique_id']}, ds {as_text(one['ds'])}, known_at "
            f"{as_text(one['known_at'])}, line {one['line']})"
        )


def capacity(frame: pl.DataFrame, name: str, notes: list[str]) -> pl.DataFrame:
    """Return the rows without capacities below 0 or past counting, and tell of these and of those of 0.

    One of 0 stays: where there is none anybody is too many, as in the warehouse (`ml.levels.limit`).
    """
    import polars as pl

    broken = (pl.col(name) < 0) | (pl.col(name) > LARGEST)
    for rows, what in (
        (frame.filter(broken), "that is negative, or more than can be counted: taken for unknown"),
        (frame.filter(pl.col(name) == 0), "of 0: any y above 0 counts as more than can be held"),
    ):
        if len(rows):
            one = rows.sort("line").row(0, named=True)
            notes.append(
                f"{many(len(rows), 'row')} with a capacity ({name}) {what} (the first: series "
                f"{one['unique_id']}, ds {as_text(one['ds'])}, line {one['line']})"
            )
    return frame.with_columns(pl.when(~broken).then(pl.col(name)))


def with_values(frame: pl.DataFrame) -> set[str]:
    """Return the series that tell any value."""
    import polars as pl

    return set(frame.filter(pl.col("y").is_not_null())["unique_id"].unique())


def lost(stages: list[tuple[set[str], str]], notes: list[str]) -> dict[str, str]:
    """Return {series without a value that can be used: why}, and tell how many there are.

    Args:
        stages: the series that were left after each step, and why the step takes any away; the first are all.
    """
    found: dict[str, str] = {}
    for (before, _), (after, why) in pairwise(stages):
        found |= dict.fromkeys(before - after, why)
    if found:
        names = sorted(found)
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        notes.append(
            f"{len(names)} series {'has' if len(names) == 1 else 'have'} no value that can be used, and no "
            f"forecast: {', '.join(names[:MOST_NAMED])}{more} (see unanswered.csv)"
        )
    return dict(sorted(found.items()))
