"""Draws the pairs of CMS and HIFLD hospitals that were labelled by hand, from the publishers' files alone.

It knows nothing of the product's matching: strata are what a reader sees of two records, so that a change of
the rules cannot change the sample. `python tests/data/identity/sample.py MIRROR` prints the pairs with what
both files say of them; how they were then judged stands in labels.csv beside this file.
"""

from __future__ import annotations

import csv
import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CMS = "us_cms_general_info_2026/Hospital_General_Information.csv"
HIFLD = "us_hifld_hospitals/Hospitals.csv"
SEED = 20251125
# Stratum: (what it is, how many are drawn). A pair belongs to the first that it fits.
STRATA = {
    "name_zip": ("the same name and ZIP", 40),
    "address_zip": ("the same address and ZIP under another name", 40),
    "name_state": ("the same name in one state at another ZIP", 30),
    "phone": ("the same telephone number alone", 30),
    "like_name_near": ("a like name (half of the words shared) in one ZIP or city", 40),
    "zip_left": ("one ZIP and nothing else, for hospitals of CMS that stand in no pair above", 12),
    "like_name_far_left": ("a like name elsewhere in the state, for those that are still left", 8),
}
Pair = tuple[str, str]
Record = dict[str, str]


class Side(NamedTuple):
    """What is compared of one record, spelt plainly."""

    code: str
    name: str
    address: str
    city: str
    state: str
    zip: str
    phone: str
    words: frozenset[str]


def plain(text: str) -> str:
    """Return capital letters and digits, single spaces between."""
    return " ".join(re.findall(r"[A-Z0-9]+", text.upper().replace("'", "")))


def read(mirror: Path) -> tuple[list[Record], list[Record]]:
    """Return the records of CMS and of HIFLD."""
    found = []
    for file in (CMS, HIFLD):
        with (mirror / file).open(encoding="utf-8-sig", newline="") as stream:
            found.append(list(csv.DictReader(stream)))
    return found[0], found[1]


def side(
    record: Record, code: str, name: str, address: str, city: str, state: str, zip_: str, phone: str
) -> Side:
    words = frozenset(plain(record[name]).split()) - {"THE", "OF", "AND", "AT", "INC", "LLC"}
    digits = re.sub(r"\D", "", record[phone])
    return Side(
        record[code], plain(record[name]), plain(record[address]), plain(record[city]), record[state],
        record[zip_].rjust(5, "0")[:5], digits if len(digits) == 10 else "", words,
    )  # fmt: skip


def sides(mirror: Path) -> tuple[list[Side], list[Side]]:
    """Return both registers as they are compared."""
    cms, hifld = read(mirror)
    return (
        [
            side(
                record, "Facility ID", "Facility Name", "Address", "City/Town", "State", "ZIP Code",
                "Telephone Number",
            )
            for record in cms
        ],
        [side(record, "ID", "NAME", "ADDRESS", "CITY", "STATE", "ZIP", "TELEPHONE") for record in hifld],
    )  # fmt: skip


def stratum(one: Side, other: Side) -> str | None:
    """Return the stratum of a pair of one state, or None; a stratum `…_left` is for those that are left."""
    same_zip = one.zip == other.zip
    like = len(one.words & other.words) / max(1, len(one.words | other.words)) >= 0.5
    if one.name == other.name:
        return "name_zip" if same_zip else "name_state"
    if same_zip and one.address == other.address:
        return "address_zip"
    if one.phone and one.phone == other.phone:
        return "phone"
    if like:
        return "like_name_near" if same_zip or one.city == other.city else "like_name_far_left"
    return "zip_left" if same_zip else None


def universe(mirror: Path) -> dict[str, list[Pair]]:
    """Return every comparable pair by stratum, in order."""
    cms, hifld = sides(mirror)
    by_state: dict[str, list[Side]] = defaultdict(list)
    for other in hifld:
        by_state[other.state].append(other)
    found: dict[str, list[Pair]] = {name: [] for name in STRATA}
    for one in cms:
        for other in by_state[one.state]:
            name = stratum(one, other)
            if name:
                found[name].append((one.code, other.code))
    compared: set[str] = set()
    for name, pairs in found.items():
        if name.endswith("_left"):
            pairs[:] = [pair for pair in pairs if pair[0] not in compared]
        compared |= {one for one, _ in pairs}
    return {name: sorted(pairs) for name, pairs in found.items()}


def draw(mirror: Path) -> list[tuple[str, Pair]]:
    """Return (stratum, pair) of the sample, shuffled so that whoever labels cannot guess the stratum."""
    chance = random.Random(SEED)
    drawn = [
        (name, pair)
        for name, pairs in universe(mirror).items()
        for pair in chance.sample(pairs, STRATA[name][1])
    ]
    chance.shuffle(drawn)
    return drawn


def _told(mirror: Path) -> Iterator[str]:
    cms, hifld = read(mirror)
    ours = {record["Facility ID"]: record for record in cms}
    theirs = {record["ID"]: record for record in hifld}
    for number, (_, (one, other)) in enumerate(draw(mirror), start=1):
        left, right = ours[one], theirs[other]
        yield f"{number} {one} {other}"
        yield "  C " + " | ".join(
            left[name] for name in ("Facility Name", "Address", "City/Town", "ZIP Code", "County/Parish",
                                    "Telephone Number", "Hospital Type", "Hospital Ownership")
        )  # fmt: skip
        yield "  H " + " | ".join(
            right[name] for name in ("NAME", "ALT_NAME", "ADDRESS", "CITY", "ZIP", "COUNTY", "TELEPHONE",
                                     "TYPE", "OWNER", "STATUS", "BEDS", "WEBSITE")
        )  # fmt: skip


if __name__ == "__main__":
    print(*_told(Path(sys.argv[1])), sep="\n")
