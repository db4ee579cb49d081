"""Figures of the feeds of Québec, Taiwan and the US, mapped, against the standard library."""

from __future__ import annotations

import gzip
import json
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from caregrid.paths import feeds_base

MIRROR = feeds_base()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (MIRROR / "us_hifld_hospitals").is_dir(), reason=f"no mirror of the feeds in {MIRROR}"
    ),
]


def json_lines(file: str) -> list[dict[str, Any]]:
    """Read a gzipped NDJSON file with the standard library."""
    return [json.loads(line) for line in gzip.open(MIRROR / file, "rt", encoding="utf-8")]


def measure(rows: pl.DataFrame, name: str, **dimensions: str) -> pl.DataFrame:
    """Return the rows of one measure with exactly these dimensions."""
    wanted = [text for text in rows["dimensions"].unique() if json.loads(text) == dimensions]
    return rows.filter((pl.col("measure") == name) & pl.col("dimensions").is_in(wanted))


QUEBEC = "ca_quebec_ed_hourly/quebec_ed_hourly.csv.gz"


def test_quebec_stretchers_match_the_file_and_a_third_of_the_rows_is_over_capacity(
    mapped_file: Callable[..., Any], records: Callable[..., Any]
) -> None:
    rows, rejects, filtered, received = mapped_file("ca_quebec_emergency", "departments_hourly", QUEBEC)
    assert (received, rejects, filtered, rows.height) == (145_128, [], 0, 145_128 * 8)
    silent = "pas d'information disponible"
    told = [row for row in records(QUEBEC) if row["occupied_stretchers"] != silent]
    occupied = measure(rows, "occupied")
    assert occupied["value"].sum() == sum(int(row["occupied_stretchers"]) for row in told)
    assert occupied.filter(pl.col("value_status") == "missing").height == 145_128 - len(told) == 4_975
    over = occupied.join(measure(rows, "capacity"), on=["code", "period_start"], suffix="_capacity")
    assert (
        over.filter(pl.col("value") > pl.col("value_capacity")).height
        == sum(int(row["occupied_stretchers"]) > int(row["functional_stretchers"]) for row in told)
        == 49_127
    )


def test_quebec_average_stay_is_about_the_day_before_and_known_after_its_end(
    mapped_file: Callable[..., Any],
) -> None:
    rows, *_ = mapped_file("ca_quebec_emergency", "departments_hourly", QUEBEC)
    stays = rows.filter(
        (pl.col("measure") == "length_of_stay") & (pl.col("service_or_resource") == "stretcher")
    )
    assert stays.filter(pl.col("known_at") < pl.col("period_end")).height == 0
    first = stays.filter(
        (pl.col("code") == "12475976") & (pl.col("known_at") == datetime(2023, 2, 11, 5, 46, tzinfo=UTC))
    )
    # 2023-02-11T00:46 local; the file says 22.58 hours.
    assert first.select("value", "grain", "period_start", "period_end").row(0) == (
        22.58,
        "day",
        datetime(2023, 2, 10, 5, tzinfo=UTC),
        datetime(2023, 2, 11, 5, tzinfo=UTC),
    )


def test_quebec_totals_stand_at_their_own_level_and_check_the_departments(
    mapped_file: Callable[..., Any], records: Callable[..., Any]
) -> None:
    snapshot = "ca_quebec_er_snapshot/urgence_time.csv"
    parts, rejects, filtered, received = mapped_file("ca_quebec_emergency_now", "departments_now", snapshot)
    regions, *_ = mapped_file("ca_quebec_emergency_now", "regions_now", snapshot)
    province, *_ = mapped_file("ca_quebec_emergency_now", "province_now", snapshot)
    assert (received, rejects, filtered) == (131, [], 16)
    assert measure(province, "occupied")["value"].to_list() == [1862.0]
    assert measure(parts, "occupied")["value"].sum() == measure(regions, "occupied")["value"].sum() == 1862
    assert set(regions["place_level"]) == {"region"}
    assert regions["total_over"].to_list()[0] == ["place"]
    names = {row["Nom_installation"] for row in records(snapshot, "latin-1") if row["RSS"] == "02"} - {
        "Total régional"
    }
    assert set(parts.filter(pl.col("place_name").is_in(list(names)))["place_name"]) == names


def test_taiwanese_emergency_counts_match_and_the_silent_hospitals_are_missing(
    mapped_file: Callable[..., Any], records: Callable[..., Any]
) -> None:
    month = "tw_nhi_er_realtime/er_2025-02.csv.gz"
    rows, rejects, _, received = mapped_file("tw_nhi_er_realtime", "emergency", month)
    told = list(records(month))
    assert received == len(told) == 16_929
    assert rejects == []
    ward = measure(rows, "waiting", waiting_for="ward_bed")
    assert ward["value"].sum() == sum(int(row["waiT_GENERAL_CNT"]) for row in told if row["waiT_GENERAL_CNT"])
    silent = set(ward.filter(pl.col("value_status") == "missing")["code"])
    assert silent == {"0101090517", "1101100020", "1137010042", "1303260014"}
    assert measure(rows, "full_bed_notice")["value"].sum() == sum(row["inform"] == "Y" for row in told)
    assert ward.filter(pl.col("known_at") < pl.col("period_start")).height == 0
    # 2025-02-28T23:30:23 in Taipei
    one = ward.filter(
        (pl.col("code") == "1302050014")
        & (pl.col("period_start") == datetime(2025, 2, 28, 15, 30, 23, tzinfo=UTC))
    )
    assert one.select("value", "known_at").row(0) == (22.0, datetime(2025, 2, 28, 15, 40, 4, tzinfo=UTC))


def test_taiwanese_slots_of_2024_are_read_as_closed_flags(mapped_file: Callable[..., Any]) -> None:
    file = "tw_nhi_facilities/facilities_2024-05-13.jsonl.gz"
    rows, rejects, _, received = mapped_file("tw_nhi_facilities", "facilities_2024", file)
    assert (received, rejects) == (2_885, [])
    slots = [
        slot
        for text in rows["service_slots"].drop_nulls()
        for day in json.loads(text).values()
        for slot in day.values()
    ]
    flags = [
        cell["yn"] for row in json_lines(file) for half in row["srV_INFO"]["srv_Time"] or [] for cell in half
    ]
    assert (
        (slots.count("open"), slots.count("closed"))
        == (flags.count("N"), flags.count("Y"))
        == (40_566, 17_688)
    )
    dentist = json.loads(rows.filter(pl.col("code") == "3712010817")["service_slots"][0])
    assert [dentist[str(day)]["morning"] for day in range(1, 8)] == [
        "closed",
        "open",
        "open",
        "closed",
        "closed",
        "closed",
        "closed",
    ]
    assert rows["latitude"].null_count() == 0
    county = {row["hosP_ID"]: row["hosP_ID"][2:4] for row in json_lines(file)}
    assert dict(rows.select("code", "region_code").iter_rows()) == county


def test_taiwanese_registry_of_2017_drops_the_constant_point_and_keeps_ended_contracts(
    mapped_file: Callable[..., Any],
) -> None:
    file = "tw_nhi_facilities/facilities_2017-10-13.jsonl.gz"
    rows, rejects, _, received = mapped_file("tw_nhi_facilities", "facilities_2017", file)
    told = json_lines(file)
    assert (received, rejects) == (3_218, [])
    assert rows["latitude"].null_count() == rows["longitude"].null_count() == 3_218
    assert rows["valid_to"].drop_nulls().len() == sum(bool(row["nhi_end"]) for row in told) == 450
    ended = rows.filter(pl.col("valid_to").is_not_null())
    assert ended["phone"].null_count() == ended["address"].null_count() == 450
    assert ended["name"].null_count() == 0
    slots = [
        slot
        for text in rows["service_slots"].drop_nulls()
        for day in json.loads(text).values()
        for slot in day.values()
    ]
    assert (
        slots.count("open")
        == sum(
            flag == "V"
            for row in told
            for half in ("morning", "afternoon", "evening")
            if isinstance(row.get(half), dict)
            for flag in row[half].values()
        )
        == 40_186
    )


def test_taiwanese_beds_are_beds_and_rooms_are_none(
    mapped_file: Callable[..., Any], records: Callable[..., Any]
) -> None:
    file = "tw_mohw_hospital_beds_2015/Hospital-BedSize.csv.gz"
    beds, rejects, filtered, received = mapped_file("tw_mohw_hospital_beds", "beds", file)
    rooms, *_ = mapped_file("tw_mohw_hospital_beds", "rooms", file)
    told = list(records(file, "utf-16"))
    assert (received, rejects, filtered) == (4_301, [], 1_294)
    assert beds.filter(pl.col("service_or_resource") == "bed_icu")["value"].sum() == 6_985
    assert beds.filter(pl.col("service_or_resource") == "bed_general_acute")["value"].sum() == 72_387
    assert beds["value"].sum() + rooms["value"].sum() == sum(int(row["病床數量"]) for row in told) == 152_251
    assert set(rooms["measure"]) == {"units_existing"}
    assert set(beds["measure"]) == {"capacity"}
    # Codes are compared in one width: （ in a name used as a code is (.
    sites = {unicodedata.normalize("NFKC", "|".join((row["City"], row["Name"], row["Zone"]))) for row in told}
    assert set(beds["code"]) | set(rooms["code"]) == sites
    assert len(sites) == 527


def test_hifld_beds_are_those_of_open_hospitals(
    mapped_file: Callable[..., Any], records: Callable[..., Any]
) -> None:
    file = "us_hifld_hospitals/Hospitals.csv"
    beds, rejects, filtered, received = mapped_file("us_hifld_hospitals", "beds", file)
    sites, *_ = mapped_file("us_hifld_hospitals", "facilities", file)
    told = list(records(file, "utf-8-sig"))
    open_beds = [int(row["BEDS"]) for row in told if row["STATUS"] == "OPEN"]
    assert (received, rejects, filtered) == (7_596, [], 319)
    assert beds["value"].sum() == sum(number for number in open_beds if number != -999) == 1_043_209
    assert beds.filter(pl.col("value_status") == "missing").height == open_beds.count(-999)
    assert sites.filter(pl.col("status") == "closed").height == 319
    assert sites["phone"].null_count() == sum(row["TELEPHONE"] == "NOT AVAILABLE" for row in told) == 1_042
    assert set(sites["country_code"]) == {"US", "PR", "GU", "VI", "MP", "PW", "AS"}


def test_flusight_versions_are_known_after_their_week(
    mapped_file: Callable[..., Any], records: Callable[..., Any]
) -> None:
    last = "us_flusight/target-data-archive/target-hospital-admissions_2025-06-28.csv.gz"
    states, rejects, filtered, received = mapped_file("us_flusight_admissions", "states", last)
    nation, *_ = mapped_file("us_flusight_admissions", "nation", last)
    told = list(records(last))
    assert (received, rejects, filtered) == (9_434, [], 178)
    assert nation["value"].sum() == sum(
        float(row["value"]) for row in told if row["location"] == "US" and row["value"] != "NA"
    )
    assert states["value"].sum() == sum(
        float(row["value"]) for row in told if row["location"] != "US" and row["value"] != "NA"
    )
    assert states.filter(pl.col("value_status") == "missing").height == sum(
        row["value"] == "NA" and row["location"] != "US" for row in told
    )
    # The week ends with Saturday 28 June; the file came on the Wednesday after.
    newest = nation.sort("period_start").row(-1, named=True)
    assert newest["period_end"] == datetime(2025, 6, 29, 4, tzinfo=UTC)
    assert newest["week_ends_on"] == 6
    assert newest["known_at"] == datetime(2025, 7, 2, 4, tzinfo=UTC)
    assert newest["known_at_is_assumed"]


def test_flu_share_is_a_rate_of_51_places(
    mapped_file: Callable[..., Any], records: Callable[..., Any]
) -> None:
    file = "us_nssp_flu_ed_visits/target-ed-visits-prop_2025-11-15.csv.gz"
    states, rejects, filtered, received = mapped_file("us_nssp_flu_visits", "states", file)
    told = list(records(file))
    assert (received, rejects, filtered) == (7_140, [], 140)
    assert states["value"].mean() == pytest.approx(
        sum(shares := [float(row["value"]) for row in told if row["location"] != "US"]) / len(shares)
    )
    assert states["code"].n_unique() == 50
    assert states["value"].max() == max(shares) < 1
    assert states.filter(pl.col("known_at") <= pl.col("period_end")).height == 0
