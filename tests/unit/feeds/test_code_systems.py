"""Every coded attribute of every feed names its code system; what a feed sets itself stands in it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from caregrid.feeds import load_feeds
from caregrid.paths import SEEDS_DIR

pytestmark = pytest.mark.unit

CODED = ("facility_type", "ownership", "region_code", "footnote")
# Codes at some publishers, words at others, and names that a feed writes instead of codes.
DECLARED_ONLY = ("accreditation", "region_name")
REGIONS = ("region", "province", "country")


def seed(name: str) -> list[dict[str, str]]:
    with (SEEDS_DIR / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


SYSTEM = {(row["feed"], row["used_as"]): row["code_system"] for row in seed("code_use")}
CODES = {(row["code_system"], row["code"]) for row in seed("terminology")} | {
    ("quality_measure", row["quality_measure"]) for row in seed("quality_measure")
}


def blocks(node: Any, name: str) -> Iterator[dict[str, Any]]:
    """Every mapping that stands below a node under a name."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == name and isinstance(value, dict):
                yield value
            yield from blocks(value, name)
    elif isinstance(node, list):
        for item in node:
            yield from blocks(item, name)


def resource_types(cell: Any) -> set[str]:
    """The kinds of resource that a cell can give; a plain column gives any."""
    if isinstance(cell, str):
        return set()
    return {cell["constant"]} if "constant" in cell else set(cell.get("map", {}).values())


def uses(feed: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Coded uses of a feed, each with the cell that fills it."""
    for dimensions in blocks(feed["outputs"], "dimensions"):
        yield from dimensions.items()
    for output in feed["outputs"]:
        for fields in blocks(output, "fields"):
            yield from ((name, cell) for name, cell in fields.items() if name in CODED + DECLARED_ONLY)
            if output["contract"] == "facility":
                yield from ((f"extra.{name}", cell) for name, cell in fields.get("extra", {}).items())
            elif output["contract"] == "resource":
                for kind in resource_types(fields["resource_type"]):
                    yield from ((f"{kind}.{name}", cell) for name, cell in fields.get("extra", {}).items())


FEEDS = {name: feed.data for name, feed in load_feeds().items()}
USES = {(name, use): cell for name, data in FEEDS.items() for use, cell in uses(data)}


def test_every_coded_use_names_its_system() -> None:
    axes = {row["dimension"] for row in seed("dimension")}
    coded = {(name, use) for name, use in USES if use in CODED or use in axes}
    assert len(coded) > 70
    assert coded - set(SYSTEM) == set()


def test_no_system_is_named_for_what_no_feed_has() -> None:
    assert set(SYSTEM) - set(USES) == set()


def test_every_system_named_has_codes() -> None:
    assert set(SYSTEM.values()) - {system for system, _ in CODES} == set()


def test_what_a_feed_sets_itself_stands_in_its_system() -> None:
    found = {
        (SYSTEM[name, use], str(cell["constant"]))
        for name, data in FEEDS.items()
        for use, cell in uses(data)
        if (name, use) in SYSTEM and isinstance(cell, dict) and "constant" in cell
    }
    assert len(found) > 40
    assert found - CODES == set()


def test_regions_that_a_feed_sets_itself_stand_in_their_system() -> None:
    places = [
        (place["system"], place["code"]["constant"])
        for data in FEEDS.values()
        for place in blocks(data["outputs"], "place")
        if place.get("level") in REGIONS
        and isinstance(place.get("code"), dict)
        and "constant" in place["code"]
    ]
    assert ("country", "US") in places
    assert set(places) - CODES == set()
