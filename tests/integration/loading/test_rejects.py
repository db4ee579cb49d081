"""Rejects wait on the disk: however many there are, all are written, each with its reasons and its record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from caregrid import paths
from caregrid.loading import refused

pytestmark = pytest.mark.integration

ROWS = (
    "select line, output, contract, value_name, reasons::text, record::text from rejected.record "
    "order by 1, 2, 4"
)
# Values that cannot be, keys that contradict one another, a torn record, and some that are right.
RECORDS = [
    *(f"S{number},Site {number},2025-03-01,{'-' * (number % 3)}{number},x{number}" for number in range(40)),
    *("S41,,2025-03-01,1,2", "S41,,2025-03-01,3,2", "torn"),
    *(f'S5{number},病区 ""{number},2025-02-30,1,2' for number in range(5)),
]


@pytest.mark.parametrize("part", [1, 700])
def test_rejects_on_disk_are_the_rejects_in_memory(
    publisher: Any, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    publisher.publish("2025-03-02", RECORDS)
    (first,) = publisher.load()
    expected = publisher.query(ROWS)
    assert len(expected) > len(RECORDS)
    assert {reason["code"] for *_, reasons, _ in expected for reason in json.loads(reasons)} == {
        "conflict", "negative", "not_a_number", "ragged", "unparseable_time",
    }  # fmt: skip
    account = publisher.account(first)
    with publisher.warehouse.connect("owner") as connection:
        connection.execute("truncate rejected.record")
    monkeypatch.setattr(refused, "PART_BYTES", part)
    (again,) = publisher.ingest(reload=True)["load_ids"]
    assert publisher.query(ROWS) == expected
    assert publisher.account(again) == account
    assert list(paths.var("tmp").iterdir()) == []


def test_a_wide_record_is_repeated_only_so_often(publisher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 400 values that cannot be, the first few hold the record; every other says where it is."""
    text = publisher.feed.read_text()
    start, end = text.index("      - {column: occupied"), text.index("  - name: sites")
    value = "      - {columns: 'v\\d+', measure: occupied, statistic: snapshot, unit: beds}\n"
    publisher.feed.write_text(text[:start] + value + text[end:])
    names = [f"v{number}" for number in range(400)]
    record = ["A", "", "2025-03-01", *(f"none{number}" for number in range(400))]
    publisher.publish("2025-03-02", [",".join(record)] * 2, ",".join(["site", "site_name", "day", *names]))
    held = len(json.dumps(dict(zip(["site", "site_name", "day", *names], record, strict=True))))
    monkeypatch.setattr(refused, "REPEATED_BYTES", 3 * held)
    (load_id,) = publisher.load()
    assert publisher.account(load_id).rejected == 2
    rows = publisher.query("select line, value_name, record from rejected.record order by reject_id")
    assert sorted((line, name) for line, name, _ in rows) == sorted(
        (line, name) for line in (2, 3) for name in names
    )
    for line in (2, 3):
        whole, *others = [found for at, _, found in rows if at == line]
        assert (whole["site"], whole["v399"]) == ("A", "none399")
        assert others == [whole] * 2 + [json.loads(refused.REPEATED)] * 397


def test_a_file_in_which_every_row_contradicts_another(
    publisher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settled and written a few at a time, all name the first lines of their key."""
    from caregrid.loading import records, rejects, resolve, spill

    monkeypatch.setattr(spill, "SUSPECTS", 10)
    monkeypatch.setattr(records, "_AT_ONCE", 7)
    monkeypatch.setattr(rejects, "_AT_ONCE", 5)
    lines = [f"S{number % 4},,2025-03-01,{number},2" for number in range(400)]
    publisher.publish("2025-03-02", lines)
    (load_id,) = publisher.load()
    account = publisher.account(load_id)
    assert (account.received, account.partly_rejected, account.rejected) == (400, 4, 396)
    found = publisher.query(
        "select line, record->>'occupied', reasons->0->>'message' from rejected.record "
        "where value_name = 'occupied' order by line"
    )
    for line, occupied, message in found:
        assert int(occupied) == line - 2
        shown = range(2 + (line - 2) % 4, 402, 4)[: resolve.LINES_NAMED]
        assert message == "the same key stands with other values: lines " + ", ".join(map(str, shown)) + " …"
    assert len(found) == 400
