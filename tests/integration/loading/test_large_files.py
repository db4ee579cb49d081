"""Files of many batches: what repeats is found wherever it stands and whatever the hashes say."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from caregrid import paths
from caregrid.loading import spill
from caregrid.mapping.readers import content

pytestmark = pytest.mark.integration

SITES = 1000
BLOCK = 400
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


def test_a_record_given_again_in_another_batch_is_added_once(
    publisher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the order of its keys there, and whatever keys other records of the batch have."""
    monkeypatch.setattr(content, "BLOCK_BYTES", BLOCK)
    monkeypatch.setattr(content, "BATCH_CHARACTERS", 1)
    publisher.write_feed(on_conflict="sum")
    publisher.feed.write_text(publisher.feed.read_text().replace("{type: csv}", "{type: ndjson}"))
    record = {"site": "A", "day": "2025-03-01", "occupied": 5, "capacity": 1}
    other = {"site": "B", "day": "2025-03-02", "occupied": 1, "capacity": 1}
    others = [{**other, "day": f"2025-03-{day:02d}"} for day in range(2, 20)]
    lines = [
        record, *others, dict(reversed(record.items())), *({**one, "site": "C"} for one in others),
        {"note": None, **record, "site_name": None}, {**other, "site": "D", "note": "of this batch alone"},
        {**record, "note": "a part of its own"},
    ]  # fmt: skip
    assert len(json.dumps(record)) < BLOCK
    publisher.publish("2025-03-30", map(json.dumps, lines[1:]), json.dumps(lines[0]))
    (load_id,) = publisher.load()
    sums = publisher.query(
        "select measure, value from canonical.usage join canonical.series using (series_id) "
        "join canonical.place using (place_id) where code = 'A' order by 1"
    )
    assert sums == [("admissions", 2.0), ("arrivals", 10.0)]
    assert publisher.account(load_id).duplicate == 3
