"""Accepting, refusing, superseding and replaying: what counts, and what is newest."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Any

import pytest
from caregrid import loading
from caregrid.errors import CareGridError

pytestmark = pytest.mark.integration


def newest(publisher: Any) -> dict[tuple[str, str], float]:
    return {(row[0], row[1]): row[4] for row in publisher.latest()}


def test_a_late_file_does_not_take_the_newest_value_back(publisher: Any) -> None:
    publisher.publish("2025-03-05", ["A,,2025-03-04,40,50"])
    publisher.load()
    publisher.publish("2025-03-03", ["A,,2025-03-02,20,50"])
    publisher.load()
    assert newest(publisher)["A", "occupied"] == 40
    # A revision of an old day, known later than everything else, is no newest value either.
    publisher.publish("2025-03-09", ["A,,2025-03-02,21,50"])
    publisher.load()
    assert newest(publisher)["A", "occupied"] == 40
    # A revision of the newest day is.
    publisher.publish("2025-03-10", ["A,,2025-03-04,41,50"])
    publisher.load()
    assert newest(publisher)["A", "occupied"] == 41


def test_a_refused_load_counts_for_nothing_until_it_is_released(publisher: Any) -> None:
    publisher.publish("2025-03-05", ["A,,2025-03-04,40,50"])
    publisher.load()
    publisher.publish("2025-03-06", ["A,,2025-03-05,4000,50"])
    (load_id,) = publisher.load(accept=False)
    loading.refuse(load_id, "occupied is eighty times the capacity")
    assert newest(publisher)["A", "occupied"] == 40
    assert (publisher.status(load_id), publisher.account(load_id).kept) == ("refused", 1)
    assert publisher.ingest()["load_ids"] == []
    assert loading.accept([load_id], "the ward confirmed it") == [load_id]
    assert newest(publisher)["A", "occupied"] == 4000
    assert (publisher.status(load_id), publisher.account(load_id).kept) == ("accepted", 1)
    assert loading.accept([load_id]) == []
    with pytest.raises(CareGridError, match="is accepted and cannot be refused"):
        loading.refuse(load_id, "again")


def test_a_replay_supersedes_in_one_go_and_keeps_the_old_rows(publisher: Any) -> None:
    publisher.write_feed(capacity="occupied")  # the mistake
    publisher.publish("2025-03-05", ["A,,2025-03-04,40,50", "B,,2025-03-04,1,2"])
    (old,) = publisher.load()
    assert newest(publisher)["A", "capacity"] == 40
    assert loading.replay(publisher.feed)["already_current"] == 1
    publisher.write_feed()  # the correction
    done = loading.replay(publisher.feed)
    ((new, replaced),) = done["replaced"].items()
    assert replaced == old
    assert newest(publisher)["A", "capacity"] == 40, "the old load is served until the new one is accepted"
    loading.accept([new])
    assert newest(publisher)["A", "capacity"] == 50
    assert publisher.query("select status from raw.load order by load_id") == [("superseded",), ("accepted",)]
    assert publisher.query("select count(*) from canonical.usage where load_id = %s", old) == [(4,)]
    assert publisher.account(old).kept == publisher.account(new).kept == 2
    with pytest.raises(CareGridError, match="was superseded"):
        loading.accept([old])
    # Back to the former mapping: again a new load, not the old one revived.
    publisher.write_feed(capacity="occupied")
    (third,) = loading.replay(publisher.feed)["replaced"]
    loading.accept([third])
    assert newest(publisher)["A", "capacity"] == 40
    assert publisher.query("select status from raw.load order by load_id") == [
        ("superseded",), ("superseded",), ("accepted",),
    ]  # fmt: skip


def test_a_superseding_load_without_the_newest_value_takes_it_from_another(publisher: Any) -> None:
    publisher.publish("2025-03-03", ["A,,2025-03-02,20,50"])
    publisher.publish("2025-03-05", ["A,,2025-03-04,40,50"])
    _, last = publisher.load()
    publisher.write_feed(day_format="%d.%m.%Y")  # nothing of any file fits this
    done = loading.replay(publisher.feed, load_id=last)
    assert done["files"] == 1
    loading.accept(done["replaced"])
    assert newest(publisher)["A", "occupied"] == 20


def test_rejected_rows_and_rejected_files_are_replayed(publisher: Any) -> None:
    publisher.write_feed(day_format="%d.%m.%Y")
    publisher.publish("2025-03-05", ["A,,2025-03-04,40,50"])
    (old,) = publisher.load()
    assert publisher.account(old).rejected == 1
    publisher.write_feed(capacity="no_such_column")
    publisher.publish("2025-03-06", ["A,,2025-03-05,41,50"])
    with pytest.raises(loading.IngestFailedError):
        publisher.ingest()
    publisher.write_feed()
    done = loading.replay(publisher.feed)
    assert sorted(old or 0 for old in done["replaced"].values()) == [0, old]
    loading.accept(done["replaced"])
    assert newest(publisher)["A", "occupied"] == 41
    assert publisher.query("select count(*) from canonical.usage") == [(4,)]


def test_backfill_takes_one_day_from_where_the_publisher_keeps_it(publisher: Any) -> None:
    publisher.write_feed(path="beds_{date:%Y-%m-%d}.csv".replace("{", "{").replace("}", "}"))
    for day in (3, 4, 5):
        publisher.publish(f"2025-03-{day:02d}", [f"A,,2025-03-{day - 1:02d},{day},50"])
    (summary,) = loading.backfill(publisher.feed, date(2025, 3, 4))
    assert (summary["how"], summary["files_landed"], summary["records_received"]) == ("fetched", 1, 1)
    assert publisher.query("select uri from landing.file") == [("base:beds_2025-03-04.csv",)]
    both = loading.backfill(publisher.feed, date(2025, 3, 4), date(2025, 3, 5))
    assert [day["loads_staged"] for day in both] == [1, 1]
    with pytest.raises(loading.BackfillFailedError, match="2025-03-06"):
        loading.backfill(publisher.feed, date(2025, 3, 5), date(2025, 3, 6))
    with pytest.raises(CareGridError, match="lies before"):
        loading.backfill(publisher.feed, date(2025, 3, 5), date(2025, 3, 4))


def test_backfill_replays_from_landing_where_the_publisher_keeps_no_past(publisher: Any) -> None:
    publisher.publish("2025-03-04", ["A,,2025-03-03,3,50"])
    publisher.publish("2025-03-05", ["A,,2025-03-04,4,50"])
    publisher.load()
    before = publisher.usage()
    (publisher.base / "beds_2025-03-04.csv").unlink()
    (summary,) = loading.backfill(publisher.feed, date(2025, 3, 4))
    assert summary["how"] == "replayed from landing"
    assert "publisher keeps no past days" in summary["notes"][0]
    loading.accept(summary["load_ids"])
    assert publisher.usage() == before
    (nothing,) = loading.backfill(publisher.feed, date(2025, 3, 6))
    assert nothing["loads_staged"] == 0
    assert "nothing was landed" in nothing["notes"][0]


def test_clocks_of_the_ledger(publisher: Any) -> None:
    publisher.publish("2025-03-05", ["A,,2025-03-04,40,50"])
    (load_id,) = publisher.load()
    row = publisher.query(
        "select known_at_min, known_at_max, period_min, period_max, loaded_at <= accepted_at, owner, "
        "visibility, replaces "
        "from raw.load where load_id = %s", load_id,
    )  # fmt: skip
    known, period = datetime(2025, 3, 5, tzinfo=UTC), datetime(2025, 3, 4, tzinfo=UTC)
    assert row == [(known, known, period, period, True, "test_network", "network", None)]


def test_two_files_that_speak_of_one_moment_are_taken_in_the_order_of_publication(publisher: Any) -> None:
    text = publisher.feed.read_text().replace(
        "known_at: {published_at: true}", 'known_at: {column: site_name, format: "%Y-%m-%d"}'
    )
    publisher.feed.write_text(text.replace("site_name <> ''", "site_name = 'never'"))
    for day, value in ((7, 71), (5, 51), (6, 61)):
        publisher.publish(f"2025-03-0{day}", [f"A,2025-03-04,2025-03-03,{value},50"])
        publisher.load()
    assert newest(publisher)["A", "occupied"] == 71


def test_what_was_loaded_has_statistics_once_it_is_accepted(publisher: Any) -> None:
    publisher.publish("2025-03-05", [f"S{number},,2025-03-04,40,50" for number in range(1500)])
    load_ids = publisher.load(accept=False)
    assert publisher.query("select reltuples from pg_class where oid = 'canonical.usage'::regclass") == [
        (-1,)
    ]
    # The server counts changes a moment after the worker that made them has gone.
    deadline = time.monotonic() + 30
    changed = "select n_mod_since_analyze from pg_stat_user_tables where relid = 'canonical.usage'::regclass"
    while publisher.query(changed) != [(3000,)]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    loading.accept(load_ids)
    assert publisher.query("select reltuples from pg_class where oid = 'canonical.usage'::regclass") == [
        (3000,)
    ]
