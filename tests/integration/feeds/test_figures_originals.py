"""The publishers' own JSON files give the same rows as the tables that an archive made of them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from caregrid.feeds import load_feed
from caregrid.mapping import inspect_file, map_batch, members, read
from caregrid.paths import feeds_base

MIRROR = feeds_base()
ANSWERS = "tw_nhi_er_realtime/as_published_2025-12-24.tar.gz"
SAMPLES = "tw_nhi_facilities/as_published_samples.tar.gz"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not (MIRROR / ANSWERS).is_file(), reason=f"no mirror of the feeds in {MIRROR}"),
]
# What is the same of a row, whichever file it came from.
OF_USAGE = ["code", "measure", "dimensions", "period_start", "known_at", "value", "value_status"]


def mapped(feed_name: str, source_name: str, output_name: str, file: str) -> pl.DataFrame:
    """Map every member of an archive; nothing may be rejected."""
    feed = load_feed(feed_name)
    source = feed.sources[source_name]
    output = next(output for output in feed.outputs if output.name == output_name)
    frames = []
    for member in members(source, MIRROR / file):
        context = inspect_file(feed, source, MIRROR / file, file_name=f"{file}/{member}", member=member)
        for batch in read(source, MIRROR / file, member=member):
            part = map_batch(feed, output, batch, context)
            assert (batch.rejects, part.rejects) == ([], [])
            frames.append(part.rows)
    return pl.concat(frames)


def test_seventy_two_answers_hold_what_the_monthly_file_says_of_their_fetches() -> None:
    rows = mapped("tw_nhi_er_realtime", "answers", "emergency", ANSWERS)
    with tarfile.open(MIRROR / ANSWERS) as archive:
        documents = {
            member.name: json.load(archive.extractfile(member))  # type: ignore[arg-type]
            for member in archive
            if member.isfile()
        }
    assert len(documents) == 72
    assert rows.height == 5 * sum(len(document["data"]) for document in documents.values()) == 20_520
    fetched = {f"{name[:13]}:{name[13:15]}:{name[15:17]}+08:00" for name in documents}
    with gzip.open(MIRROR / "tw_nhi_er_realtime/er_2025-12.csv.gz", "rt", encoding="utf-8") as file:
        told = [row for row in csv.DictReader(file) if row["fetched_at"] in fetched]
    assert {row["fetched_at"] for row in told} == fetched
    for column, waits_for in (("waiT_SEE_CNT", "to_be_seen"), ("waiT_GENERAL_CNT", "ward_bed")):
        mine = rows.filter(pl.col("dimensions") == json.dumps({"waiting_for": waits_for}))
        expected = sorted((row["fetched_at"], row["hosP_ID"], row[column]) for row in told)
        local = mine["known_at"].dt.convert_time_zone("Asia/Taipei").dt.strftime("%Y-%m-%dT%H:%M:%S+08:00")
        counts = ["" if value is None else str(int(value)) for value in mine["value"]]
        assert sorted(zip(local, mine["code"], counts, strict=True)) == expected


def test_the_answers_are_the_same_rows_as_the_monthly_file(mapped_file: Callable[..., Any]) -> None:
    rows = mapped("tw_nhi_er_realtime", "answers", "emergency", ANSWERS).select(OF_USAGE)
    monthly, *_ = mapped_file("tw_nhi_er_realtime", "emergency", "tw_nhi_er_realtime/er_2025-12.csv.gz")
    same = monthly.select(OF_USAGE).filter(pl.col("known_at").is_in(rows["known_at"].unique().implode()))
    assert same.sort(OF_USAGE).equals(rows.sort(OF_USAGE))


@pytest.mark.parametrize(
    ("source", "output", "table", "count"),
    [
        ("originals_2024", "facilities_2024", "tw_nhi_facilities/facilities_2024-05-13.jsonl.gz", 29),
        (
            "originals_2017",
            "facilities_2017_originals",
            "tw_nhi_facilities/facilities_2017-10-13.jsonl.gz",
            30,
        ),
    ],
)
def test_a_facility_of_its_own_file_is_the_one_of_the_list(
    mapped_file: Callable[..., Any], source: str, output: str, table: str, count: int
) -> None:
    mine = mapped("tw_nhi_facilities", source, output, SAMPLES).drop("line")
    assert mine.height == count
    listed, *_ = mapped_file("tw_nhi_facilities", output.removesuffix("_originals"), table)
    same = listed.filter(pl.col("code").is_in(mine["code"].implode())).drop("line")
    assert same.sort("code").to_dicts() == mine.sort("code").to_dicts()
    # The one coordinate of the 2017 files is the publisher's building and is in neither.
    assert mine["latitude"].null_count() == (count if "2017" in source else 0)


def test_the_samples_are_read_by_the_standard_library_too() -> None:
    rows = mapped("tw_nhi_facilities", "originals_2024", "facilities_2024", SAMPLES)
    with tarfile.open(fileobj=io.BytesIO((MIRROR / SAMPLES).read_bytes())) as archive:
        documents = [
            json.load(archive.extractfile(member))  # type: ignore[arg-type]
            for member in archive
            if member.isfile() and member.name.startswith("2024/")
        ]
    assert {row["hosP_ID"]: row["hosP_NAME"] for row in documents} == dict(
        zip(rows["code"], rows["name"], strict=True)
    )
