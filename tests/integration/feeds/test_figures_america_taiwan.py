"""Figures of the American and Taiwanese feeds, mapped by the product, against computations made another way."""

from __future__ import annotations

import csv
import gzip
import io
import json
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from caregrid.feeds import load_feed
from caregrid.mapping import Reject, inspect_file, map_batch, read
from caregrid.paths import feeds_base

MIRROR = feeds_base()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not (MIRROR / "us_hifld_hospitals").is_dir(), reason=f"no mirror of the feeds in {MIRROR}"),
]


@cache
def mapped(feed_name: str, output_name: str, file: str) -> tuple[pl.DataFrame, list[Reject], int, int]:
    """Map one file under one output: its rows, its rejects, records filtered, records received."""
    feed = load_feed(feed_name)
    output = next(output for output in feed.outputs if output.name == output_name)
    path = MIRROR / file
    source = next(source for name, source in feed.sources.items() if name in output.sources and fits(source.path, file))
    context = inspect_file(feed, source, path, file_name=path.name)
    rows, rejects, filtered, received = [], [], 0, 0
    for batch in read(source, path):
        part = map_batch(feed, output, batch, context)
        rows.append(part.rows)
        rejects += [*batch.rejects, *part.rejects]
        filtered += part.filtered.height
        received += batch.received_lines.len()
        assert part.produced == part.rows.height + len(part.rejects) + part.filtered.height
    return pl.concat(rows), rejects, filtered, received


def fits(pattern: str | None, file: str) -> bool:
    """Return whether a source's path, with its globs, is this file."""
    return pattern is not None and Path(file).match(pattern)


def records(file: str, encoding: str = "utf-8") -> Iterator[dict[str, str]]:
    """Read a delimited file with the standard library, gzipped or not."""
    path = MIRROR / file
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    yield from csv.DictReader(io.StringIO(raw.decode(encoding), newline=""))


def json_lines(file: str) -> list[dict[str, Any]]:
    """Read a gzipped NDJSON file with the standard library."""
    return [json.loads(line) for line in gzip.open(MIRROR / file, "rt", encoding="utf-8")]


def measure(rows: pl.DataFrame, name: str, **dimensions: str) -> pl.DataFrame:
    """Return the rows of one measure with exactly these dimensions."""
    wanted = [text for text in rows["dimensions"].unique() if json.loads(text) == dimensions]
    return rows.filter((pl.col("measure") == name) & pl.col("dimensions").is_in(wanted))


QUEBEC = "ca_quebec_ed_hourly/quebec_ed_hourly.csv.gz"


def test_quebec_stretchers_match_the_file_and_a_third_of_the_rows_is_over_capacity() -> None:
    rows, rejects, filtered, received = mapped("ca_quebec_emergency", "departments_hourly", QUEBEC)
    assert (received, rejects, filtered, rows.height) == (145_128, [], 0, 145_128 * 8)
    silent = "pas d'information disponible"
    told = [row for row in records(QUEBEC) if row["occupied_stretchers"] != silent]
    occupied = measure(rows, "occupied")
    assert occupied["value"].sum() == sum(int(row["occupied_stretchers"]) for row in told)
    assert occupied.filter(pl.col("value_status") == "missing").height == 145_128 - len(told) == 4_975
    over = occupied.join(measure(rows, "capacity"), on=["code", "period_start"], suffix="_capacity")
    assert over.filter(pl.col("value") > pl.col("value_capacity")).height == sum(
        int(row["occupied_stretchers"]) > int(row["functional_stretchers"]) for row in told) == 49_127


def test_quebec_average_stay_is_about_the_day_before_and_known_after_its_end() -> None:
    rows, *_ = mapped("ca_quebec_emergency", "departments_hourly", QUEBEC)
    stays = rows.filter((pl.col("measure") == "length_of_stay") & (pl.col("service_or_resource") == "stretcher"))
    assert stays.filter(pl.col("known_at") < pl.col("period_end")).height == 0
    first = stays.filter((pl.col("code") == "12475976") & (pl.col("known_at") == datetime(2023, 2, 11, 5, 46, tzinfo=UTC)))
    # 2023-02-11T00:46 local; the file says 22.58 hours.
    assert first.select("value", "grain", "period_start", "period_end").row(0) == (
        22.58, "day", datetime(2023, 2, 10, 5, tzinfo=UTC), datetime(2023, 2, 11, 5, tzinfo=UTC))


def test_quebec_totals_stand_at_their_own_level_and_check_the_departments() -> None:
    snapshot = "ca_quebec_er_snapshot/urgence_time.csv"
    parts, rejects, filtered, received = mapped("ca_quebec_emergency", "departments_now", snapshot)
    regions, *_ = mapped("ca_quebec_emergency", "regions_now", snapshot)
    province, *_ = mapped("ca_quebec_emergency", "province_now", snapshot)
    assert (received, rejects, filtered) == (131, [], 16)
    assert measure(province, "occupied")["value"].to_list() == [1862.0]
    assert measure(parts, "occupied")["value"].sum() == measure(regions, "occupied")["value"].sum() == 1862
    assert set(regions["place_level"]) == {"region"} and regions["total_over"].to_list()[0] == ["place"]
    names = {row["Nom_installation"] for row in records(snapshot, "latin-1") if row["RSS"] == "02"} - {"Total régional"}
    assert set(parts.filter(pl.col("place_name").is_in(list(names)))["place_name"]) == names


def test_taiwanese_emergency_counts_match_and_the_silent_hospitals_are_missing() -> None:
    month = "tw_nhi_er_realtime/er_2025-02.csv.gz"
    rows, rejects, _, received = mapped("tw_nhi_er_realtime", "emergency", month)
    told = list(records(month))
    assert received == len(told) == 16_929 and rejects == []
    ward = measure(rows, "waiting", waiting_for="ward_bed")
    assert ward["value"].sum() == sum(int(row["waiT_GENERAL_CNT"]) for row in told if row["waiT_GENERAL_CNT"])
    silent = set(ward.filter(pl.col("value_status") == "missing")["code"])
    assert silent == {"0101090517", "1101100020", "1137010042", "1303260014"}
    assert measure(rows, "full_bed_notice")["value"].sum() == sum(row["inform"] == "Y" for row in told)
    assert ward.filter(pl.col("known_at") < pl.col("period_start")).height == 0
    # 2025-02-28T23:30:23 in Taipei
    one = ward.filter((pl.col("code") == "1302050014") & (pl.col("period_start") == datetime(2025, 2, 28, 15, 30, 23, tzinfo=UTC)))
    assert one.select("value", "known_at").row(0) == (22.0, datetime(2025, 2, 28, 15, 40, 4, tzinfo=UTC))


def test_taiwanese_slots_of_2024_are_read_as_closed_flags() -> None:
    file = "tw_nhi_facilities/facilities_2024-05-13.jsonl.gz"
    rows, rejects, _, received = mapped("tw_nhi_facilities", "facilities_2024", file)
    assert (received, rejects) == (2_885, [])
    slots = [slot for text in rows["service_slots"].drop_nulls() for day in json.loads(text).values() for slot in day.values()]
    flags = [cell["yn"] for row in json_lines(file) for half in row["srV_INFO"]["srv_Time"] or [] for cell in half]
    assert (slots.count("open"), slots.count("closed")) == (flags.count("N"), flags.count("Y")) == (40_566, 17_688)
    dentist = json.loads(rows.filter(pl.col("code") == "3712010817")["service_slots"][0])
    assert [dentist[str(day)]["morning"] for day in range(1, 8)] == [
        "closed", "open", "open", "closed", "closed", "closed", "closed"]
    assert rows["latitude"].null_count() == 0
    county = {row["hosP_ID"]: row["hosP_ID"][2:4] for row in json_lines(file)}
    assert dict(rows.select("code", "region_code").iter_rows()) == county


def test_taiwanese_registry_of_2017_drops_the_constant_point_and_keeps_ended_contracts() -> None:
    file = "tw_nhi_facilities/facilities_2017-10-13.jsonl.gz"
    rows, rejects, _, received = mapped("tw_nhi_facilities", "facilities_2017", file)
    told = json_lines(file)
    assert (received, rejects) == (3_218, [])
    assert rows["latitude"].null_count() == rows["longitude"].null_count() == 3_218
    assert rows["valid_to"].drop_nulls().len() == sum(bool(row["nhi_end"]) for row in told) == 450
    ended = rows.filter(pl.col("valid_to").is_not_null())
    assert ended["phone"].null_count() == ended["address"].null_count() == 450 and ended["name"].null_count() == 0
    slots = [slot for text in rows["service_slots"].drop_nulls() for day in json.loads(text).values() for slot in day.values()]
    assert slots.count("open") == sum(
        flag == "V" for row in told for half in ("morning", "afternoon", "evening") if isinstance(row.get(half), dict)
        for flag in row[half].values()) == 40_186


def test_taiwanese_beds_are_beds_and_rooms_are_none() -> None:
    file = "tw_mohw_hospital_beds_2015/Hospital-BedSize.csv.gz"
    beds, rejects, filtered, received = mapped("tw_mohw_hospital_beds", "beds", file)
    rooms, *_ = mapped("tw_mohw_hospital_beds", "rooms", file)
    told = list(records(file, "utf-16"))
    assert (received, rejects, filtered) == (4_301, [], 1_294)
    assert beds.filter(pl.col("service_or_resource") == "bed_icu")["value"].sum() == 6_985
    assert beds.filter(pl.col("service_or_resource") == "bed_general_acute")["value"].sum() == 72_387
    assert beds["value"].sum() + rooms["value"].sum() == sum(int(row["病床數量"]) for row in told) == 152_251
    assert set(rooms["measure"]) == {"units_existing"} and set(beds["measure"]) == {"capacity"}
    # Codes are compared in one width: （ in a name used as a code is (.
    sites = {unicodedata.normalize("NFKC", "|".join((row["City"], row["Name"], row["Zone"]))) for row in told}
    assert set(beds["code"]) | set(rooms["code"]) == sites and len(sites) == 527


def test_cms_ratings_keep_footnotes_and_missing_stars() -> None:
    file = "us_cms_general_info_2026/Hospital_General_Information.csv"
    rows, rejects, _, received = mapped("us_cms_hospitals", "ratings", file)
    told = list(records(file))
    assert (received, rejects, rows.height) == (5_381, [], 5_381 * 15)
    stars = rows.filter(pl.col("measure") == "CMS_OVERALL_RATING")
    given = [int(row["Hospital overall rating"]) for row in told if row["Hospital overall rating"].isdigit()]
    assert stars["value"].sum() == sum(given) and stars["value"].drop_nulls().len() == len(given) == 2_872
    assert stars.filter(pl.col("footnote") == "16").height == 1_688
    worse = rows.filter(pl.col("measure") == "CMS_READM_WORSE")
    assert worse["numerator"].sum() == sum(
        int(row["Count of READM Measures Worse"]) for row in told if row["Count of READM Measures Worse"].isdigit())
    first = worse.filter(pl.col("code") == "010001").row(0, named=True)
    assert (first["numerator"], first["denominator"], first["value"]) == (0.0, 11.0, 0.0)


def test_cms_register_reads_the_renamed_columns_of_both_vintages() -> None:
    files = ("us_cms_2021_hvbp/Hospital_General_Information.csv", "us_cms_general_info_2026/Hospital_General_Information.csv")
    old, new = (mapped("us_cms_hospitals", "facilities", file)[0] for file in files)
    assert (old.height, new.height) == (5_336, 5_381)
    for frame, file, city, county, phone in ((old, files[0], "City", "County Name", "Phone Number"),
                                             (new, files[1], "City/Town", "County/Parish", "Telephone Number")):
        told = {row["Facility ID"]: (row[city], row[county], row[phone]) for row in records(file)}
        assert {code: rest for code, *rest in frame.select("code", "city", "county_name", "phone").iter_rows()} == {
            code: list(rest) for code, rest in told.items()}
    assert new.filter(~pl.col("code").str.contains(r"^\d+$")).height == sum(
        not row["Facility ID"].isdigit() for row in records(files[1])) == 164


def test_cms_readmissions_give_the_ratio_where_the_parts_are_suppressed() -> None:
    file = "us_cms_general_info_2026/Hospital_Readmissions_Reduction_Program_Hospital.csv"
    rows, rejects, _, received = mapped("us_cms_hospitals", "readmissions", file)
    assert (received, rejects, rows.height) == (18_510, [], 37_020)
    ratio = rows.filter(~pl.col("measure").str.ends_with("PREDICTED"))
    bare = ratio.filter((pl.col("value_status") == "reported") & (pl.col("numerator_status") == "suppressed"))
    assert bare.height == sum(row["Number of Readmissions"] == "Too Few to Report" for row in records(file)) == 3_806
    assert set(bare["denominator_status"]) == {"missing"}
    told = [float(row["Excess Readmission Ratio"]) for row in records(file) if row["Excess Readmission Ratio"] != "N/A"]
    assert ratio["value"].sum() == pytest.approx(sum(told)) and len(told) == 11_927
    assert ratio.select("period_start", "period_end").unique().rows() == [
        (datetime(2020, 7, 1, 4, tzinfo=UTC), datetime(2023, 7, 1, 4, tzinfo=UTC))]


def test_cms_inpatients_survive_mark_and_windows_bytes() -> None:
    file = "us_cms_general_info_2026/Medicare_IP_Hospitals_by_Provider_2023.csv"
    rows, rejects, _, received = mapped("us_cms_hospitals", "medicare_inpatients", file)
    raw = (MIRROR / file).read_bytes().removeprefix(b"\xef\xbb\xbf").decode("windows-1252")
    told = list(csv.DictReader(io.StringIO(raw)))
    assert (received, rejects) == (len(told), []) == (3_093, [])
    assert rows.filter(pl.col("measure") == "discharges")["value"].sum() == sum(
        int(row["Tot_Dschrgs"].replace(",", "")) for row in told)
    assert "Uci Health – Los Alamitos" in set(rows["place_name"])


def test_cms_scores_and_national_rates() -> None:
    scores, rejects, _, received = mapped("us_cms_hospitals", "purchasing", "us_cms_2021_hvbp/hvbp_tps.csv")
    assert (received, rejects) == (2_676, [])
    total = scores.filter(pl.col("measure") == "HVBP_TOTAL")
    told = [float(row["Total Performance Score"]) for row in records("us_cms_2021_hvbp/hvbp_tps.csv")]
    assert total["value"].mean() == pytest.approx(sum(told) / len(told))
    assert scores.filter((pl.col("measure") == "HVBP_SAFETY") & (pl.col("value_status") == "missing")).height == 507
    spending, *_ = mapped("us_cms_hospitals", "spending", "us_cms_mspb_2026/Medicare_Hospital_Spending_Per_Patient-Hospital.csv")
    assert spending.filter(pl.col("value_status") == "reported").height == 4_627 - 1_728
    national, *_ = mapped("us_cms_hospitals", "national_rates", "us_cms_mspb_2026/Unplanned_Hospital_Visits-National.csv")
    assert set(national["place_level"]) == {"country"} and national.height == 14
    assert national.filter(pl.col("value_status") == "not_applicable").height == 4
    assert national.filter(pl.col("measure") == "READM_30_HF")["value"].to_list() == [19.7]


def test_hifld_beds_are_those_of_open_hospitals() -> None:
    file = "us_hifld_hospitals/Hospitals.csv"
    beds, rejects, filtered, received = mapped("us_hifld_hospitals", "beds", file)
    sites, *_ = mapped("us_hifld_hospitals", "facilities", file)
    told = list(records(file, "utf-8-sig"))
    open_beds = [int(row["BEDS"]) for row in told if row["STATUS"] == "OPEN"]
    assert (received, rejects, filtered) == (7_596, [], 319)
    assert beds["value"].sum() == sum(number for number in open_beds if number != -999) == 1_043_209
    assert beds.filter(pl.col("value_status") == "missing").height == open_beds.count(-999)
    assert sites.filter(pl.col("status") == "closed").height == 319
    assert sites["phone"].null_count() == sum(row["TELEPHONE"] == "NOT AVAILABLE" for row in told) == 1_042
    assert set(sites["country_code"]) == {"US", "PR", "GU", "VI", "MP", "PW", "AS"}


def test_flusight_versions_are_known_after_their_week() -> None:
    last = "us_flusight/target-data-archive/target-hospital-admissions_2025-06-28.csv.gz"
    states, rejects, filtered, received = mapped("us_flusight_admissions", "states", last)
    nation, *_ = mapped("us_flusight_admissions", "nation", last)
    told = list(records(last))
    assert (received, rejects, filtered) == (9_434, [], 178)
    assert nation["value"].sum() == sum(float(row["value"]) for row in told if row["location"] == "US" and row["value"] != "NA")
    assert states["value"].sum() == sum(float(row["value"]) for row in told if row["location"] != "US" and row["value"] != "NA")
    assert states.filter(pl.col("value_status") == "missing").height == sum(
        row["value"] == "NA" and row["location"] != "US" for row in told)
    # The week ends with Saturday 28 June; the file came on the Wednesday after.
    newest = nation.sort("period_start").row(-1, named=True)
    assert newest["period_end"] == datetime(2025, 6, 29, 4, tzinfo=UTC) and newest["week_ends_on"] == 6
    assert newest["known_at"] == datetime(2025, 7, 2, 4, tzinfo=UTC) and newest["known_at_is_assumed"]


def test_flu_share_is_a_rate_of_51_places() -> None:
    file = "us_nssp_flu_ed_visits/target-ed-visits-prop_2025-11-15.csv.gz"
    states, rejects, filtered, received = mapped("us_nssp_flu_visits", "states", file)
    told = list(records(file))
    assert (received, rejects, filtered) == (7_140, [], 140)
    assert states["value"].mean() == pytest.approx(
        sum(shares := [float(row["value"]) for row in told if row["location"] != "US"]) / len(shares))
    assert states["code"].n_unique() == 50 and states["value"].max() == max(shares) < 1
    assert states.filter(pl.col("known_at") <= pl.col("period_end")).height == 0
