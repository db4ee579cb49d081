"""What the tasks do with the library's answers: which day is taken, when a task skips, when it fails."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from caregrid.errors import CareGridError
from caregrid.platform import steps

pytestmark = pytest.mark.unit

FEED = "sim_beds"  # hourly, Asia/Hong_Kong


class _Library:
    """Stands for caregrid.loading: notes what it was asked and answers with a summary."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **summary: Any) -> None:
        import caregrid.loading

        self.asked: list[dict[str, Any]] = []
        told = {"load_ids": [], "rows_rejected": 0}
        self.summary = {"loads_staged": 1, "failures": [], "notes": []} | told | summary
        monkeypatch.setattr(caregrid.loading, "ingest", self._ingest)
        monkeypatch.setenv("CAREGRID_AS_OF", "2026-01-05T12:00:00+00:00")

    def _ingest(self, feed: str, day: date | None, run_id: str, **options: Any) -> dict[str, Any]:
        self.asked.append({"feed": feed, "day": day, **options})
        if self.summary["failures"]:
            from caregrid.loading import IngestFailedError

            raise IngestFailedError({"feed": feed, **self.summary})
        return self.summary


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_scheduled_run_takes_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    library = _Library(monkeypatch)
    assert steps.ingest_feed(FEED, None, ("scheduled", _moment("2026-01-01T00:06")), "r") == []
    assert library.asked == [{"feed": FEED, "day": None, "reload": False, "files": None}]


def test_parameter_names_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    library = _Library(monkeypatch)
    steps.ingest_feed(FEED, date(2025, 12, 1), ("manual", None), "r")
    assert library.asked[0]["day"] == date(2025, 12, 1)
    assert library.asked[0]["reload"]


@pytest.mark.parametrize(
    ("run_type", "logical_date", "day"),
    [
        # 16:06 UTC is 00:06 of the next day where the feed is published, its first run of that day.
        ("backfill", "2025-12-01T16:06", date(2025, 12, 2)),
        # A person who sets the logical date into the past asks for that day.
        ("manual", "2025-12-01T10:00", date(2025, 12, 1)),
        # The form fills in the present moment by itself.
        ("manual", "2026-01-05T11:00", None),
        ("asset_triggered", "2025-12-01T10:00", None),
    ],
)
def test_logical_date_is_a_publication_day_where_it_is_meant(
    monkeypatch: pytest.MonkeyPatch, run_type: str, logical_date: str, day: date | None
) -> None:
    library = _Library(monkeypatch)
    steps.ingest_feed(FEED, None, (run_type, _moment(logical_date)), "r")
    assert library.asked[0]["day"] == day
    assert library.asked[0]["reload"] is (day is not None)


def test_backfill_of_an_hourly_feed_takes_each_day_once(monkeypatch: pytest.MonkeyPatch) -> None:
    library = _Library(monkeypatch)
    taken = []
    for hour in range(24):
        try:
            steps.ingest_feed(FEED, None, ("backfill", _moment(f"2025-12-01T{hour:02}:06")), "r")
        except AirflowSkipException:
            continue
        taken.append(hour)
    # One local midnight lies in a day of UTC.
    assert taken == [16]
    assert len(library.asked) == 1


def test_nothing_new_skips_so_that_no_build_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    _Library(monkeypatch, loads_staged=0, notes=["hourly: the publisher keeps no past days"])
    with pytest.raises(AirflowSkipException, match="keeps no past days"):
        steps.ingest_feed(FEED, None, ("scheduled", None), "r")


def test_one_bad_file_does_not_keep_the_others_from_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    _Library(monkeypatch, loads_staged=2, failures=["a.csv: ragged"])
    assert steps.ingest_feed(FEED, None, ("scheduled", None), "r") == ["a.csv: ragged"]


def test_only_bad_files_fail_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    _Library(monkeypatch, loads_staged=0, failures=["a.csv: missing"])
    with pytest.raises(CareGridError, match=r"a\.csv: missing"):
        steps.ingest_feed(FEED, None, ("scheduled", None), "r")


def test_refused_build_fails_and_says_why() -> None:
    with pytest.raises(CareGridError, match="the marts gate refused it"):
        steps.confirm_published({"status": "failed", "build_id": 7, "reason": "the marts gate refused it"})
    steps.confirm_published({"status": "published", "build_id": 7, "reason": None})


@pytest.mark.parametrize(
    ("refused", "warnings", "status", "tells"),
    [
        ({}, {}, "published", False),
        ({3: "why"}, {}, "published", True),
        ({}, {3: ["x"]}, "published", True),
        ({}, {}, "failed", True),
    ],
)
def test_gate_result_is_told_only_where_a_gate_spoke(
    refused: dict[int, str], warnings: dict[int, list[str]], status: str, tells: bool
) -> None:
    gated = {"refused": refused, "warnings": warnings}
    if tells:
        steps.skip_unless_gates_failed(gated, {"status": status})
    else:
        with pytest.raises(AirflowSkipException):
            steps.skip_unless_gates_failed(gated, {"status": status})


def test_a_day_that_has_not_come_starts_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from caregrid.platform.backfill import backfill_in_airflow

    monkeypatch.setenv("CAREGRID_AS_OF", "2026-01-05T12:00:00+00:00")
    with pytest.raises(CareGridError, match="this day has not come: 2030-01-01"):
        backfill_in_airflow(FEED, date(2026, 1, 1), date(2030, 1, 1))
    # Nor does a run of the DAG with such a parameter: the library refuses before it looks for a database.
    with pytest.raises(CareGridError, match="this day has not come: 2026-01-06"):
        steps.ingest_feed(FEED, date(2026, 1, 6), ("manual", None), "r")
