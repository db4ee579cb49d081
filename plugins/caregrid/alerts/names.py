"""English and Chinese names of measures and services, from the seeds that the warehouse uses too."""

from __future__ import annotations

import csv
from functools import lru_cache

from caregrid.paths import SEEDS_DIR

LANGUAGES = ("en", "zh")
Words = dict[str, str]


@lru_cache(maxsize=8)
def codes(seed: str) -> dict[str, dict[str, str]]:
    """Return the rows of dbt/seeds/<seed>.csv by their first column."""
    with (SEEDS_DIR / f"{seed}.csv").open(encoding="utf-8", newline="") as file:
        return {row[seed]: row for row in csv.DictReader(file)}


def words(seed: str, code: str) -> Words:
    """Return {"en": …, "zh": …} for a code; a code without a name stands for itself."""
    row = codes(seed).get(code, {})
    return {language: row.get(f"name_{language}") or code for language in LANGUAGES}


@lru_cache(maxsize=1)
def _meanings() -> dict[tuple[str, str], Words]:
    """Return what codes mean, by code system and code, from dbt/seeds/terminology.csv."""
    with (SEEDS_DIR / "terminology.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["code_system"], row["code"]): {"en": row["meaning"], "zh": row["meaning_zh"]}
            for row in csv.DictReader(file)
        }


@lru_cache(maxsize=1)
def _systems() -> dict[tuple[str, str], str]:
    """Return the code system of each coded dimension of each feed, from dbt/seeds/code_use.csv."""
    with (SEEDS_DIR / "code_use.csv").open(encoding="utf-8", newline="") as file:
        return {(row["feed"], row["used_as"]): row["code_system"] for row in csv.DictReader(file)}


def _limit(feed: str, dimension: str, value: str, language: str, colon: str) -> str:
    """Return what one dimension limits a series to: its meaning where one is known, else the code.

    Meanings of our own are written to stand alone; a publisher's stand after the name of the dimension.
    """
    system = _systems().get((feed, dimension), f"caregrid_{dimension}")
    meaning = _meanings().get((system, value), {}).get(language)
    if meaning and system.startswith("caregrid_"):
        return meaning
    return f"{words('dimension', dimension)[language]}{colon}{meaning or value}"


def series_words(measure: str, service_or_resource: str, dimensions: dict[str, str], feed: str = "") -> Words:
    """Return what a series counts, for example "Waiting, Emergency department (Waiting for a ward bed)".

    feed: whose codes the dimensions are; without it only codes of our own have a meaning.
    """
    of, by = words("measure", measure), words("service_or_resource", service_or_resource)
    told = {}
    for language, comma, colon in (("en", ", ", ": "), ("zh", "，", "：")):
        limits = comma.join(
            _limit(feed, name, value, language, colon) for name, value in sorted(dimensions.items())
        )
        within = {"en": f" ({limits})", "zh": f"（{limits}）"}[language] if limits else ""
        told[language] = f"{of[language]}{comma}{by[language]}{within}"
    return told
