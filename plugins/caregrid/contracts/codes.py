"""The code lists that feeds may use, read from the seeds of the warehouse: one place for both."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache

from caregrid.paths import SEEDS_DIR

USAGE_GRAINS = ("instant", "hour", "day", "week", "month", "quarter", "year", "interval")
PLACE_LEVELS = ("facility", "department", "organisation", "region", "province", "country", "panel")
VALUE_STATUSES = ("reported", "missing", "suppressed", "not_applicable")


@dataclass(frozen=True)
class Measure:
    """One row of measure.csv. kind: stock | flow | ratio | duration | state."""

    code: str
    unit: str
    kind: str
    statistics: tuple[str, ...]


@lru_cache(maxsize=1)
def measures() -> dict[str, Measure]:
    """Return every usage measure by code."""
    return {
        row["measure"]: Measure(row["measure"], row["unit"], row["kind"], tuple(row["statistics"].split("|")))
        for row in _rows("measure")
    }


@lru_cache(maxsize=1)
def services_and_resources() -> dict[str, str]:
    """Return every service or resource code with its kind (service | resource)."""
    return {row["service_or_resource"]: row["kind"] for row in _rows("service_or_resource")}


@lru_cache(maxsize=1)
def dimensions() -> frozenset[str]:
    """Return the axes that a usage or quality value may be broken down by."""
    return frozenset(row["dimension"] for row in _rows("dimension"))


def _rows(seed: str) -> list[dict[str, str]]:
    with (SEEDS_DIR / f"{seed}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
