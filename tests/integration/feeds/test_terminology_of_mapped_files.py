"""Every code that the mapping makes of the mirror's files has its row in its own code system."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from caregrid.feeds import Feed, Source, load_feeds
from caregrid.landing.addresses import addresses
from caregrid.landing.manifest import name_in
from caregrid.mapping import inspect_file, map_batch, members, read
from caregrid.paths import SEEDS_DIR, feeds_base

MIRROR = feeds_base()
FEEDS = {name: feed for name, feed in load_feeds().items() if feed.data.get("base") != "simulated"}
ATTRIBUTES = ("facility_type", "ownership", "region_code", "accreditation")
Codes = set[tuple[str, str]]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not (MIRROR / "README.md").is_file(), reason=f"no mirror of the feeds in {MIRROR}"),
]


def seed(name: str) -> list[dict[str, str]]:
    with (SEEDS_DIR / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


SYSTEM = {(row["feed"], row["used_as"]): row["code_system"] for row in seed("code_use")}
KNOWN = {(row["code_system"], row["code"]) for row in seed("terminology")} | {
    ("quality_measure", row["quality_measure"]) for row in seed("quality_measure")
}


def some_files(feed: Feed, source: Source) -> list[Path]:
    """The first and the last file of a source: twelve months of one format add no code."""
    files = [address.path for address in addresses(feed, source) if address.path is not None]
    return sorted({files[0], files[-1]})


def mapped(feed: Feed) -> Iterator[tuple[str, pl.DataFrame]]:
    """Contract and rows of every output of a feed."""
    for source in feed.sources.values():
        for path in some_files(feed, source):
            for member in members(source, path) or [""]:
                name = name_in(path.as_uri(), member)
                context = inspect_file(feed, source, path, file_name=name, member=member)
                for batch in read(source, path, member=member):
                    for output in feed.outputs_of(source.name):
                        yield output.contract, map_batch(feed, output, batch, context).rows


def codes(contract: str, rows: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """(use, code) of the rows; regions and countries by the system that they bear."""
    if "dimensions" in rows.columns:
        for text in rows["dimensions"].unique():
            yield from ((axis, code) for axis, code in json.loads(text or "{}").items() if code is not None)
    for name in set(ATTRIBUTES) & set(rows.columns):
        yield from ((name, code) for code in rows[name].drop_nulls().unique())
    if "footnote" in rows.columns:
        for text in rows["footnote"].drop_nulls().unique():
            yield from (("footnote", code) for code in re.split(r"\s*,\s*", text.strip()) if code)
    if "extra" in rows.columns:
        kind = pl.lit("extra") if contract == "facility" else pl.col("resource_type")
        for prefix, text in rows.select(kind.alias("kind"), "extra").drop_nulls().unique().iter_rows():
            yield from (
                (f"{prefix}.{name}", value)
                for name, value in json.loads(text).items()
                if isinstance(value, str)
            )


@pytest.mark.parametrize("feed", FEEDS.values(), ids=lambda feed: feed.name)
def test_every_code_of_its_files_is_in_its_system(feed: Feed) -> None:
    found: Codes = set()
    undeclared: set[str] = set()
    rows_seen = 0
    for contract, rows in mapped(feed):
        rows_seen += rows.height
        for use, code in codes(contract, rows):
            system = SYSTEM.get((feed.name, use))
            if system is not None:
                found.add((system, code.strip()))
            elif use != "accreditation" and "." not in use:
                undeclared.add(use)
        regions = rows.filter(pl.col("place_level").is_in(["region", "province", "country"]))
        found |= set(regions.select("id_system", "code").unique().iter_rows())
    assert rows_seen
    assert undeclared == set()
    assert found - KNOWN == set()


def test_every_region_that_a_file_names_has_that_name_in_the_terminology() -> None:
    """Names of regions that stand beside their codes; what no file names is `not found`."""
    meanings = {(row["code_system"], row["code"]): row for row in seed("terminology")}
    named = 0
    for name in ("ca_quebec_emergency_now", "de_rki_icu_capacity", "it_dpc_regional", "us_nssp_flu_visits"):
        for _, rows in mapped(FEEDS[name]):
            places = rows.filter(
                pl.col("place_level").is_in(["region", "province"]) & pl.col("place_name").is_not_null()
            )
            for system, code, place_name in (
                places.select("id_system", "code", "place_name").unique().iter_rows()
            ):
                assert meanings[system, code]["meaning"] == place_name
                named += 1
    assert named >= 16 + 16 + 21 + 50


def test_every_taiwanese_county_is_named_by_the_addresses_of_its_facilities() -> None:
    """Digits 3 and 4 of the id are the county; the address begins with its name, in several spellings."""
    meanings = {
        row["code"]: row["meaning_zh"] for row in seed("terminology") if row["code_system"] == "tw_county"
    }
    rows = pl.concat(
        frame.select("region_code", "address")
        for contract, frame in mapped(FEEDS["tw_nhi_facilities"])
        if contract == "facility"
    ).drop_nulls()
    counties = (
        rows.with_columns(
            pl.col("address")
            .str.replace_all("台", "臺")
            .str.replace_all("巿", "市")
            .str.extract(r"(\p{Han}{2}[縣市])")
        )
        .drop_nulls()
        .group_by("region_code")
        .agg(pl.col("address").mode().first())
    )
    assert dict(counties.iter_rows()) == meanings
