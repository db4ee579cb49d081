"""The simulated network through the real loader: every fault ends where its manifest says it must."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from caregrid import paths
from caregrid.feeds import load_feeds
from caregrid.loading.ingest import IngestFailedError, ingest
from caregrid.simulate import Summary, simulate

pytestmark = pytest.mark.integration

FEEDS = sorted(name for name, feed in load_feeds().items() if feed.data.get("base") == "simulated")
FOLDERS = {  # feed: folders of the simulator's output that it reads
    "sim_activity": ["activity", "downstream", "expected"],
    "sim_beds": ["beds", "diversions"],
    "sim_blood_bank": ["blood"],
    "sim_clinics": ["clinics"],
    "sim_emergency": ["emergency"],
    "sim_quality": ["quality"],
    "sim_registry": ["registry"],
    "sim_staff_supplies": ["staff", "supplies"],
}


class Loaded:
    """The simulator's summary, every feed's run, and the warehouse they went into."""

    def __init__(self, summary: Summary, runs: dict[str, dict[str, Any]], warehouse: Any) -> None:
        self.summary = summary
        self.runs = runs
        self.warehouse = warehouse

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.warehouse.connect("loader") as connection:
            return list(connection.execute(query, values).fetchall())

    def planted(self, kind: str) -> int:
        return next(fault.count for fault in self.summary.faults if fault.kind == kind)


@pytest.fixture(scope="module")
def loaded(warehouse_module: Any) -> Iterator[Loaded]:
    summary = simulate(paths.var("simulated"), seed=3, facilities=8, days=35, start=date(2025, 12, 1))
    runs = {}
    for feed in FEEDS:
        try:
            runs[feed] = ingest(feed)
        except IngestFailedError as failed:
            runs[feed] = failed.summary
    return Loaded(summary, runs, warehouse_module)


def test_every_simulated_feed_has_its_folder() -> None:
    assert sorted(FOLDERS) == FEEDS


@pytest.mark.parametrize("feed", sorted(FOLDERS))
def test_all_records_written_are_received(loaded: Loaded, feed: str) -> None:
    assert loaded.runs[feed]["records_received"] == sum(
        loaded.summary.records[name] for name in FOLDERS[feed]
    )


def test_every_contract_is_filled(loaded: Loaded) -> None:
    for contract in ("facility", "resource", "usage", "quality", "improvement_action", "external_forecast"):
        assert loaded.ask(f"select count(*) from canonical.{contract}")[0][0] > 0, contract


def test_only_the_unreliable_sender_fails(loaded: Loaded) -> None:
    assert {feed for feed, run in loaded.runs.items() if run["files_failed"]} == {"sim_blood_bank"}
    codes = loaded.ask("select code from rejected.file where feed = 'sim_blood_bank' order by code")
    assert codes == [("not_this_format",), ("undecodable",)]


def test_faults_in_records_are_rejected_or_counted_as_planted(loaded: Loaded) -> None:
    rejected = dict(
        loaded.ask(
            "select reasons -> 0 ->> 'code', count(*) from rejected.record group by 1 order by 1",
        )
    )
    assert rejected == {
        "conflict": 2 * loaded.planted("conflict"),
        "negative": loaded.planted("negative"),
        "not_a_number": loaded.planted("not_a_number"),
    }
    loads = loaded.ask("select load_id from raw.load where feed = 'sim_emergency'")
    duplicates = sum(loaded.warehouse.account(load_id).duplicate for (load_id,) in loads)
    assert duplicates == loaded.planted("duplicate")


def test_a_renamed_column_loads_under_its_old_measure(loaded: Loaded) -> None:
    renamed = loaded.ask(
        """select count(*) from canonical.usage u
           join raw.load l using (load_id) join landing.file f using (file_id)
           join canonical.series s using (series_id)
           where f.uri like '%%emergency_2026-01-03.csv.gz'
             and s.measure = 'arrivals' and s.subset_of is null"""
    )
    assert renamed[0][0] == loaded.planted("renamed_column")


def test_the_late_day_is_known_two_days_after(loaded: Loaded) -> None:
    late = loaded.ask(
        """select distinct u.known_at - u.period_end > interval '33 hours'
           from canonical.usage u join raw.load l using (load_id) join landing.file f using (file_id)
           where f.uri like '%%_late.csv.gz'"""
    )
    assert late == [(True,)]


def test_every_record_is_accounted_for(loaded: Loaded) -> None:
    loads = [load_id for (load_id,) in loaded.ask("select load_id from raw.load")]
    received = sum(loaded.warehouse.account(load_id).received for load_id in loads)
    assert received == sum(run["records_received"] for run in loaded.runs.values())


def test_the_clinics_are_the_only_silent_feed(loaded: Loaded) -> None:
    """Newest publication before the simulation's end, in hours: the clinics' lies days back."""
    hours = dict(
        loaded.ask(
            """select feed, extract(epoch from timestamptz '2026-01-05 00:00+08' - max(published_at)) / 3600
               from landing.file where feed in ('sim_clinics', 'sim_emergency', 'sim_beds', 'sim_activity')
               group by feed"""
        )
    )
    assert hours["sim_clinics"] > 24 + 12  # expected_every P1D and lateness_tolerance PT12H
    assert all(silence < 3 for feed, silence in hours.items() if feed != "sim_clinics")


def test_a_second_run_loads_nothing(loaded: Loaded) -> None:
    again = ingest("sim_emergency")
    assert (again["files_landed"], again["loads_staged"]) == (0, 0)
    assert again["files_unchanged"] == loaded.runs["sim_emergency"]["files_landed"]
