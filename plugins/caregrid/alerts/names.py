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
    """Return what the values of our own dimensions mean, from dbt/seeds/terminology.csv."""
    with (SEEDS_DIR / "terminology.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["code_system"], row["code"]): {"en": row["meaning"], "zh": row["meaning_zh"]}
            for row in csv.DictReader(file)
            if row["code_system"].startswith("caregrid_")
        }


def _limit(dimension: str, value: str, language: str, colon: str) -> str:
    """Return what one dimension limits a series to: its meaning where one is known, else name and value."""
    meaning = _meanings().get((f"caregrid_{dimension}", value), {}).get(language)
    return meaning or f"{words('dimension', dimension)[language]}{colon}{value}"


def series_words(measure: str, service_or_resource: str, dimensions: dict[str, str]) -> Words:
    """Return what a series counts, for example "Waiting, Emergency department (Waiting for a ward bed)"."""
    of, by = words("measure", measure), words("service_or_resource", service_or_resource)
    told = {}
    for language, comma, colon in (("en", ", ", ": "), ("zh", "，", "：")):
        limits = comma.join(
            _limit(name, value, language, colon) for name, value in sorted(dimensions.items())
        )
        within = {"en": f" ({limits})", "zh": f"（{limits}）"}[language] if limits else ""
        told[language] = f"{of[language]}{comma}{by[language]}{within}"
    return told
