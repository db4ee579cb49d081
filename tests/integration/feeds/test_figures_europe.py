"""Figures of the European feeds, as mapped, against the same figures computed from the files by polars alone.

The polars side reads the publishers' files directly and shares no code with the mapping.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from caregrid.feeds import load_feed
from caregrid.landing.addresses import addresses
from caregrid.mapping import inspect_file, map_batch, members, read
from caregrid.paths import feeds_base
from pyproj import Transformer

MIRROR = feeds_base()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (MIRROR / "uk_scotland_ae_beds").is_dir(), reason=f"the mirror of the feeds is not at {MIRROR}"
    ),
]


@cache
def mapped(feed_name: str, output_name: str) -> tuple[pl.DataFrame, int, int]:
    """Return the rows of one output over all its files, and how many rows were rejected and filtered."""
    feed = load_feed(feed_name)
    output = next(output for output in feed.outputs if output.name == output_name)
    frames, rejected, filtered = [], 0, 0
    for source in (feed.sources[name] for name in output.sources):
        for address in addresses(feed, source):
            path = address.path
            for member in members(source, path) or [""]:
                context = inspect_file(
                    feed, source, path, file_name=path.name, member=member, last_modified=None
                )
                for batch in read(source, path, member=member):
                    result = map_batch(feed, output, batch, context)
                    frames.append(result.rows)
                    rejected += len(result.rejects)
                    filtered += result.filtered.height
    return pl.concat(frames), rejected, filtered


def rows(feed_name: str, output_name: str, **equal: object) -> pl.DataFrame:
    frame = mapped(feed_name, output_name)[0]
    for column, value in equal.items():
        frame = frame.filter(pl.col(column) == value)
    return frame


def published(path: str) -> pl.DataFrame:
    return pl.read_csv(MIRROR / path, infer_schema=False, null_values=["", "NA"])


def number(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64)


def on(day: date, zone: str) -> pl.Expr:
    return pl.col("period_start") == datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(
        UTC
    )


def test_scottish_attendances_of_one_week() -> None:
    weekly = published("uk_scotland_ae_beds/weekly_ae_activity_20230625.csv")
    expected = weekly.filter(pl.col("WeekEndingDate") == "20230625").select(
        number("NumberOfAttendancesEpisode").sum()
    )
    week = rows("uk_scotland_ae_beds", "weekly_attendances", measure="arrivals").filter(
        on(date(2023, 6, 19), "Europe/London")
    )
    assert week["value"].sum() == expected.item() > 20_000
    assert week["week_ends_on"].unique().to_list() == [7]
    assert week["period_end"].unique().to_list() == [datetime(2023, 6, 25, 23, tzinfo=UTC)]


def test_the_two_part_weeks_of_g405h_stay_two_rows_that_the_loader_sums() -> None:
    feed = load_feed("uk_scotland_ae_beds")
    output = next(output for output in feed.outputs if output.name == "weekly_attendances")
    part_weeks = rows("uk_scotland_ae_beds", "weekly_attendances", code="G405H", measure="arrivals").filter(
        on(date(2015, 4, 27), "Europe/London")
    )
    assert output.on_conflict == "sum"
    assert sorted(part_weeks["value"].to_list()) == [221.0, 643.0]


def test_scottish_flag_z_is_not_applicable_and_never_missing() -> None:
    monthly = published("uk_scotland_ae_beds/monthly_ae_activity_202305.csv")
    flagged = monthly.select((pl.col("NumberOfAttendancesEpisodeQF") == "z").sum()).item()
    statuses = rows("uk_scotland_ae_beds", "monthly_attendances")["value_status"].value_counts()
    assert dict(statuses.iter_rows()) == {
        "not_applicable": 5 * flagged,
        "reported": 8 * monthly.height - 5 * flagged,
    }


def test_scottish_months_from_two_files_are_one_series_of_two_feeds() -> None:
    """All that makes a quantity the same is equal, so that a difference can be shown: 5 of 16,393 months."""
    same = ["id_system", "code", "service_or_resource", "measure", "statistic", "unit", "dimensions"]
    same += ["subset_of", "grain"]
    months = [
        rows(feed, output).filter(pl.col("measure") == "arrivals", pl.col("subset_of").is_null())
        for feed, output in (
            ("uk_scotland_ae_beds", "monthly_attendances"),
            ("uk_scotland_waiting_times", "waiting_times"),
        )
    ]
    summed = [month.group_by(*same, "period_start").agg(pl.col("value").sum()) for month in months]
    both = summed[0].join(summed[1], on=[*same, "period_start"], nulls_equal=True)
    assert both.height == summed[1].height == 16_393
    assert both.filter(pl.col("value") != pl.col("value_right")).height == 5


def test_scottish_beds_sum_to_their_published_specialty_total() -> None:
    beds = published("uk_scotland_ae_beds/beds_by_nhs_board_of_treatment_and_specialty.csv")
    of_sites = beds.filter(pl.col("LocationQF").is_null(), pl.col("Quarter") == "2021Q2")
    expected = (
        of_sites.filter(pl.col("SpecialtyNameQF").is_null()).select(number("AllStaffedBeddays").sum()).item()
    )
    quarter = rows("uk_scotland_ae_beds", "beds_of_sites", measure="staffed_bed_days").filter(
        on(date(2021, 4, 1), "Europe/London")
    )
    leaves = quarter.filter(pl.col("total_over").list.len() == 0)
    totals = quarter.filter(pl.col("dimensions").str.json_path_match("$.specialty").is_null())
    assert leaves["value"].sum() == expected == totals["value"].sum()
    assert (
        quarter.filter(pl.col("total_over").list.contains("specialty")).height
        == of_sites.height - leaves.height
    )
    # T312H stands under two boards in this quarter: two series, not a conflict.
    assert totals.filter(pl.col("code") == "T312H")["value"].len() == 2


def test_only_the_last_scottish_quarter_is_provisional() -> None:
    provisional = rows("uk_scotland_ae_beds", "beds_of_boards", is_provisional=True)
    assert provisional["period_start"].unique().to_list() == [
        datetime(2022, 10, 1, tzinfo=ZoneInfo("Europe/London"))
    ]


def test_scottish_delayed_bed_days_without_totals() -> None:
    delays = published("uk_scotland_ae_beds/delayed-discharge-beddays-health-board.csv")
    leaf = delays.filter(
        pl.col("HBTQF").is_null(), pl.col("AgeGroupQF").is_null(), pl.col("ReasonForDelayQF").is_null()
    )
    mine = rows("uk_scotland_ae_beds", "delayed_discharges", measure="delayed_bed_days")
    assert (
        mine.filter(pl.col("total_over").list.len() == 0)["value"].sum()
        == leaf.select(number("NumberOfDelayedBedDays").sum()).item()
    )
    everything = mine.filter(pl.col("total_over").list.len() == 3)
    assert everything["place_level"].unique().to_list() == ["country"]
    assert everything["value"].sum() == leaf.select(number("NumberOfDelayedBedDays").sum()).item()


def test_scottish_grid_coordinates_become_latitude_and_longitude() -> None:
    hospitals = published("uk_scotland_registry/current-hospital_flagged20211216.csv")
    ninewells = hospitals.filter(pl.col("Location") == "T101H").select(
        number("XCoordinate"), number("YCoordinate")
    )
    longitude, latitude = Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True).transform(
        *ninewells.row(0)
    )
    mine = rows("uk_scotland_registry", "hospitals")
    assert mine.filter(pl.col("code") == "T101H").select("latitude", "longitude").row(0) == pytest.approx(
        (latitude, longitude), abs=1e-6
    )
    assert mine.height == hospitals.height
    assert mine["latitude"].null_count() == hospitals["XCoordinate"].null_count() == 1
    assert mine.filter(~pl.col("latitude").is_between(54.6, 60.9)).height == 0


def test_scottish_cancellations_by_reason() -> None:
    operations = published("uk_scotland_registry/cancellations_by_hospital_april_2022.csv")
    mine = rows("uk_scotland_registry", "operations", measure="operations_cancelled")
    reasons = mine.filter(pl.col("total_over").list.len() == 0)
    assert reasons["value"].sum() == operations.select(number("TotalCancelled").sum()).item()
    share = rows("uk_scotland_registry", "cancelled_share", code="D102H").sort("period_start")
    first = operations.filter(pl.col("Hospital") == "D102H", pl.col("Month") == "201505").row(0, named=True)
    assert share["value"][0] == pytest.approx(int(first["TotalCancelled"]) / int(first["TotalOperations"]))


def test_english_trusts_add_up_to_england_every_day_of_five_winters() -> None:
    trusts = rows(
        "uk_england_winter_sitreps", "trusts", measure="capacity", service_or_resource="bed_general_acute"
    )
    england = rows(
        "uk_england_winter_sitreps", "england", measure="capacity", service_or_resource="bed_general_acute"
    )
    by_day = trusts.group_by("period_start").agg(pl.col("value").sum().alias("trusts"))
    both = england.join(by_day, on="period_start")
    assert both.height == england.height == 62 + 102 + 105 + 91 + 91
    assert both.filter(pl.col("value") != pl.col("trusts")).height == 0
    assert england["total_over"].to_list() == [["place"]] * england.height


def test_columns_that_a_winter_does_not_have_make_no_rows() -> None:
    trusts = rows("uk_england_winter_sitreps", "trusts")
    sizes = {
        winter: published(f"uk_england_winter_sitreps/sitrep_{winter}.csv.gz")
        .filter(pl.col("Code") != "-")
        .height
        for winter in ("2015-16", "2016-17", "2017-18", "2018-19", "2019-20")
    }
    assert trusts.filter(pl.col("measure") == "arrivals").height == sizes["2015-16"]
    later = sizes["2017-18"] + sizes["2018-19"] + sizes["2019-20"]
    assert trusts.filter(pl.col("measure") == "handover_delays").height == 2 * later
    assert trusts.filter(pl.col("measure") == "occupied").height == 2 * sum(sizes.values())


def test_missing_norovirus_counts_are_missing_and_not_zero() -> None:
    winter = published("uk_england_winter_sitreps/sitrep_2016-17.csv.gz").filter(pl.col("Code") != "-")
    expected = winter["No. beds closed due to norovirus etc."].null_count()
    closed = rows(
        "uk_england_winter_sitreps", "trusts", measure="closed_beds", value_status="missing"
    ).filter(
        pl.col("subset_of").is_null(),
        pl.col("period_start").is_between(
            datetime(2016, 12, 1, tzinfo=UTC), datetime(2017, 3, 12, tzinfo=UTC)
        ),
    )
    assert closed.height == expected > 5_000


def test_english_patients_fit_to_leave() -> None:
    beds = published("uk_england_criteria_to_reside/england_trust_criteria_to_reside.csv.gz")
    named = beds.filter(pl.col("nhs_trust22_code").is_not_null())
    mine, rejected, filtered = mapped("uk_england_criteria_to_reside", "fit_to_leave")
    assert (rejected, filtered) == (0, beds.height - named.height)
    assert mine["value"].sum() == named.select(number("do_not_meet_criteria_to_reside").sum()).item()
    missing = named["do_not_meet_criteria_to_reside"].null_count()
    assert mine.filter(pl.col("value_status") == "missing").height == missing == 1517 - 243


def test_english_attendances_by_type() -> None:
    attendances = published("uk_nhsr_datasets/ae_attendances.csv").filter(pl.col("period") == "2018-12-01")
    mine = rows("uk_nhsr_datasets", "attendances", measure="arrivals").filter(
        on(date(2018, 12, 1), "Europe/London")
    )
    by_type = mine.with_columns(pl.col("dimensions").str.json_path_match("$.department_type").alias("type"))
    for kind, value in attendances.group_by("type").agg(number("attendances").sum()).iter_rows():
        assert by_type.filter(pl.col("type") == kind)["value"].sum() == value
    breaches = rows("uk_nhsr_datasets", "breach_share", code="RF4").filter(
        on(date(2018, 12, 1), "Europe/London")
    )
    row = attendances.filter(pl.col("org_code") == "RF4", pl.col("type") == "1").row(0, named=True)
    assert float(row["breaches"]) / float(row["attendances"]) in breaches["value"].to_list()


def test_german_states_add_up_to_germany() -> None:
    states = published("de_rki_icu_capacity/Intensivregister_Bundeslaender_Kapazitaeten.csv")
    expected = (
        states.filter(pl.col("datum") == "2021-12-24").select(number("intensivbetten_belegt").sum()).item()
    )
    day = on(date(2021, 12, 24), "Europe/Berlin")
    mine = rows("de_rki_icu_capacity", "states", measure="occupied").filter(day)
    germany = rows(
        "de_rki_icu_capacity", "germany", measure="occupied", service_or_resource="bed_icu_adult"
    ).filter(day)
    assert mine["value"].sum() == expected == germany["value"].item()
    reserve = rows("de_rki_icu_capacity", "states", measure="reserve")
    assert (
        reserve.filter(pl.col("value_status") == "missing").height
        == states["intensivbetten_7_tage_notfallreserve"].null_count()
    )


def test_german_visits_keep_every_published_version() -> None:
    versions = published("de_rki_ed_surveillance/vintages_Vorstellungen.csv")
    mine = rows("de_rki_ed_surveillance", "visits")
    assert mine["known_at"].n_unique() == versions["as_of"].n_unique() == 39
    day = versions.filter(pl.col("date") == "2022-10-01").sort("as_of")
    history = mine.filter(on(date(2022, 10, 1), "Europe/Berlin")).sort("known_at")
    assert history["value"].to_list() == day.select(number("visit_count")).to_series().to_list()
    assert history["reporting_units"].to_list() == day.select(number("ed_count")).to_series().to_list()


def test_german_baseline_of_days_to_come() -> None:
    expected = published(
        "de_rki_ed_surveillance/Notaufnahmesurveillance_Zeitreihen_Vorstellungen.csv"
    ).filter(pl.col("visit_count").is_null())
    mine = rows("de_rki_ed_surveillance", "baseline_of_days_to_come").sort("period_start")
    assert mine.height == expected.height == 83
    assert mine["value"].sum() == pytest.approx(expected.select(number("baseline").sum()).item())
    assert mine["period_start"][0] == datetime(2023, 7, 9, 22, tzinfo=UTC)


def test_italian_intensive_care_and_its_five_impossible_admissions() -> None:
    regions = published("it_dpc_regional/dpc-covid19-ita-regioni.csv")
    mine, rejected, _ = mapped("it_dpc_regional", "patients")
    assert rejected == regions.filter(number("ingressi_terapia_intensiva") < 0).height == 5
    lombardy = mine.filter(
        pl.col("code") == "03", pl.col("measure") == "present", pl.col("service_or_resource") == "bed_icu"
    )
    highest = regions.filter(pl.col("denominazione_regione") == "Lombardia").select(
        number("terapia_intensiva").max()
    )
    assert lombardy["value"].max() == highest.item() == 1381
