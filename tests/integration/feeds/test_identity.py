"""How well the rules find one hospital in two registries: on labelled pairs, and by the contract's figure.

The figures of docs/identity.md are the ones computed here.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from caregrid.paths import ROOT, feeds_base
from caregrid.warehouse.pairs import Place, find_pairs

MIRROR = feeds_base()
DATA = ROOT / "tests" / "data" / "identity"
PAGE = ROOT / "docs" / "identity.md"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (MIRROR / "us_hifld_hospitals").is_dir(), reason=f"no mirror of the feeds in {MIRROR}"
    ),
]


def module(name: str) -> ModuleType:
    """Load a program that lies beside the labels."""
    spec = importlib.util.spec_from_file_location(f"identity_{name}", DATA / f"{name}.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by name
    import sys

    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


sample, estimate = module("sample"), module("estimate")


class Found(NamedTuple):
    """Pairs (number at CMS, number at HIFLD) that the rules match, and those they at least list."""

    matched: set[tuple[str, str]]
    listed: set[tuple[str, str]]


@pytest.fixture(scope="module")
def found(mapped_file: Callable[..., Any]) -> Found:
    """The rules on both registers as the product maps them."""
    places: list[Place] = []
    for feed, file in (("us_cms_hospitals", sample.CMS), ("us_hifld_hospitals", sample.HIFLD)):
        for row in mapped_file(feed, "facilities", file)[0].iter_rows(named=True):
            places.append(
                Place(
                    place_id=len(places) + 1, id_system=row["id_system"], code=row["code"], name=row["name"],
                    country=row["country_code"], region=row["region_code"], postal_code=row["postal_code"],
                    address=row["address"], phone=row["phone"],
                )
            )  # fmt: skip
    code = {place.place_id: (place.id_system, place.code) for place in places}
    matched: set[tuple[str, str]] = set()
    listed: set[tuple[str, str]] = set()
    for pair, verdict in find_pairs(places).items():
        (system, one), (other_system, other) = sorted(code[place_id] for place_id in pair)
        if (system, other_system) == ("us_ccn", "us_hifld"):
            listed.add((one, other))
            if verdict.status == "matched":
                matched.add((one, other))
    return Found(matched, listed)


@pytest.fixture(scope="module")
def universe() -> dict[str, list[tuple[str, str]]]:
    pairs: dict[str, list[tuple[str, str]]] = sample.universe(MIRROR)
    return pairs


def test_the_labels_are_those_of_the_sample(universe: dict[str, list[tuple[str, str]]]) -> None:
    drawn = sample.draw(MIRROR)
    given = estimate.labels()
    assert len(drawn) == len(given) == 200
    assert {pair for _, pair in drawn} == set(given)
    assert set(given.values()) == {"same", "different", "unsure"}
    told = {
        name.strip(): (int(size.replace(",", "")), int(number))
        for name, size, number in re.findall(
            r"^\| (.+?) \| ([\d,]+) \| (\d+) \|$", PAGE.read_text(), flags=re.M
        )
    }
    assert told == {what: (len(universe[name]), number) for name, (what, number) in sample.STRATA.items()}


def test_all_that_the_rules_name_is_in_what_was_sampled(
    found: Found, universe: dict[str, list[tuple[str, str]]]
) -> None:
    """Else a wrong pair could hide where no label can find it."""
    sampled = {pair for pairs in universe.values() for pair in pairs}
    assert found.matched <= sampled
    assert f"{len(found.listed - sampled)} listed pairs lie in none" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("verdict", ["matched", "listed"])
def test_precision_and_recall_are_as_the_page_tells(
    found: Found, universe: dict[str, list[tuple[str, str]]], verdict: str
) -> None:
    result = estimate.estimate(universe, getattr(found, verdict))
    assert not result.found["different", True], "a pair labelled different is named"
    row = f"| now | {verdict} | {len(getattr(found, verdict)):,} | {result.precision} | {result.recall} |"
    assert row in PAGE.read_text(encoding="utf-8"), row


def test_the_figure_of_the_contract_counts_other_pairs() -> None:
    """It counts hospitals of CMS with any in their state of the same name or address, punctuation aside."""
    cms, hifld = sample.read(MIRROR)

    def bare(text: str) -> str:
        return re.sub(r"[^A-Z0-9 ]", "", re.sub(r"\s+", " ", text.upper()).strip()).strip()

    names = {(row["STATE"], bare(row["NAME"])) for row in hifld}
    addresses = {(row["STATE"], bare(row["ADDRESS"])) for row in hifld}
    either = [
        row
        for row in cms
        if (row["State"], bare(row["Facility Name"])) in names
        or (row["State"], bare(row["Address"])) in addresses
    ]
    assert f"{len(either):,} of {len(cms):,}" in PAGE.read_text(encoding="utf-8")
