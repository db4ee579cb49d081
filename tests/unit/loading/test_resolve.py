"""Rows of one key: equal ones are duplicates, others a conflict, whatever their order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from caregrid.loading.keys import LAYOUTS, LOCAL
from caregrid.loading.resolve import GROUP, LINES_NAMED, Resolution, resolve
from caregrid.loading.spill import OUTPUT, ROW
from caregrid.mapping.types import ROW_COLUMNS
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

USAGE = LAYOUTS["usage"]
MOMENT = datetime(2025, 1, 1, tzinfo=UTC)


def usage(rows: list[tuple[int, int, float | None]]) -> pl.DataFrame:
    """Rows as a Spill keeps them, from (line, series, value)."""
    kinds = {name: kind for name, kind in ROW_COLUMNS["usage"].items() if name in (*USAGE.key, *USAGE.values)}
    fixed: dict[str, Any] = {
        "period_start": MOMENT, "period_end": MOMENT, "known_at": MOMENT, "known_at_is_assumed": False,
        "observed_at": None, "reporting_units": None, "is_provisional": False, "time_is_ambiguous": False,
    }  # fmt: skip
    return pl.DataFrame(
        [
            {ROW: number, OUTPUT: 0, LOCAL: series, "line": line, "value_name": "n", **fixed, "value": value,
             "value_status": "missing" if value is None else "reported"}
            for number, (line, series, value) in enumerate(rows)
        ],
        schema={
            ROW: pl.UInt32, OUTPUT: pl.UInt16, LOCAL: pl.UInt32, "line": pl.Int32, "value_name": pl.String,
            **kinds,
        },
    )  # fmt: skip


def named(found: Resolution) -> list[tuple[int, list[int]]]:
    """Lines in conflict, each with those that it is told to be in conflict with."""
    return sorted(found.conflicts.join(found.named, on=GROUP).select("line", "lines").rows())


ROWS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([None, 0.0, 1.0, 2.0])), max_size=12)


@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list[tuple[int, float | None]], order: Any) -> None:
    given_rows = [(line, series, value) for line, (series, value) in enumerate(rows, start=2)]
    shuffled = given_rows[:]
    order.shuffle(shuffled)
    answers = []
    for arrangement in (given_rows, shuffled):
        found = resolve(USAGE, usage(arrangement), {0: "reject"})
        answers.append(
            (
                sorted(found.duplicates["line"].to_list()),
                named(found),
            )
        )
    assert answers[0] == answers[1]


@given(rows=ROWS)
def test_rows_are_settled_as_a_slow_count_says(rows: list[tuple[int, float | None]]) -> None:
    given_rows = [(line, series, value) for line, (series, value) in enumerate(rows, start=2)]
    found = resolve(USAGE, usage(given_rows), {0: "reject"})
    duplicates, conflicts = [], []
    for series in {series for _, series, _ in given_rows}:
        same = [(line, value) for line, other, value in given_rows if other == series]
        if len({value for _, value in same}) == 1:
            duplicates += [line for line, _ in same[1:]]
        else:
            conflicts += [(line, [other for other, _ in same]) for line, _ in same]
    assert sorted(found.duplicates["line"].to_list()) == sorted(duplicates)
    assert named(found) == sorted(conflicts)
    assert found.changed is None


def test_a_conflict_of_many_rows_names_the_first() -> None:
    found = resolve(USAGE, usage([(line, 0, float(line)) for line in range(2, 1002)]), {0: "reject"})
    assert found.conflicts.height == 1000
    assert found.named["lines"].to_list() == [list(range(2, 2 + LINES_NAMED + 1))]


def test_last_keeps_the_last_line() -> None:
    found = resolve(USAGE, usage([(2, 0, 1.0), (9, 0, 3.0), (4, 0, 2.0)]), {0: "last"})
    assert sorted(found.duplicates["line"].to_list()) == [2, 4]
    assert found.conflicts.height == 0


def test_sum_adds_parts_and_drops_a_record_given_twice() -> None:
    rows = usage([(2, 0, 1.0), (3, 0, 1.0), (4, 0, 1.0), (5, 1, None), (6, 1, 2.0)])
    hashes = pl.DataFrame(
        {"line": [2, 3, 4, 5, 6], "record_hash": [7, 7, 8, 9, 10]},
        schema={"line": pl.Int32, "record_hash": pl.UInt64},
    )
    found = resolve(USAGE, rows, {0: "sum"}, hashes)
    assert found.changed is not None
    assert found.changed.select("line", "value").rows() == [(2, 2.0)]
    assert sorted(found.duplicates["line"].to_list()) == [3, 4]
    # A missing part makes the sum unknown.
    assert sorted(found.conflicts["line"].to_list()) == [5, 6]


def test_outputs_that_disagree_are_held_to_the_strictest_rule() -> None:
    rows = usage([(2, 0, 1.0), (3, 0, 2.0)]).with_columns(pl.Series(OUTPUT, [0, 1], pl.UInt16))
    found = resolve(USAGE, rows, {0: "last", 1: "reject"})
    assert sorted(found.conflicts["line"].to_list()) == [2, 3]
