"""Numbers as publishers write them: decimal commas, strict thousands groups, per cent signs, currencies."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import polars as pl

_SPACES = " \u00a0\u202f\u2009"


@dataclass(frozen=True)
class NumberStyle:
    """How numbers are written.

    thousands: None when no grouping is accepted. percent: whether a % sign may stand on one side.
    """

    decimal: str = "."
    thousands: str | None = None
    percent: bool = False
    currency: str | None = None

    @property
    def is_plain(self) -> bool:
        """Say whether the text can be cast as it stands."""
        return self == NumberStyle()


def parse_numbers(text: pl.Series, style: NumberStyle) -> pl.Series:
    """Return Float64, null where the text is no finite number written in the style.

    A group of thousands has exactly three digits: under decimal comma and thousands point `6.42` is no
    number, neither 6.42 nor 642. The text is stripped before.
    """
    if text.str.contains(r"[\p{Nd}&&[^0-9]]").any():
        text = _ascii_digits(text)
    if not style.is_plain:
        text = _plain(text, style)
    numbers = text.str.replace("\u2212", "-", literal=True).cast(pl.Float64, strict=False)
    numbers = numbers.set(~numbers.is_finite().fill_null(False), None)
    return numbers.set((numbers == 0).fill_null(False), 0.0)  # -0 is 0


def _ascii_digits(text: pl.Series) -> pl.Series:
    """Return the text with the decimal digits of every script (full-width, Arabic, Devanagari) as 0-9."""
    return pl.Series(
        [
            None if cell is None else "".join(str(unicodedata.decimal(mark, mark)) for mark in cell)
            for cell in text
        ],
        dtype=pl.String,
    )


def _plain(text: pl.Series, style: NumberStyle) -> pl.Series:
    """Return the text rewritten with a decimal point and nothing else, null where it is not in the style."""
    sign = "[+\u2212-]?"
    group = {None: "", " ": f"[{_SPACES}]", "'": "['\u2019]"}.get(
        style.thousands, re.escape(style.thousands or "")
    )
    grouped = rf"|\d{{1,3}}(?:{group}\d{{3}})+" if style.thousands else ""
    fraction = rf"(?:{re.escape(style.decimal)}\d+)?"
    number = rf"(?:\d+{grouped}){fraction}"
    affixes = []
    if style.percent:
        affixes.append("%")
    if style.currency:
        affixes.append(re.escape(style.currency))
    inner = rf"(?P<sign>{sign})(?P<number>{number})"
    if affixes:
        mark = f"(?:{'|'.join(affixes)})"
        patterns = [
            rf"^{inner}\s*{mark}?$",
            rf"^{mark}\s*{inner}$",
            rf"^(?P<sign>{sign}){mark}\s*(?P<number>{number})$",
        ]
    else:
        patterns = [rf"^{inner}$"]
    plain: pl.Series | None = None
    for pattern in patterns:
        found = text.str.replace(pattern, "${sign}${number}").set(
            ~text.str.contains(pattern).fill_null(False), None
        )
        plain = found if plain is None else plain.zip_with(plain.is_not_null(), found)
    assert plain is not None
    if style.thousands:
        plain = plain.str.replace_all(group, "")
    return plain.str.replace(style.decimal, ".", literal=True) if style.decimal != "." else plain
