"""A record is the same record in whatever order its columns stand, and whatever columns others have."""

from __future__ import annotations

import polars as pl
import pytest
from caregrid.loading.fates import hashes_of_records
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

NAMES = ["a", "b", "c", "d"]
records = st.lists(
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["", "0", "1", "a", "b", None]), max_size=4),
    min_size=1,
    max_size=12,
)


def hashes(given_records: list[dict[str, str | None]], names: list[str]) -> list[int]:
    """Hash records as a batch with these columns."""
    frame = pl.DataFrame(
        {name: [record.get(name) for record in given_records] for name in names},
        schema=dict.fromkeys(names, pl.String),
    )
    return hashes_of_records(frame).to_list()


@given(found=records, order=st.permutations(NAMES), beside=st.booleans())
def test_equal_records_and_no_others_have_one_hash(
    found: list[dict[str, str | None]], order: list[str], beside: bool
) -> None:
    whole = hashes(found, order + ["of other batches"] * beside)
    there = [frozenset((name, text) for name, text in record.items() if text is not None) for record in found]
    for record, mine, first in zip(found, there, whole, strict=True):
        # Alone, it has its own columns only, in its own order.
        assert hashes([record], list(record) or NAMES) == [first]
        assert [other == first for other in whole] == [other == mine for other in there]


def test_hashes_of_very_many_records_differ() -> None:
    numbers = pl.Series(range(1000)).cast(pl.String)
    frame = pl.DataFrame({"a": numbers}).join(pl.DataFrame({"b": numbers}), how="cross")
    assert hashes_of_records(frame).n_unique() == 1_000_000
    assert hashes_of_records(frame.select(pl.all().cast(pl.Int64))).n_unique() == 1_000_000
