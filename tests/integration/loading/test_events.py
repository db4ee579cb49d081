"""Messages are events: what several files tell of one hour adds up, each message once, in any order."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path
from typing import Any

import pytest
from caregrid import loading
from caregrid.paths import FEEDS_DIR

from tests.integration.loading.conftest import Publisher

pytestmark = pytest.mark.integration

FEED = "uk_simhospital_admissions"


def message(
    number: int, sent: str, *, kind: str = "A01", ward: str = "RenalWard", at: str = "2020050813"
) -> str:
    """One ADT message; `sent` and `at` (admitted or discharged) are hours."""
    visit = ["PV1", "1", "I", f"{ward}^MainRoom^Bed 1^Simulated Hospital", *[""] * 42]
    visit[44 if kind == "A01" else 45] = f"{at}0643"
    header = f"MSH|^~\\&|SIMHOSP|SFAC|RAPP|RFAC|{sent}0643||ADT^{kind}|{number}|T|2.3|||AL||44|ASCII"
    return "\r".join([header, f"EVN|{kind}|{sent}0643", "|".join(visit)]) + "\r"


class Hospital:
    """Sends files of messages to the shipped feed, which takes every file of a directory here."""

    def __init__(self, publisher: Publisher, directory: Path) -> None:
        self.publisher = publisher
        self.inbox = publisher.base / "hl7v2_simhospital"
        self.inbox.mkdir()
        self.feed = directory / f"{FEED}.yml"
        text = (FEEDS_DIR / f"{FEED}.yml").read_text(encoding="utf-8")
        assert text.count("messages.out.gz\n") == 1
        self.feed.write_text(text.replace("messages.out.gz\n", "*.hl7*\n"), encoding="utf-8")

    def send(self, name: str, *messages: str) -> bytes:
        content = "".join(messages).encode()
        (self.inbox / name).write_bytes(content)
        return content

    def load(self) -> list[int]:
        """Take what was sent; nothing is accepted yet."""
        load_ids: list[int] = loading.ingest(self.feed)["load_ids"]
        return load_ids

    def latest(self) -> list[tuple[Any, ...]]:
        """Return ward, measure, hour, moment known and value of the newest values."""
        return self.publisher.query(
            "select p.name, s.measure, to_char(t.period_start at time zone 'Europe/London', 'HH24'), "
            "to_char(t.known_at at time zone 'Europe/London', 'HH24:MI'), t.value::int "
            "from canonical.latest as t join canonical.series as s using (series_id) "
            "join canonical.place as p using (place_id) order by 1, 2"
        )


@pytest.fixture
def hospital(next_publisher: Publisher, tmp_path: Path) -> Hospital:
    return Hospital(next_publisher, tmp_path)


def test_an_hour_in_two_files_and_a_late_message_add_up_in_any_order(hospital: Hospital) -> None:
    hospital.send("a.hl7", *[message(number, "2020050813") for number in (1, 2, 3)])
    hospital.send("b.hl7", *[message(number, "2020050814") for number in (4, 5)])
    hospital.send("c.hl7", message(6, "2020050816"), message(7, "2020050816", kind="A03", at="2020050815"))
    loads = hospital.load()
    assert len(loads) == 3
    ended = []
    for order in itertools.permutations(loads):
        with hospital.publisher.warehouse.connect("owner") as connection:
            connection.execute("update raw.load set status = 'staged', accepted_at = null")
            connection.execute("truncate canonical.latest")
        for load_id in order:
            loading.accept([load_id])
        ended.append(hospital.latest())
    assert (
        ended
        == [[("RenalWard", "admissions", "13", "17:01", 6), ("RenalWard", "discharges", "15", "17:01", 1)]]
        * 6
    )


def test_each_verdict_leaves_what_was_known_by_then(hospital: Hospital) -> None:
    hospital.send("a.hl7", message(1, "2020050813"), message(2, "2020050813"))
    hospital.send("b.hl7", message(3, "2020050814"))
    early, late = hospital.load()
    loading.accept([late])
    assert hospital.latest() == [("RenalWard", "admissions", "13", "15:01", 1)]
    loading.accept([early])
    assert hospital.latest() == [("RenalWard", "admissions", "13", "15:01", 3)]


def test_files_published_at_one_moment_add_up(hospital: Hospital) -> None:
    hospital.send("a.hl7", message(1, "2020050813"))
    hospital.send("b.hl7", message(2, "2020050813"))
    loading.accept(hospital.load())
    assert hospital.latest() == [("RenalWard", "admissions", "13", "14:01", 2)]


def test_a_message_counts_once_however_often_it_comes(hospital: Hospital) -> None:
    content = hospital.send(
        "a.hl7", message(1, "2020050813"), message(2, "2020050813"), message(2, "2020050813")
    )
    (hospital.inbox / "same.hl7").write_bytes(content)
    (hospital.inbox / "packed.hl7.gz").write_bytes(gzip.compress(content))
    hospital.send("b.hl7", message(2, "2020050815"), message(3, "2020050815"))
    loads = hospital.load()
    assert len(loads) == 4
    loading.accept(loads)
    assert hospital.latest() == [("RenalWard", "admissions", "13", "16:01", 3)]


def test_a_corrected_load_takes_its_own_back_and_no_more(hospital: Hospital) -> None:
    hospital.send("a.hl7", *[message(number, "2020050813") for number in (1, 2, 3)])
    hospital.send("b.hl7", message(3, "2020050814"), message(4, "2020050814"))
    first, second = hospital.load()
    loading.accept([first, second])
    assert hospital.latest() == [("RenalWard", "admissions", "13", "15:01", 4)]
    text = hospital.feed.read_text(encoding="utf-8")
    kept = "'A01' and \\\"PV1-2.1\\\" = 'I'"
    assert text.count(kept) == 1
    # Two of the messages of the first file turn out to be none; the second file has told of one of them, too.
    corrected = f"{kept} and \\\"MSH-10.1\\\" not in ('2', '3')"
    hospital.feed.write_text(text.replace(kept, corrected), encoding="utf-8")
    new = loading.replay(hospital.feed, first)["replaced"]
    assert list(new.values()) == [first]
    assert hospital.latest() == [("RenalWard", "admissions", "13", "15:01", 4)]
    loading.accept(list(new))
    assert hospital.publisher.status(first) == "superseded"
    assert hospital.latest() == [("RenalWard", "admissions", "13", "15:01", 3)]


def test_a_load_that_is_taken_again_is_counted_once(hospital: Hospital) -> None:
    hospital.send("a.hl7", message(1, "2020050813"))
    hospital.send("b.hl7", message(2, "2020050814"))
    loading.accept(hospital.load())
    again = loading.ingest(hospital.feed, reload=True)["load_ids"]
    assert len(again) == 2
    assert hospital.latest() == [("RenalWard", "admissions", "13", "15:01", 2)]
    loading.accept(again)
    assert hospital.latest() == [("RenalWard", "admissions", "13", "15:01", 2)]


def test_a_refused_load_counts_nothing(hospital: Hospital) -> None:
    hospital.send("a.hl7", message(1, "2020050813"))
    hospital.send("b.hl7", message(2, "2020050814"))
    first, second = hospital.load()
    loading.accept([first])
    loading.refuse(second, "for the test")
    assert hospital.latest() == [("RenalWard", "admissions", "13", "14:01", 1)]


ARRIVALS = """
feed: desk_arrivals
name: {en: "Arrivals", zh: "到诊"}
owner: {id: test_network, name: "Test network"}
visibility: network
country: GB
timezone: Europe/London
schedule: null
expected_every: null
lateness_tolerance: null
licence: "made up"
provenance: "made by the test"
sources:
  desk:
    path: "desk_*.csv"
    url: null
    format: {type: csv}
    published_at: {file_name: '(\\d{4}-\\d{2}-\\d{2})', format: "%Y-%m-%d"}
    events: true
outputs:
  - name: arrivals
    contract: usage
    source: desk
    place: {level: facility, system: test_site, code: site}
    period: {column: day, format: "%Y-%m-%d", role: label, grain: day}
    service_or_resource: emergency_department
    on_conflict: sum
    values:
      - {constant: 1, measure: arrivals, statistic: count}
"""


def test_without_an_id_the_same_file_counts_once_and_other_files_add_up(
    next_publisher: Publisher, tmp_path: Path
) -> None:
    feed = tmp_path / "desk_arrivals.yml"
    feed.write_text(ARRIVALS, encoding="utf-8")
    first = "site,day,desk\nN,2025-03-01,1\nN,2025-03-01,2\n"
    for name, content in {
        "desk_2025-03-02.csv": first,
        "desk_2025-03-03.csv": first,
        # One of its records is, word for word, one of the others': another arrival for all that one can tell.
        "desk_2025-03-04.csv": "site,day,desk\nN,2025-03-01,1\n",
    }.items():
        (next_publisher.base / name).write_text(content)
    loading.accept(loading.ingest(feed)["load_ids"])
    assert [row[4] for row in next_publisher.latest()] == [3.0]
