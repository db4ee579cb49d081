"""Every code that occurs in the European files stands in the terminology seed."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache

import polars as pl
import pytest
from caregrid.paths import SEEDS_DIR, feeds_base

MIRROR = feeds_base()
pytestmark = pytest.mark.integration
needs_mirror = pytest.mark.skipif(
    not (MIRROR / "uk_scotland_ae_beds").is_dir(), reason=f"no mirror of the feeds in {MIRROR}"
)
SCOTLAND = "uk_scotland_ae_beds"
BEDS = f"{SCOTLAND}/beds_by_nhs_board_of_treatment_and_specialty.csv"
DELAYS = f"{SCOTLAND}/delayed-discharge-beddays-health-board.csv"
MONTHLY = f"{SCOTLAND}/monthly_ae_activity_202305.csv"
REGISTER = "de_rki_icu_capacity/Intensivregister"
VISITS = "de_rki_ed_surveillance/union"


@cache
def terminology() -> dict[str, dict[str, dict[str, str]]]:
    """Return the seed by system and code."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    with (SEEDS_DIR / "terminology.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            found.setdefault(row["code_system"], {})[row["code"]] = row
    return found


def column(file: str, name: str) -> set[str]:
    """Return the distinct values of a column."""
    return set(pl.read_csv(MIRROR / file, infer_schema=False)[name].drop_nulls().unique().to_list())


def specialties() -> set[str]:
    """Return codes of specialties, and the names of those that have none."""
    beds = pl.read_csv(MIRROR / BEDS, infer_schema=False)
    return set(beds.select(pl.coalesce("Specialty", "SpecialtyName")).to_series().unique().to_list())


@needs_mirror
@pytest.mark.parametrize(
    ("system", "codes"),
    [
        ("phs_health_board", lambda: column(BEDS, "HB") | column(DELAYS, "HBT") | column(MONTHLY, "HBT")),
        ("phs_specialty", specialties),
        ("phs_reason_for_delay", lambda: column(DELAYS, "ReasonForDelay")),
        ("phs_age_group", lambda: column(DELAYS, "AgeGroup")),
        ("phs_department_type", lambda: column(MONTHLY, "DepartmentType")),
        (
            "phs_qf",
            lambda: (
                column(BEDS, "QuarterQF") | column(BEDS, "LocationQF") | column(BEDS, "PercentageOccupancyQF")
            ),
        ),
        ("nhs_emergency_type", lambda: column("uk_nhsr_datasets/ae_attendances.csv", "type")),
        ("de_ags", lambda: column(f"{REGISTER}_Bundeslaender_Kapazitaeten.csv", "bundesland_id")),
        (
            "rki_treatment_group",
            lambda: column(f"{REGISTER}_Deutschland_Kapazitaeten.csv", "behandlungsgruppe_level_2"),
        ),
        (
            "rki_care_level",
            lambda: column(f"{REGISTER}_Deutschland_Versorgungsstufen.csv", "versorgungsstufe"),
        ),
        ("rki_ed_age", lambda: column(f"{VISITS}_Alter_latest.csv", "age")),
        ("rki_ed_triage", lambda: column(f"{VISITS}_Dringlichkeit_latest.csv", "triage")),
        ("rki_ed_cedis_group", lambda: column(f"{VISITS}_CEDIS_latest.csv", "cedis_group")),
        ("rki_ed_syndrome", lambda: column(f"{VISITS}_Syndrome_latest.csv", "syndrome")),
        ("it_region", lambda: column("it_dpc_regional/dpc-covid19-ita-regioni.csv", "codice_regione")),
    ],
)
def test_every_code_of_the_files_is_in_the_seed(system: str, codes: Callable[[], set[str]]) -> None:
    found = codes()
    assert found
    assert found <= set(terminology()[system])


def test_a_code_has_a_meaning_or_says_that_none_was_found() -> None:
    for system, codes in terminology().items():
        for code, row in codes.items():
            assert (row["source"] == "not found") == (row["meaning"] + row["meaning_zh"] == ""), (
                system,
                code,
            )
