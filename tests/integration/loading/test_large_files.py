"""Files of many batches: what repeats is found wherever it stands and whatever the hashes say."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from caregrid import paths
from caregrid.loading import spill

pytestmark = pytest.mark.integration

SITES = 1000
# 70,000 records, then the first line once more, and the second with another value.
DAYS = [f"2025-{1 + day // 28:02d}-{1 + day % 28:02d}" for day in range(70)]
RECORDS = [
    f"S{site},,{day},{turn * SITES + site},9" for turn, day in enumerate(DAYS) for site in range(SITES)
]
RECORDS += [RECORDS[0], RECORDS[1].replace(",1,9", ",2,9")]


@pytest.mark.parametrize("way", ["in memory", "on disk", "colliding hashes"])
def test_repeated_rows_are_found_across_batches(
    publisher: Any, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "on disk":
        monkeypatch.setattr(spill, "MEMORY_BYTES", 0)
    elif way == "colliding hashes":
        whole = spill.key_hashes
        monkeypatch.setattr(spill, "key_hashes", lambda keys: (whole(keys) % 100_000).cast(pl.UInt64))
    publisher.publish("2025-12-31", RECORDS)
    (load_id,) = publisher.load()
    account = publisher.account(load_id)
    last = len(RECORDS) + 1
    assert (account.received, account.kept) == (70_002, 69_999)
    assert (account.duplicate, account.partly_rejected, account.rejected) == (1, 1, 1)
    assert publisher.query("select lines::text from raw.fate where output = '' and fate = 'duplicate'") == [
        (f"{{[{last - 1},{last})}}",)
    ]
    assert publisher.query("select line, reasons->0->>'message' from rejected.record order by line") == [
        (line, f"the same key stands with other values: lines 3, {last}") for line in (3, last)
    ]
    assert publisher.query("select count(*), count(distinct series_id) from canonical.usage") == [
        (139_999, 2000)
    ]
    assert list(paths.var("tmp").iterdir()) == []
