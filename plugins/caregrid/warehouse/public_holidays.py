"""Writes the seeds public_holiday and country_week: holidays and weekends of every country that a feed is of,
as the pinned library `holidays` knows them.

The seeds are kept in the repository: a build needs no library, and a renewed library changes nothing unseen.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from caregrid.feeds import load_feeds
from caregrid.paths import SEEDS_DIR

SEED = SEEDS_DIR / "public_holiday.csv"
WEEK_SEED = SEEDS_DIR / "country_week.csv"
CHINESE_NAMES = Path(__file__).with_name("holiday_names_zh.csv")
# The years of core.dim_date.
YEARS = range(2006, 2031)
# Parts of a country that keep holidays of their own, where feeds speak of them. Others: the country's alone.
PARTS = {
    "CA": ("QC",),
    "DE": ("BB", "BE", "BW", "BY", "HB", "HE", "HH", "MV", "NI", "NW", "RP", "SH", "SL", "SN", "ST", "TH"),
    "GB": ("ENG", "NIR", "SCT", "WLS"),
}
COLUMNS = ("country_code", "date", "kind", "name_en", "name_local", "name_zh", "parts")
# A part whose people speak another language than most of the country.
LANGUAGES = {("CA", "QC"): "fr"}
# A Saturday or Sunday that is worked for a day off elsewhere; the library knows the day, not a name for it.
MADE_UP_FOR = {"name_en": "Make-up working day", "name_local": "補行上班日", "name_zh": "补行上班日"}
OBSERVED = " (observed)"

Names = dict[str, str]


def write_seeds() -> list[Path]:
    """Write the seeds anew and return their paths."""
    SEED.write_text(seed_text(), encoding="utf-8")
    WEEK_SEED.write_text(week_seed_text(), encoding="utf-8")
    return [SEED, WEEK_SEED]


def week_seed_text() -> str:
    """Return the weekends as ISO weekdays: in Hong Kong the law knows Sunday alone."""
    rows = [
        (country, " ".join(str(day + 1) for day in sorted(_library(country, None, None).weekend)))
        for country in countries()
    ]
    return "".join(f"{country},{days}\n" for country, days in [("country_code", "weekend_days"), *rows])


def seed_text() -> str:
    """Return the holidays as the library of this environment makes it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for country in countries():
        writer.writerows(sorted(_rows(country), key=lambda row: row["date"]))
    return out.getvalue()


def countries() -> list[str]:
    """Return the countries of all feeds, as ISO 3166 codes, in order."""
    return sorted({str(feed.data["country"]) for feed in load_feeds().values()})


def _rows(country: str) -> Iterator[Names]:
    everywhere = _calendar(country)
    for day, names in everywhere.items():
        yield {"country_code": country, "date": day.isoformat(), "kind": "holiday", **names, "parts": ""}
    for day in _library(country, None, "en_US").weekend_workdays:
        if day.year in YEARS:
            made_up = {"country_code": country, "date": day.isoformat(), "kind": "working_weekend"}
            yield {**made_up, **MADE_UP_FOR, "parts": ""}
    partly: dict[date, dict[str, Names]] = {}
    for part in PARTS.get(country, ()):
        for day, names in _calendar(country, part).items():
            if day not in everywhere:
                partly.setdefault(day, {})[part] = names
    for day, by_part in partly.items():
        told = {
            column: "; ".join(sorted({names[column] for names in by_part.values()}))
            for column in ("name_en", "name_local", "name_zh")
        }
        yield {
            "country_code": country, "date": day.isoformat(), "kind": "holiday", **told,
            "parts": " ".join(sorted(by_part)),
        }  # fmt: skip


def _calendar(country: str, part: str | None = None) -> dict[date, Names]:
    """Return the holidays of a country or one part of it: day → names."""
    english = _library(country, part, "en_US")
    local = _library(country, part, LANGUAGES.get((country, part or ""), english.default_language))
    chinese = _library(country, part, "zh_CN") if "zh_CN" in english.supported_languages else None
    return {
        day: {
            "name_en": "; ".join(english.get_list(day)),
            "name_local": "; ".join(local.get_list(day)),
            "name_zh": "; ".join(chinese.get_list(day))
            if chinese is not None
            else "; ".join(_chinese(name) for name in english.get_list(day)),
        }
        for day in english
        if day.year in YEARS
    }


def _library(country: str, part: str | None, language: str | None) -> Any:
    import holidays

    return holidays.country_holidays(country, subdiv=part, years=YEARS, language=language)


def _chinese(english: str) -> str:
    """Return the Chinese name of a holiday of a country that the library has no Chinese for.

    Raises:
        KeyError: the list of names lacks it; a new holiday of the library has to be named there first.
    """
    name = english.removesuffix(OBSERVED)
    return _chinese_names()[name] + ("（补假）" if name != english else "")


@cache
def _chinese_names() -> dict[str, str]:
    with CHINESE_NAMES.open(encoding="utf-8", newline="") as stream:
        return {row["name_en"]: row["name_zh"] for row in csv.DictReader(stream)}
