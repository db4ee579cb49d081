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
        beside = {
            other.measure: other.column
            for other in guesses
            if other is not guess and other.service == guess.service
        }
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


def _free_or_open(guess: Guess, beside: dict[str, str], figures: Figures) -> tuple[str, str]:
    """Return whether places are free, or open and perhaps taken, and what of the sample says so."""
    occupied, total = beside.get("occupied"), beside.get("capacity")
    if occupied is None:
        return guess.measure, ""
    mine, taken = figures[guess.column], figures[occupied]
    if total is not None:
        whole = figures[total]
        rows = (mine + taken + whole).is_not_null()
        adds_up = _share((mine + taken - whole).abs() < _HALF, rows)
        over = _share(mine + taken > whole + _HALF, rows)
        if adds_up >= _MOSTLY:
            return "free", f"with {occupied!r} it adds up to {total!r}"
        if over > _SOMETIMES and _share(mine >= taken, rows) >= _MOSTLY:
            return "staffed_capacity", f"with {occupied!r} it is more than {total!r}, so it is not free"
        return guess.measure, ""
    rows = (mine + taken).is_not_null()
    if not rows.any():
        return guess.measure, ""
    if _share(mine >= taken, rows) >= _MOSTLY:
        return "capacity", f"it is never less than {occupied!r}, or hardly ever"
    return (
        "free",
        f"it is less than {occupied!r} in {int((mine < taken).sum()):,} of {int(rows.sum()):,} records",
    )


def _share(found: pl.Series, rows: pl.Series) -> float:
    return float((found & rows).sum()) / max(int(rows.sum()), 1)
