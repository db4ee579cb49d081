"""Sets of lines against Python's own sets."""

from __future__ import annotations

import polars as pl
import pytest
from caregrid.loading.lines import Lines
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

SOME_LINES = st.lists(st.integers(1, 60))


def lines(numbers: list[int]) -> Lines:
    return Lines.of(pl.Series("line", numbers, pl.Int32))


def members(multirange: str) -> set[int]:
    runs = [run.split(",") for run in multirange[1:-1].strip("[)").split("),[") if run]
    ends = [end for run in runs for end in map(int, run)]
    assert ends == sorted(set(ends)), "runs that touch, overlap or stand in disorder"
    return {line for first, end in runs for line in range(int(first), int(end))}


@given(SOME_LINES)
def test_any_order_and_repetition_is_the_same_set(numbers: list[int]) -> None:
    found = lines(numbers)
    assert members(found.multirange()) == set(numbers)
    assert len(found) == len(set(numbers))


@given(st.lists(SOME_LINES))
def test_union(parts: list[list[int]]) -> None:
    expected = {number for part in parts for number in part}
    assert members(Lines.union(map(lines, parts)).multirange()) == expected


@given(SOME_LINES, SOME_LINES)
def test_without(numbers: list[int], taken: list[int]) -> None:
    assert members(lines(numbers).without(lines(taken)).multirange()) == set(numbers) - set(taken)
