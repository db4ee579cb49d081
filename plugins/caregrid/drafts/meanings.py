"""Words of headings that publishers use for several things: which one the sample's figures speak for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from caregrid.drafts.words import best_of, vocabulary, weight
from caregrid.mapping.numerals import NumberStyle, parse_numbers

_MOSTLY = 0.95
_SOMETIMES = 0.1
_HALF = 0.5  # a bed
_NO_PER_CENT = 200  # more patients than twice the beds


@dataclass(frozen=True)
class Figures:
    """The numbers of a sample's columns, as its file writes them."""

    frame: pl.DataFrame
    style: NumberStyle

    def __getitem__(self, name: str) -> pl.Series:
        series = self.frame[name]
        if series.dtype.is_numeric():
            return series.cast(pl.Float64)
        return parse_numbers(series.cast(pl.String, strict=False).str.strip_chars(), self.style)


@dataclass
class Guess:
    """A column's measure by the words of its heading, and of which service it is; asked: what is not sure."""

    column: str
    service: str
    measure: str
    asked: str = ""
    is_per_cent: bool = False


def settle(guesses: list[Guess], figures: Figures) -> None:
    """Choose, by the values, the measure of headings that may mean several; ask about each."""
    doubtful = {guess.column: found for guess in guesses if (found := _several(guess))}
    for guess in guesses:
        if guess.column not in doubtful:
            continue
        several = doubtful[guess.column]
        beside: dict[str, list[str]] = {}
        for other in guesses:
            if other is not guess and other.service == guess.service:
                beside.setdefault(other.measure, []).append(other.column)
        why = ""
        if guess.measure == "free":
            guess.measure, why = _free_or_open(guess, beside, figures)
        elif guess.measure == "occupancy" and "occupied" not in beside:
            most = figures[guess.column].max()
            if isinstance(most, float) and most > _NO_PER_CENT:
                guess.measure, why = "occupied", f"it goes up to {most:,.0f}"
        shown = f": {why}" if why else ", as no figure of the sample tells"
        guess.asked = f"{guess.column!r} may be {several['say']}; taken for {guess.measure}{shown}"


def _several(guess: Guess) -> dict[str, Any] | None:
    """Return what the word that told the measure can mean, None when it means one thing."""
    if guess.measure == "occupancy" and guess.is_per_cent:
        return None
    told = best_of(guess.column, "measures")[1]
    for entry in vocabulary()["several_meanings"]:
        if entry["measures"][0] == guess.measure and weight(guess.column, entry["words"]) == told:
            return dict(entry)
    return None


def _free_or_open(guess: Guess, beside: dict[str, list[str]], figures: Figures) -> tuple[str, str]:
    """Return whether places are free, or open and perhaps taken, and what of the sample says so.

    A file may have several columns of all places (total, staffed) and of those taken: any may be what the
    free ones belong to, so they are not free only where none can be.
    """
    mine = figures[guess.column]
    totals, taken_by = beside.get("capacity", []), beside.get("occupied", [])
    pairs = [(occupied, total) for occupied in taken_by for total in totals]
    for occupied, total in pairs:
        both, whole = mine + figures[occupied], figures[total]
        if _share((both - whole).abs() < _HALF, (both + whole).is_not_null()) >= _MOSTLY:
            return "free", f"with {occupied!r} it adds up to {total!r}"
    if pairs and all(_is_more(mine, figures[occupied], figures[total]) for occupied, total in pairs):
        return "staffed_capacity", (
            f"with {' or '.join(map(repr, taken_by))} it is more than {' or '.join(map(repr, totals))}, "
            "so it is not free"
        )
    known = [] if totals else [name for name in taken_by if (mine + figures[name]).is_not_null().any()]
    for occupied in known:
        taken = figures[occupied]
        rows = (mine + taken).is_not_null()
        if _share(mine >= taken, rows) < _MOSTLY:
            below = int((mine < taken).sum())
            return "free", f"it is less than {occupied!r} in {below:,} of {int(rows.sum()):,} records"
    if known:
        return "capacity", f"it is never less than {' or '.join(map(repr, known))}, or hardly ever"
    return guess.measure, ""


def _is_more(mine: pl.Series, taken: pl.Series, whole: pl.Series) -> bool:
    """Say whether places are those that are open: with the taken ones they are too many to be free."""
    rows = (mine + taken + whole).is_not_null()
    over = _share(mine + taken > whole + _HALF, rows)
    return over > _SOMETIMES and _share(mine >= taken, rows) >= _MOSTLY


def _share(found: pl.Series, rows: pl.Series) -> float:
    return float((found & rows).sum()) / max(int(rows.sum()), 1)
