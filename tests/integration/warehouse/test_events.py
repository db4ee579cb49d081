"""Counts of events from the files to core, build by build: what was known when, what became of each record.

The tests of this file follow each other: each finds the warehouse as the one before left it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from caregrid import loading
from caregrid.paths import FEEDS_DIR
from caregrid.warehouse import build

from tests.integration.loading.test_events import FEED, message

pytestmark = pytest.mark.integration

Rows = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "hl7v2_simhospital"
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def feed(inbox: Path) -> Path:
    path = inbox.parent / f"{FEED}.yml"
    text = (FEEDS_DIR / f"{FEED}.yml").read_text(encoding="utf-8")
    path.write_text(text.replace("messages.out.gz\n", "*.hl7\n"), encoding="utf-8")
    return path


@pytest.fixture
def load(
    warehouse_module: Any, inbox: Path, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[int]]:
    """Send files of messages, accept what they make, and build."""
    monkeypatch.setenv("CAREGRID_FEEDS_BASE", str(inbox.parent))

    def sent(**files: str) -> list[int]:
        for name, content in files.items():
            (inbox / f"{name}.hl7").write_text(content, newline="")
        load_ids: list[int] = loading.ingest(feed)["load_ids"]
        loading.accept(load_ids)
        built = build()
        assert built.status == "published", built.reason
        return load_ids

    return sent


def admissions(rows_of: Rows) -> list[tuple[Any, ...]]:
    """Return ward, moment known, moment until, value; all of the hour of 13:00."""
    return rows_of(
        "select p.name_en, to_char(u.known_at at time zone 'Europe/London', 'HH24:MI'), "
        "to_char(u.known_until at time zone 'Europe/London', 'HH24:MI'), u.value::int, u.is_current "
        "from core.fct_usage as u join core.dim_series as s using (series_id) "
        "join core.dim_place as p on p.place_id = s.place_id "
        "where s.measure = 'admissions' order by 1, u.known_at"
    )


def account(rows_of: Rows, load_id: int) -> tuple[Any, ...]:
    """Return received, loaded, duplicate, unchanged and filtered records of a load; they must add up."""
    ((status, received, loaded, duplicate, unchanged, filtered, others),) = rows_of(
        "select status, received_records, loaded_records, duplicate_records, unchanged_records, "
        "filtered_records, partly_rejected_records + rejected_records + held_records "
        "from core.fct_load where load_id = %s", load_id,
    )  # fmt: skip
    assert received == loaded + duplicate + unchanged + filtered + others
    return (status, received, loaded, duplicate, unchanged, filtered)


def test_the_second_file_of_an_hour_adds_to_it(load: Callable[..., list[int]], rows_of: Rows) -> None:
    (first,) = load(a="".join(message(number, "2020050813") for number in (1, 2, 3)))
    assert admissions(rows_of) == [("RenalWard", "14:01", None, 3, True)]
    assert account(rows_of, first) == ("accepted", 3, 1, 2, 0, 0)
    second, late = load(
        b="".join(message(number, "2020050814") for number in (4, 5)), c=message(6, "2020050816")
    )
    assert admissions(rows_of) == [
        ("RenalWard", "14:01", "15:01", 3, False),
        ("RenalWard", "15:01", "17:01", 5, False),
        ("RenalWard", "17:01", None, 6, True),
    ]
    assert account(rows_of, second) == ("accepted", 2, 1, 1, 0, 0)
    # The count of one equals no other count of one: it has added its own.
    assert account(rows_of, late) == ("accepted", 1, 1, 0, 0, 0)


def test_what_comes_again_is_unchanged_and_what_is_known_earlier_shows_earlier(
    load: Callable[..., list[int]], rows_of: Rows, inbox: Path
) -> None:
    shutil.copy(inbox / "b.hl7", inbox / "again.hl7")
    loads = load(d=message(7, "2020050813"), e=message(5, "2020050818"))
    assert len(loads) == 3
    assert admissions(rows_of) == [
        ("RenalWard", "14:01", "15:01", 4, False),
        ("RenalWard", "15:01", "17:01", 6, False),
        ("RenalWard", "17:01", None, 7, True),
    ]
    found = {account(rows_of, load_id)[1:] for load_id in loads}
    # One of the two files of one content made it known, the other and the message sent once more did not.
    assert found <= {(2, 1, 1, 0, 0), (2, 0, 1, 1, 0), (1, 1, 0, 0, 0), (1, 0, 0, 1, 0)}
    totals = rows_of("select sum(loaded_records), sum(unchanged_records) from core.fct_load")
    assert totals == [(4, 2)]


def test_a_replay_takes_back_what_the_old_mapping_counted(
    load: Callable[..., list[int]], rows_of: Rows, feed: Path
) -> None:
    text = feed.read_text(encoding="utf-8")
    kept = "'A01' and \\\"PV1-2.1\\\" = 'I'"
    assert text.count(kept) == 1
    feed.write_text(text.replace(kept, f"{kept} and \\\"MSH-10.1\\\" <> '2'"), encoding="utf-8")
    replaced = loading.replay(feed)["replaced"]
    assert len(replaced) == 6
    loading.accept(list(replaced))
    load()
    after = [
        ("RenalWard", "14:01", "15:01", 3, False),
        ("RenalWard", "15:01", "17:01", 5, False),
        ("RenalWard", "17:01", None, 6, True),
    ]
    assert admissions(rows_of) == after
    ((latest,),) = rows_of(
        "select l.value::int from core.fct_latest as l join core.dim_series as s using (series_id) "
        "where s.measure = 'admissions'"
    )
    assert latest == 6
    accounts = rows_of("select load_id, loaded_records, unchanged_records from core.fct_load order by 1")
    built = build(force=True, full_refresh=True)
    assert built.status == "published", built.reason
    assert admissions(rows_of) == after
    assert (
        rows_of("select load_id, loaded_records, unchanged_records from core.fct_load order by 1") == accounts
    )
