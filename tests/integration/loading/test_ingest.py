"""Landing and staging one feed: what is loaded, what is not, and that doing it twice changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from typing import Any

import pytest
from caregrid import loading
from caregrid.errors import CareGridError
from caregrid.landing import disk, store
from caregrid.loading.records import show

pytestmark = pytest.mark.integration

HEADER = "site,site_name,day,occupied,capacity"
RECORDS = [
    "A,Alpha,2025-03-01,10,20",  # 2
    "B,Beta,2025-03-01,*,30",  # 3: suppressed
    "B,Beta,2025-03-01,*,30",  # 4: duplicate of line 3
    "C,Gamma,2025-03-01,-1,5",  # 5: one value cannot be true
    "IGNORED,,2025-03-01,1,1",  # 6: filtered by both outputs
    "D,,not a day,1,1",  # 7: no period
    "E,,2025-03-01,7,9",  # 8: conflict with line 9
    "E,,2025-03-01,8,9",  # 9
    "F,,2025-03-01,,12",  # 10: missing
]


def test_every_record_has_one_fate(publisher: Any) -> None:
    publisher.publish("2025-03-02", RECORDS)
    summary = publisher.ingest()
    assert (summary["files_landed"], summary["loads_staged"], summary["records_received"]) == (1, 1, 9)
    (load_id,) = summary["load_ids"]
    account = publisher.account(load_id)
    assert (publisher.status(load_id), account.kept) == ("staged", 3)  # A, B, F
    assert (account.received, account.duplicate, account.filtered) == (9, 1, 1)
    # E agrees on capacity: its second row is a duplicate there, and its occupied conflicts.
    assert (account.partly_rejected, account.rejected) == (2, 2)
    loading.accept([load_id])
    assert (publisher.status(load_id), publisher.account(load_id)) == ("accepted", account)
    rejects = publisher.query("select line, value_name, reasons from rejected.record order by 1, 2")
    conflicts = [
        (line, reasons[0]["message"]) for line, _, reasons in rejects if reasons[0]["code"] == "conflict"
    ]
    assert [line for line, _ in conflicts] == [8, 9]
    assert all("8, 9" in message for _, message in conflicts)
    places = "select name, is_inferred from canonical.place where code in ('A', 'F') order by code"
    assert publisher.query(places) == [
        ("Alpha", False), (None, True),
    ]  # fmt: skip


def test_values_keep_their_meaning(publisher: Any) -> None:
    publisher.publish("2025-03-02", RECORDS)
    publisher.load()
    known = datetime(2025, 3, 2, tzinfo=UTC)
    values = {(code, measure): rest for code, measure, *rest in publisher.usage()}
    start = datetime(2025, 3, 1, tzinfo=UTC)
    assert values["A", "occupied"] == [start, known, 10.0, "reported", 2]
    assert values["B", "occupied"] == [start, known, None, "suppressed", 3]
    assert values["F", "occupied"] == [start, known, None, "missing", 10]
    assert ("C", "occupied") not in values
    assert values["C", "capacity"][2] == 5.0


def test_landing_keeps_the_exact_bytes_and_says_where_from(publisher: Any) -> None:
    path = publisher.publish("2025-03-02", RECORDS)
    publisher.ingest()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    found = publisher.query(
        "select uri, sha256, byte_size, published_at, published_at_is_assumed from landing.file"
    )
    assert found == [
        ("base:beds_2025-03-02.csv", digest, path.stat().st_size, datetime(2025, 3, 2, tzinfo=UTC), False)
    ]
    assert disk.path_of(digest).read_bytes() == path.read_bytes()
    assert publisher.query("select outcome, message from landing.fetch") == [("new", None)]


def test_twice_changes_no_row(publisher: Any) -> None:
    publisher.publish("2025-03-02", RECORDS)
    publisher.load()
    before, latest = publisher.counts(), publisher.latest()
    again = publisher.ingest()
    assert (again["files_landed"], again["files_unchanged"], again["load_ids"]) == (0, 1, [])
    assert (publisher.counts(), publisher.latest()) == (before, latest)
    assert publisher.query("select outcome from landing.fetch order by fetch_id") == [
        ("new",),
        ("unchanged",),
    ]


def test_a_file_of_this_machine_is_not_read_again_while_its_size_and_time_stay(
    publisher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(occupied: int, minute: int) -> None:
        file = publisher.publish("2025-03-02", [f"A,Alpha,2025-03-01,{occupied},20"])
        os.utime(file, (minute * 60, minute * 60))

    for day in ("2025-03-03", "2025-03-04"):
        file = publisher.publish(day, RECORDS)
        os.utime(file, (0, 0))
    written(10, minute=1)
    assert publisher.ingest()["files_landed"] == 3
    with monkeypatch.context() as patch:
        patch.setattr(store, "keep_file", None)  # nothing may be read
        assert publisher.ingest()["files_unchanged"] == 3
    # A directory of years of files does not grow the ledger by a row for each of them in each run.
    assert publisher.query("select outcome, count(*) from landing.fetch group by 1") == [("new", 3)]
    # The same size at another time, and another size, are read.
    written(11, minute=2)
    assert publisher.ingest()["files_landed"] == 1
    written(9, minute=2)
    assert publisher.ingest()["files_landed"] == 1


def test_a_file_changed_within_moments_of_being_landed_is_read_again(publisher: Any) -> None:
    """As it is written while it is landed, its size and time may stay and its content not."""
    file = publisher.publish("2025-03-02", ["A,Alpha,2025-03-01,10,20"])
    time = file.stat().st_mtime_ns
    publisher.ingest()
    publisher.publish("2025-03-02", ["A,Alpha,2025-03-01,12,20"])
    os.utime(file, ns=(time, time))
    assert publisher.ingest()["files_landed"] == 1


def test_landed_bytes_that_were_lost_come_again_from_a_file_that_has_not_changed(publisher: Any) -> None:
    file = publisher.publish("2025-03-02", RECORDS)
    os.utime(file, (0, 0))
    publisher.ingest()
    ((sha256,),) = publisher.query("select sha256 from landing.file")
    with store.room().opened(sha256) as path:
        path.unlink()
    assert publisher.ingest()["files_unchanged"] == 1
    assert store.room().size(sha256) == file.stat().st_size


def test_a_file_that_was_landed_but_not_loaded_is_loaded_by_the_next_run(publisher: Any) -> None:
    publisher.publish("2025-03-02", RECORDS)
    publisher.ingest()
    with publisher.warehouse.connect("owner") as connection:
        connection.execute("truncate raw.load cascade")
    assert publisher.ingest()["loads_staged"] == 1


def test_an_unreadable_file_is_rejected_whole_and_the_others_go_on(publisher: Any) -> None:
    publisher.publish("2025-03-02", RECORDS)
    publisher.publish("2025-03-03", ["x,y"], header="<!DOCTYPE html><html>")
    for _ in range(2):  # a retry must not pass where the first run failed
        with pytest.raises(loading.IngestFailedError, match=r"beds_2025-03-03\.csv") as failed:
            publisher.ingest()
        assert failed.value.summary["files_failed"] == 1
    assert publisher.query("select count(*) from raw.load") == [(1,)]
    assert publisher.query("select count(*), min(reason) <> '' from rejected.file") == [(1, True)]
    assert publisher.query("select count(*) from landing.file") == [(2,)]


def test_a_missing_file_fails_the_run(publisher: Any) -> None:
    with pytest.raises(CareGridError, match=r"there is no file at beds_\*\.csv"):
        publisher.ingest()
    assert publisher.query("select outcome from landing.fetch") == [("missing",)]


def test_zip_members_are_landed_and_loaded_each(publisher: Any) -> None:
    import zipfile

    with zipfile.ZipFile(publisher.base / "beds_2025.zip", "w") as archive:
        for day in ("2025-03-02", "2025-03-03"):
            archive.writestr(
                f"beds_{day}.csv", f"site,site_name,day,occupied,capacity\nA,,2025-03-01,{day[-1]},9\n"
            )
        archive.writestr("readme.txt", "not data")
    publisher.write_feed(path='beds_*.zip"\n    member: "*.csv')
    publisher.load()
    assert publisher.query("select member, published_at::date::text from landing.file order by 1") == [
        ("beds_2025-03-02.csv", "2025-03-02"), ("beds_2025-03-03.csv", "2025-03-03"),
    ]  # fmt: skip
    assert [(row[1], row[4]) for row in publisher.latest()] == [("capacity", 9.0), ("occupied", 3.0)]
    assert publisher.ingest()["files_unchanged"] == 2


def test_any_record_is_shown_again(publisher: Any) -> None:
    publisher.publish("2025-03-02", RECORDS)
    (load_id,) = publisher.load()
    shown = show(load_id, 5, publisher.feed)
    assert shown["record"] == {
        "site": "C", "site_name": "Gamma", "day": "2025-03-01", "occupied": "-1", "capacity": "5",
    }  # fmt: skip
    assert [row["value"] for row in shown["rows"]["usage"]] == [5.0]
    assert [reject["value_name"] for reject in shown["rejects"]] == ["occupied"]
    assert show(load_id, 6, publisher.feed)["fates"] == [
        ("", "filtered"),
        ("beds", "filtered"),
        ("sites", "filtered"),
    ]
    with pytest.raises(CareGridError, match="no record begins on line 99"):
        show(load_id, 99, publisher.feed)


def test_summing_parts_and_keeping_the_last(publisher: Any) -> None:
    publisher.write_feed(on_conflict="sum")
    publisher.publish("2025-03-02", ["A,,2025-03-01,7,9", "A,,2025-03-01,8,9", "A,,2025-03-01,8,9"])
    (load_id,) = publisher.load()
    assert [(row[1], row[4]) for row in publisher.usage()] == [("admissions", 18.0), ("arrivals", 15.0)]
    account = publisher.account(load_id)
    assert (account.received, account.kept, account.duplicate) == (3, 1, 2)


def test_a_nul_in_json_rejects_its_row_and_not_the_file(publisher: Any) -> None:
    publisher.write_feed(path="beds_*.json")
    publisher.feed.write_text(publisher.feed.read_text().replace("{type: csv}", "{type: json}"))
    fields = HEADER.split(",")
    records = [
        ["A\x00B", "", "2025-03-01", "1", "2"],
        ["C", "n\x00", "2025-03-01", "1", "2"],
        ["D", "", "2025-03-01", "1", "2"],
    ]
    path = publisher.base / "beds_2025-03-02.json"
    path.write_text(json.dumps([dict(zip(fields, record, strict=True)) for record in records]))
    (load_id,) = publisher.load()
    account = publisher.account(load_id)
    assert (account.received, account.kept, account.rejected) == (3, 1, 2)
    assert publisher.query("select distinct line, reasons->0->>'code' from rejected.record order by 1") == [
        (1, "nul_character"), (2, "nul_character"),
    ]  # fmt: skip


def test_a_cell_that_an_expression_fails_on_stops_its_file_alone(publisher: Any) -> None:
    feed = publisher.feed.read_text()
    publisher.feed.write_text(feed.replace("site <> 'IGNORED'", "CAST(capacity AS DOUBLE) > 0"))
    publisher.publish("2025-03-02", ["A,Alpha,2025-03-01,10,20"])
    publisher.publish("2025-03-03", ["A,Alpha,2025-03-02,10,many"])
    publisher.publish("2025-03-04", ["A,Alpha,2025-03-03,10,20"])
    for loaded in (2, 0):  # and it is told again by the next run
        with pytest.raises(loading.IngestFailedError, match="TRY_CAST") as failed:
            publisher.ingest()
        assert (failed.value.summary["loads_staged"], failed.value.summary["files_failed"]) == (loaded, 1)
    assert publisher.query("select code from rejected.file") == [("expression_failed",)]
    publisher.feed.write_text(feed.replace("site <> 'IGNORED'", "TRY_CAST(capacity AS DOUBLE) > 0"))
    loading.replay(publisher.feed)
    assert publisher.ingest()["files_failed"] == 0
    assert publisher.query("select count(distinct file_id) from raw.load") == [(3,)]
