"""What an address offers changes, and changes back: the newest version holds, and none is lost on the way."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from caregrid import loading
from caregrid.landing import store

pytestmark = pytest.mark.integration

DAY = "2025-03-02"
# The package has a function of the module's name.
INGESTING = import_module("caregrid.loading.ingest")


def publish(publisher: Any, occupied: int) -> None:
    publisher.publish(DAY, [f"A,,2025-03-01,{occupied},99"])


def occupied(publisher: Any) -> float:
    ((value,),) = [row[4:5] for row in publisher.latest() if row[1] == "occupied"]
    return float(value)


def versions(publisher: Any) -> list[tuple[int, int]]:
    """Return (version, loads of it) of the day's file."""
    return publisher.query(
        "select version, count(load_id) from landing.file left join raw.load using (file_id) "
        "group by 1 order by 1"
    )


def test_a_file_corrected_under_its_name_counts_whatever_its_bytes(next_publisher: Any) -> None:
    # Ten times: an order by the bytes' own hash would be right now and then.
    for value in range(10, 20):
        publish(next_publisher, value)
        next_publisher.load()
        assert occupied(next_publisher) == value
    assert versions(next_publisher) == [(number, 1) for number in range(1, 11)]


def test_content_that_comes_back_is_what_holds(next_publisher: Any) -> None:
    for value in (1, 2, 1, 2, 2):
        publish(next_publisher, value)
        next_publisher.load()
        assert occupied(next_publisher) == value
    assert versions(next_publisher) == [(1, 1), (2, 1), (3, 1), (4, 1)]
    kept = next_publisher.query("select count(distinct sha256) from landing.file")
    assert kept == [(2,)]


def test_the_verdicts_may_come_in_any_order(next_publisher: Any) -> None:
    loads = []
    for value in (1, 2, 1):
        publish(next_publisher, value)
        loads += next_publisher.load(accept=False)
    for load_id in (loads[2], loads[0], loads[1]):
        loading.accept([load_id])
    assert occupied(next_publisher) == 1


def test_a_page_of_error_in_between_is_no_version_of_the_data(next_publisher: Any) -> None:
    publish(next_publisher, 1)
    next_publisher.load()
    file = next_publisher.base / f"beds_{DAY}.csv"
    good = file.read_bytes()
    for _ in range(2):
        file.write_text("<!DOCTYPE html><html>503</html>\n")
        with pytest.raises(loading.IngestFailedError, match="a web page came"):
            next_publisher.ingest()
        file.write_bytes(good)
        assert next_publisher.ingest()["files_unchanged"] == 1
    assert next_publisher.query("select count(*) from raw.load") == [(1,)]
    publish(next_publisher, 2)
    next_publisher.load()
    file.write_bytes(good)
    next_publisher.load()
    assert occupied(next_publisher) == 1


def test_between_addresses_the_order_of_arrival_decides_nothing(next_publisher: Any) -> None:
    def ends(names: tuple[str, ...]) -> float:
        with next_publisher.warehouse.connect("owner") as connection:
            connection.execute("truncate landing.file, landing.fetch, canonical.place cascade")
            connection.execute("truncate canonical.usage")
        for name in names:
            (next_publisher.base / f"beds_{name}_{DAY}.csv").write_text(
                f"site,site_name,day,occupied,capacity\nA,,2025-03-01,{len(name)},99\n"
            )
            next_publisher.load()
        for name in names:
            (next_publisher.base / f"beds_{name}_{DAY}.csv").unlink()
        return occupied(next_publisher)

    assert ends(("x", "yy", "zzz")) == ends(("zzz", "x", "yy")) == ends(("yy", "zzz", "x"))


def test_what_was_landed_before_a_worker_died_is_loaded_though_the_address_moved_on(
    next_publisher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(next_publisher, 1)
    with monkeypatch.context() as patch:
        patch.setattr(INGESTING, "stage", dies)
        with pytest.raises(KeyboardInterrupt):
            next_publisher.ingest()
    assert versions(next_publisher) == [(1, 0)]
    publish(next_publisher, 2)
    next_publisher.load()
    assert versions(next_publisher) == [(1, 1), (2, 1)]
    assert occupied(next_publisher) == 2


def dies(*_: Any, **__: Any) -> int:
    raise KeyboardInterrupt


def test_a_try_that_died_after_its_last_load_is_told_by_the_next(
    next_publisher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(next_publisher, 1)
    with monkeypatch.context() as patch:
        patch.setattr(INGESTING, "_add", dies)
        with pytest.raises(KeyboardInterrupt):
            next_publisher.ingest(run_id="scheduled__1")
    again = next_publisher.ingest(run_id="scheduled__1")
    assert (again["loads_staged"], again["files_landed"], again["records_received"]) == (1, 0, 1)
    assert next_publisher.ingest(run_id="scheduled__2")["loads_staged"] == 0


def test_landed_bytes_that_are_gone_stop_no_other_file(next_publisher: Any, monkeypatch: Any) -> None:
    publish(next_publisher, 1)
    with monkeypatch.context() as patch:
        patch.setattr(INGESTING, "stage", dies)
        with pytest.raises(KeyboardInterrupt):
            next_publisher.ingest()
    ((sha256,),) = next_publisher.query("select sha256 from landing.file")
    with store.room().opened(sha256) as path:
        path.unlink()
    publish(next_publisher, 2)
    with pytest.raises(loading.IngestFailedError, match="are gone") as failed:
        next_publisher.ingest()
    assert failed.value.summary["loads_staged"] == 1
    loading.accept(failed.value.summary["load_ids"])
    assert occupied(next_publisher) == 2
