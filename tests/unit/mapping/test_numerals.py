"""Locale numbers: what is written in a style reads back as itself, what is not in it is no number."""

from __future__ import annotations

import math
from decimal import Decimal

import polars as pl
import pytest
from caregrid.mapping.numerals import NumberStyle, parse_numbers
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit
STYLES = [
    NumberStyle(),
    NumberStyle(thousands=","),
    NumberStyle(decimal=",", thousands="."),
    NumberStyle(decimal=",", thousands=" "),
    NumberStyle(thousands="'"),
    NumberStyle(decimal=","),
    NumberStyle(percent=True),
    NumberStyle(currency="$", thousands=","),
    NumberStyle(decimal=",", thousands=".", percent=True, currency="€"),
]


def written(number: Decimal, style: NumberStyle, grouped: bool, sign: str, mark: str, in_front: bool) -> str:
    """Write a number in a style independently: Python's own grouping, then the characters exchanged."""
    text = f"{abs(number):,f}" if grouped and style.thousands else f"{abs(number):f}"
    text = text.replace(".", "\0").replace(",", style.thousands or ",").replace("\0", style.decimal)
    text = ("-" if number < 0 else sign) + text
    return (mark + text if in_front else text + mark) if mark else text


@given(
    number=st.decimals(min_value=-(10**9), max_value=10**9, places=3, allow_nan=False),
    style=st.sampled_from(STYLES),
    grouped=st.booleans(),
    sign=st.sampled_from(["", "+"]),
    in_front=st.booleans(),
    which=st.integers(0, 2),
)
def test_what_is_written_in_a_style_reads_back(
    number: Decimal, style: NumberStyle, grouped: bool, sign: str, in_front: bool, which: int
) -> None:
    marks = ["", *(["%"] if style.percent else []), *([style.currency] if style.currency else [])]
    text = written(number, style, grouped, sign, marks[which % len(marks)], in_front)
    assert parse_numbers(pl.Series([text]), style).item() == float(number)


@given(
    text=st.text(alphabet="0123456789.,+-%$ e_'xin", min_size=1, max_size=8), style=st.sampled_from(STYLES)
)
def test_what_is_read_is_finite_and_ungrouped_otherwise_equal(text: str, style: NumberStyle) -> None:
    """Any text that is taken for a number holds the digits of that number and at most one decimal mark."""
    number = parse_numbers(pl.Series([text.strip()]), style).item()
    if number is None:
        return
    assert math.isfinite(number)
    assert text.count(style.decimal) <= 1
    if style.thousands and style.thousands in text:
        whole = text.strip().split(style.decimal)[0].lstrip("+-%$€ ").rstrip("%$€ ")
        assert all(len(group) == 3 for group in whole.split(style.thousands)[1:])


@pytest.mark.parametrize(
    ("text", "style", "number"),
    [
        ("6.42", NumberStyle(decimal=",", thousands="."), None),
        ("%6.42", NumberStyle(decimal=",", thousands=".", percent=True), None),
        ("1.2345", NumberStyle(decimal=",", thousands="."), None),
        ("12,34", NumberStyle(thousands=","), None),
        ("1,234", NumberStyle(), None),
        ("$278,526,569", NumberStyle(currency="$", thousands=","), 278526569.0),
        ("-$5", NumberStyle(currency="$"), -5.0),
        ("1%", NumberStyle(percent=True), 1.0),
        ("1%", NumberStyle(), None),
        ("%1%", NumberStyle(percent=True), None),
        ("% 52,3", NumberStyle(decimal=",", percent=True), 52.3),
        ("1\u00a0234,5", NumberStyle(decimal=",", thousands=" "), 1234.5),
        ("1\u2019234", NumberStyle(thousands="'"), 1234.0),
        ("\u22125", NumberStyle(), -5.0),
        ("\uff11\uff12", NumberStyle(), 12.0),
        ("\u0661\u0662", NumberStyle(), 12.0),
        ("1e3", NumberStyle(), 1000.0),
        ("nan", NumberStyle(), None),
        ("inf", NumberStyle(), None),
        ("-Infinity", NumberStyle(), None),
        ("1_000", NumberStyle(), None),
        ("0x10", NumberStyle(), None),
        ("", NumberStyle(), None),
        ("12 beds", NumberStyle(), None),
    ],
)
def test_known_traps(text: str, style: NumberStyle, number: float | None) -> None:
    assert parse_numbers(pl.Series([text], dtype=pl.String), style).item() == number
