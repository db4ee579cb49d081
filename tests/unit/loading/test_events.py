"""An event is the same in whatever file it stands; one that nothing tells apart is told by file and line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl
import pytest
from caregrid.feeds import load_feed
from caregrid.feeds.model import Source
from caregrid.landing.manifest import LandedFile
from caregrid.loading import events

pytestmark = pytest.mark.unit

SOURCE = load_feed("uk_simhospital_admissions").sources["messages"]


def source(*columns: str) -> Source:
    return dataclasses.replace(SOURCE, events=columns, missing=("", "n/a"))


def landed(sha256: str = "a" * 64, member: str = "") -> LandedFile:
    made = {field.name: None for field in dataclasses.fields(LandedFile)}
    return LandedFile(**{**made, "sha256": sha256, "member": member})  # type: ignore[arg-type]


def told(frame: pl.DataFrame, of: Source, file: LandedFile) -> list[bytes]:
    lines = pl.Series("line", range(2, frame.height + 2), pl.Int32)
    records = pl.DataFrame([lines, frame.hash_rows().alias("record_hash")])
    found = events.complete(events.tell_apart(records, frame, of), file)
    assert found["line"].to_list() == lines.to_list()
    return found["event"].to_list()


def test_an_id_tells_an_event_in_any_file_and_beside_anything_else() -> None:
    one = pl.DataFrame({"sender": ["A", "A", "B"], "number": ["1", "2", "1"], "sent": ["x", "x", "x"]})
    other = pl.DataFrame({"sender": ["A "], "number": [" 1"], "sent": ["y"]})
    first = told(one, source("sender", "number"), landed())
    assert len(set(first)) == 3
    assert told(other, source("sender", "number"), landed("b" * 64)) == first[:1]


def test_the_parts_of_an_id_do_not_run_together() -> None:
    frame = pl.DataFrame({"sender": ["A1", "A", 'A", "'], "number": ["2", "12", "2"]})
    assert len(set(told(frame, source("sender", "number"), landed()))) == 3


@pytest.mark.parametrize("absent", ["", " ", "n/a", None])
def test_without_a_part_of_its_id_an_event_is_told_by_file_and_line(absent: str | None) -> None:
    frame = pl.DataFrame({"sender": ["A", "A"], "number": [absent, absent], "sent": ["x", "y"]})
    given = source("sender", "number")
    first = told(frame, given, landed())
    assert len(set(first)) == 2
    assert told(frame, given, landed()) == first
    assert not set(told(frame, given, landed("b" * 64))) & set(first)
    assert not set(told(frame, given, landed(member="b.csv"))) & set(first)


def test_a_record_that_stands_twice_in_a_file_is_one_event() -> None:
    frame = pl.DataFrame({"ward": ["R", "S", "R"]})
    first, second, again = told(frame, source(), landed())
    assert first == again != second


def test_the_digest_is_the_same_in_every_process() -> None:
    """It is compared with what other processes, and other versions, have written."""
    (event,) = told(pl.DataFrame({"number": ["17"]}), source("number"), landed())
    assert event.hex() == "76f55b5078a9a3fd08ecb2cdecb301c5"


def test_numbers_of_typed_files_are_ids_too() -> None:
    typed = pl.DataFrame({"number": [17, None]}, schema={"number": pl.Int64})
    text = pl.DataFrame({"number": ["17", ""]})
    assert told(typed, source("number"), landed()) == told(text, source("number"), landed())


def test_the_feed_of_messages_counts_events() -> None:
    assert SOURCE.events == ("MSH-3.1", "MSH-4.1", "MSH-10.1")
    assert SOURCE.path is not None
    assert Path(SOURCE.path).name == "messages.out.gz"
