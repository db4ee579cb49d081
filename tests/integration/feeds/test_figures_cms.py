"""Figures of the CMS feed, mapped, against the standard library reading the same files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from caregrid.paths import SEEDS_DIR, feeds_base

MIRROR = feeds_base()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (MIRROR / "us_hifld_hospitals").is_dir(), reason=f"no mirror of the feeds in {MIRROR}"
    ),
]


def test_cms_ratings_keep_footnotes_and_missing_stars(
    mapped_file: Callable[..., Any], records: Callable[..., Any]
) -> None:
    file = "us_cms_general_info_2026/Hospital_General_Information.csv"
    rows, rejects, _, received = mapped_file("us_cms_hospitals", "ratings", file)
    told = list(records(file))
    assert (received, rejects, rows.height) == (5_381, [], 5_381 * 15)
    stars = rows.filter(pl.col("measure") == "CMS_OVERALL_RATING")
    given = [int(row["Hospital overall rating"]) for row in told if row["Hospital overall rating"].isdigit()]
    assert stars["value"].sum() == sum(given)
    assert stars["value"].drop_nulls().len() == len(given) == 2_872
    assert stars.filter(pl.col("footnote") == "16").height == 1_688
    worse = rows.filter(pl.col("measure") == "CMS_READM_WORSE")
    assert worse["numerator"].sum() == sum(
        int(row["Count of READM Measures Worse"])
        for row in told
        if row["Count of READM Measures Worse"].isdigit()
    )
    first = worse.filter(pl.col("code") == "010001").row(0, named=True)
    assert (first["numerator"], first["denominator"], first["value"]) == (0.0, 11.0, 0.0)


def test_cms_register_reads_the_renamed_columns_of_both_vintages(
    mapped_file: Callable[..., Any], records: Callable[..., Any]
) -> None:
    files = (
        "us_cms_2021_hvbp/Hospital_General_Information.csv",
        "us_cms_general_info_2026/Hospital_General_Information.csv",
    )
    old, new = (mapped_file("us_cms_hospitals", "facilities", file)[0] for file in files)
    assert (old.height, new.height) == (5_336, 5_381)
    for frame, file, city, county, phone in (
        (old, files[0], "City", "County Name", "Phone Number"),
        (new, files[1], "City/Town", "County/Parish", "Telephone Number"),
    ):
        told = {row["Facility ID"]: (row[city], row[county], row[phone]) for row in records(file)}
        assert {
            code: rest for code, *rest in frame.select("code", "city", "county_name", "phone").iter_rows()
        } == {code: list(rest) for code, rest in told.items()}
    assert (
        new.filter(~pl.col("code").str.contains(r"^\d+$")).height
        == sum(not row["Facility ID"].isdigit() for row in records(files[1]))
        == 164
    )


def test_cms_readmissions_give_the_ratio_where_the_parts_are_suppressed(
    mapped_file: Callable[..., Any], records: Callable[..., Any]
) -> None:
    file = "us_cms_general_info_2026/Hospital_Readmissions_Reduction_Program_Hospital.csv"
    rows, rejects, _, received = mapped_file("us_cms_hospitals", "readmissions", file)
    assert (received, rejects, rows.height) == (18_510, [], 37_020)
    ratio = rows.filter(~pl.col("measure").str.ends_with("PREDICTED"))
    bare = ratio.filter((pl.col("value_status") == "reported") & (pl.col("numerator_status") == "suppressed"))
    assert (
        bare.height
        == sum(row["Number of Readmissions"] == "Too Few to Report" for row in records(file))
        == 3_806
    )
    assert set(bare["denominator_status"]) == {"missing"}
    told = [
        float(row["Excess Readmission Ratio"])
        for row in records(file)
        if row["Excess Readmission Ratio"] != "N/A"
    ]
    assert ratio["value"].sum() == pytest.approx(sum(told))
    assert len(told) == 11_927
    assert ratio.select("period_start", "period_end").unique().rows() == [
        (datetime(2020, 7, 1, 4, tzinfo=UTC), datetime(2023, 7, 1, 4, tzinfo=UTC))
    ]


def test_cms_inpatients_survive_mark_and_windows_bytes(mapped_file: Callable[..., Any]) -> None:
    file = "us_cms_general_info_2026/Medicare_IP_Hospitals_by_Provider_2023.csv"
    rows, rejects, _, received = mapped_file("us_cms_hospitals", "medicare_inpatients", file)
    raw = (MIRROR / file).read_bytes().removeprefix(b"\xef\xbb\xbf").decode("windows-1252")
    told = list(csv.DictReader(io.StringIO(raw)))
    assert (received, rejects) == (len(told), []) == (3_093, [])
    assert rows.filter(pl.col("measure") == "discharges")["value"].sum() == sum(
        int(row["Tot_Dschrgs"].replace(",", "")) for row in told
    )
    assert "Uci Health – Los Alamitos" in set(rows["place_name"])


def test_cms_scores_and_national_rates(mapped_file: Callable[..., Any], records: Callable[..., Any]) -> None:
    scores, rejects, _, received = mapped_file(
        "us_cms_hospitals", "purchasing", "us_cms_2021_hvbp/hvbp_tps.csv"
    )
    assert (received, rejects) == (2_676, [])
    total = scores.filter(pl.col("measure") == "HVBP_TOTAL")
    told = [float(row["Total Performance Score"]) for row in records("us_cms_2021_hvbp/hvbp_tps.csv")]
    assert total["value"].mean() == pytest.approx(sum(told) / len(told))
    assert (
        scores.filter((pl.col("measure") == "HVBP_SAFETY") & (pl.col("value_status") == "missing")).height
        == 507
    )
    spending, *_ = mapped_file(
        "us_cms_hospitals", "spending", "us_cms_mspb_2026/Medicare_Hospital_Spending_Per_Patient-Hospital.csv"
    )
    assert spending.filter(pl.col("value_status") == "reported").height == 4_627 - 1_728
    national, *_ = mapped_file(
        "us_cms_hospitals", "national_rates", "us_cms_mspb_2026/Unplanned_Hospital_Visits-National.csv"
    )
    assert set(national["place_level"]) == {"country"}
    assert national.height == 14
    assert national.filter(pl.col("value_status") == "not_applicable").height == 4
    assert national.filter(pl.col("measure") == "READM_30_HF")["value"].to_list() == [19.7]


def test_cms_measures_are_those_of_the_seed(mapped_file: Callable[..., Any]) -> None:
    with (SEEDS_DIR / "quality_measure.csv").open(encoding="utf-8", newline="") as stream:
        seed = {
            row["quality_measure"]: (row["value_kind"], row["unit"], row["improvement_direction"])
            for row in csv.DictReader(stream)
        }
    files = {
        "ratings": "us_cms_general_info_2026/Hospital_General_Information.csv",
        "purchasing": "us_cms_2021_hvbp/hvbp_tps.csv",
        "readmissions": "us_cms_general_info_2026/Hospital_Readmissions_Reduction_Program_Hospital.csv",
        "spending": "us_cms_mspb_2026/Medicare_Hospital_Spending_Per_Patient-Hospital.csv",
        "national_rates": "us_cms_mspb_2026/Unplanned_Hospital_Visits-National.csv",
        "national_comparison": "us_cms_mspb_2026/Unplanned_Hospital_Visits-National.csv",
    }
    mapped = {
        measure: tuple(rest)
        for output, file in files.items()
        for measure, *rest in mapped_file("us_cms_hospitals", output, file)[0]
        .select("measure", "value_kind", "unit", "improvement_direction")
        .unique()
        .iter_rows()
    }
    assert len(mapped) == 52
    assert mapped == {measure: seed[measure] for measure in mapped}
