"""Every code that occurs in the American and Taiwanese files stands in the terminology seed."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from functools import cache

import pytest
from caregrid.paths import SEEDS_DIR, feeds_base

MIRROR = feeds_base()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (MIRROR / "us_hifld_hospitals").is_dir(), reason=f"no mirror of the feeds in {MIRROR}"
    ),
]
CMS = "us_cms_general_info_2026/Hospital_General_Information.csv"
CMS_2021 = "us_cms_2021_hvbp/Hospital_General_Information.csv"
READMISSIONS = "us_cms_general_info_2026/Hospital_Readmissions_Reduction_Program_Hospital.csv"
SPENDING = "us_cms_mspb_2026/Medicare_Hospital_Spending_Per_Patient-Hospital.csv"
HIFLD = "us_hifld_hospitals/Hospitals.csv"
BEDS = "tw_mohw_hospital_beds_2015/Hospital-BedSize.csv.gz"
MISSING = {"", "NOT AVAILABLE", "Not Available", "-999", "NULL", "-"}


def column(file: str, *names: str, encoding: str = "utf-8-sig") -> set[str]:
    """Return the distinct values of columns whose names contain one of the words."""
    path = MIRROR / file
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = csv.DictReader(io.StringIO(raw.decode(encoding), newline=""))
    return {
        value.strip() for row in rows for name, value in row.items() if any(word in name for word in names)
    } - MISSING


def registry(year: str, key: str) -> set[str]:
    """Return the distinct values of one key of a vintage of the Taiwanese registry."""
    files = list((MIRROR / "tw_nhi_facilities").glob(f"facilities_{year}-*.jsonl.gz"))
    return {json.loads(line)[key] or "" for line in gzip.open(files[0], "rt", encoding="utf-8")} - MISSING


@cache
def terminology() -> dict[str, dict[str, dict[str, str]]]:
    """Return the seed by system and code."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    with (SEEDS_DIR / "terminology.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            found.setdefault(row["code_system"], {})[row["code"]] = row
    return found


@pytest.mark.parametrize(
    ("system", "codes"),
    [
        (
            "cms_footnote",
            lambda: (
                column(CMS, "ootnote")
                | column(CMS_2021, "ootnote")
                | column(READMISSIONS, "Footnote")
                | column(SPENDING, "Footnote")
            ),
        ),
        ("cms_hospital_type", lambda: column(CMS, "Hospital Type") | column(CMS_2021, "Hospital Type")),
        ("cms_ownership", lambda: column(CMS, "Hospital Ownership") | column(CMS_2021, "Hospital Ownership")),
        ("us_state", lambda: column(CMS, "State") | column(HIFLD, "STATE") - column(HIFLD, "STATE_ID")),
        ("hifld_type", lambda: column(HIFLD, "TYPE")),
        ("hifld_owner", lambda: column(HIFLD, "OWNER")),
        ("hifld_trauma", lambda: column(HIFLD, "TRAUMA")),
        ("hifld_country", lambda: column(HIFLD, "COUNTRY")),
        ("us_naics", lambda: column(HIFLD, "NAICS_CODE")),
        (
            "us_fips_state",
            lambda: (
                column("us_nssp_flu_ed_visits/target-ed-visits-prop_2025-11-15.csv.gz", "location")
                - column("us_nssp_flu_ed_visits/target-ed-visits-prop_2025-11-15.csv.gz", "location_name")
                | {"US"}
            ),
        ),
        ("ca_qc_rss", lambda: column("ca_quebec_er_snapshot/urgence_time.csv", "RSS", encoding="latin-1")),
        ("tw_mohw_bed_kind", lambda: column(BEDS, "病床名稱", encoding="utf-16")),
        ("tw_mohw_bed_class", lambda: column(BEDS, "病床類別", encoding="utf-16")),
        ("tw_nhi_service", lambda: column("tw_mohw_hospital_beds_2015/service.csv.gz", "機構服務項目代碼")),
        ("tw_nhi_specialty", lambda: column("tw_mohw_hospital_beds_2015/detafunc.csv.gz", "診療科別")),
        ("tw_nhi_facility_type", lambda: registry("2017", "type") | registry("2024", "hosP_CNT_TYPE")),
        (
            "tw_county",
            lambda: {code[2:4] for code in registry("2024", "hosP_ID") | registry("2017", "nhi_id")},
        ),
        ("tw_nhi_contract_type", lambda: column("tw_nhi_er_realtime/er_2025-02.csv.gz", "conT_TYPE")),
    ],
)
def test_every_code_is_in_the_seed(system: str, codes: Callable[[], set[str]]) -> None:
    found = codes()
    assert found
    assert found <= set(terminology()[system])


def test_a_meaning_has_a_source_and_no_source_no_meaning() -> None:
    for system, codes in terminology().items():
        for code, row in codes.items():
            assert row["source"], (system, code)
            assert row["source"] != "not found" or not row["meaning"], (system, code)
