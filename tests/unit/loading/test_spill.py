"""Rows that may share a key are found, however the rows are kept and the hashes searched."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from caregrid.loading import spill
from caregrid.loading.keys import LAYOUTS
from caregrid.mapping.types import ROW_COLUMNS

pytestmark = pytest.mark.unit


def usage(first_line: int, hours: list[int]) -> pl.DataFrame:
    """Mapped rows of one series, one per line; the hour tells them apart."""
    moments = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in hours]
    given = {
        "line": list(range(first_line, first_line + len(hours))), "value_name": ["n"] * len(hours),
        "period_start": moments, "period_end": moments, "known_at": moments, "code": ["A"] * len(hours),
    }  # fmt: skip
    return pl.DataFrame({name: given.get(name, [None] * len(hours)) for name in ROW_COLUMNS["usage"]},
                        schema=ROW_COLUMNS["usage"])  # fmt: skip


@pytest.mark.parametrize("settled", [1, 3, 500_000])
@pytest.mark.parametrize("searched", [1, 3, 2**22])
@pytest.mark.parametrize("in_memory", [0, 2**28])
def test_repeated_keys_are_found_and_no_others(
    settled: int, searched: int, in_memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "SUSPECTS", settled)
    monkeypatch.setattr(spill, "SEARCHED_HASHES", searched)
    monkeypatch.setattr(spill, "MEMORY_BYTES", in_memory)
    batches = [[5, 1, 2, 3], [], [9, 5], [7, 7, 1, 8, 11, 12, 13], [40]]
    kept = spill.Spill(LAYOUTS["usage"], tmp_path)
    line = 1
    expected = []
    times = Counter(hour for batch in batches for hour in batch)
    for batch in batches:
        expected += [line + place for place, hour in enumerate(batch) if times[hour] > 1]
        kept.add(usage(line, batch), 0)
        line += len(batch)
    parts = list(kept.suspects())
    assert sorted(line for part in parts for line in part["line"]) == expected == [1, 2, 6, 7, 8, 9]
    hours = [set(part["period_start"]) for part in parts]
    assert sum(map(len, hours)) == len(set().union(*hours)), "equal keys are apart"
    assert len(parts) == {1: 3, 3: 2, 500_000: 1}[settled]


def test_keys_that_differ_leave_nothing_to_settle(tmp_path: Path) -> None:
    kept = spill.Spill(LAYOUTS["usage"], tmp_path)
    assert list(kept.suspects()) == []
    kept.add(usage(1, [1, 2, 3]), 0)
    assert list(kept.suspects()) == []
