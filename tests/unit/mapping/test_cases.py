"""The published difficulties: each input of the cases gives the right result through a feed's YAML alone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from caregrid.feeds import load_feed
from caregrid.mapping import Reject, UnreadableFile, inspect_file, map_batch, read
from caregrid.mapping.readers import content
from caregrid.paths import ROOT, feeds_base

CASES = feeds_base().parent / "cases"
FEEDS = ROOT / "tests" / "data" / "cases"
pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside the mirror of the feeds"),
]


@dataclass
class Result:
    received: int
    rows: pl.DataFrame
    rejects: list[Reject]
    filtered: int


def mapped(feed_name: str, file: str, batch_rows: int = 50_000, output_name: str | None = None) -> Result:
    """Map one input file of a case and check that nothing is lost."""
    feed = load_feed(FEEDS / f"{feed_name}.yml")
    (source,) = feed.sources.values()
    path = CASES / file
    context = inspect_file(feed, source, path, file_name=path.name)
    output = next(output for output in feed.outputs if output_name in (None, output.name))
    received, frames, rejects, filtered, produced = 0, [], [], 0, 0
    for batch in read(source, path, batch_rows=batch_rows):
        received += len(batch.received_lines)
        rejects += batch.rejects
        result = map_batch(feed, output, batch, context)
        frames.append(result.rows)
        rejects += result.rejects
        filtered += result.filtered.height
        produced += result.produced
    rows = pl.concat(frames)
    unread = sum(reject.output == "" for reject in rejects)
    assert produced + unread == rows.height + len(rejects) + filtered
    return Result(received, rows.sort("line", maintain_order=True), rejects, filtered)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def values(rows: pl.DataFrame, **where: Any) -> list[Any]:
    for name, value in where.items():
        rows = rows.filter(pl.col(name) == value)
    return rows["value"].to_list()


def test_case_03_locale_numbers() -> None:
    result = mapped("case_03_percent", "03-percent-before-number/doluluk.csv")
    assert result.received == 4
    assert result.rows.height == 11
    assert values(result.rows, value_name="yatak_doluluk") == [51.7, 9.4, 52.0, 52.3]
    assert values(result.rows, value_name="yogun_bakim_doluluk") == [64.2, None, 101.5]
    assert result.rows.filter(pl.col("value").is_null())["value_status"].to_list() == ["missing"]
    assert values(result.rows, measure="present") == [2155.0, 1987.0, 12.0, 912.0]
    (reject,) = result.rejects
    assert (reject.line, reject.value_name) == (5, "yogun_bakim_doluluk")
    assert "%6.42" in reject.reasons[0]["message"]


@pytest.mark.parametrize("batch_rows", [1, 2, 50_000])
def test_case_04_physical_lines(batch_rows: int) -> None:
    result = mapped("case_04_newline", "04-newline-in-address/facilities.csv", batch_rows)
    assert result.received == 3
    (reject,) = result.rejects
    assert reject.line == 5
    assert reject.record["lat"] == "north"
    first, third = result.rows.rows(named=True)
    assert first["name"] == 'St Mary "Old" Hospital'
    assert first["address"].count("\n") == 2
    assert first["latitude"] == 51.5
    assert third["line"] == 6
    assert third["address"] == "Unit 9,\r\nNine Elms"
    assert third["phone"] == "0200000003"


def test_case_07_old_mapping_takes_na_for_adults_and_stops_at_the_renamed_column() -> None:
    day = mapped("case_07_old", "07-renamed-column-and-na-code/register_2021-03-30.csv")
    assert day.received == 3
    assert day.rows.height == 9
    assert not day.rejects
    assert day.rows.filter(pl.col("code") == "09162").height == 3
    assert set(day.rows["dimensions"].str.extract('"treatment_group": "([a-z]+)"')) == {"adults", "children"}
    with pytest.raises(UnreadableFile) as stopped:
        mapped("case_07_old", "07-renamed-column-and-na-code/register_2021-03-31.csv")
    assert stopped.value.code == "missing_column"
    for word in ("covid_beatmet", "covid_invasiv_beatmet", "ERWACHSENE"):
        assert word in stopped.value.reason


def test_case_07_new_mapping_continues_every_series() -> None:
    days = [
        mapped("case_07_new", f"07-renamed-column-and-na-code/register_2021-03-{day}.csv").rows
        for day in (30, 31)
    ]
    rows = pl.concat(days)
    assert rows.height == 18
    series = rows.group_by("code", "value_name", "dimensions").len()
    assert series.height == 9
    assert set(series["len"]) == {2}
    adults = rows.filter(pl.col("dimensions").str.contains("adults")).sort("period_start")
    assert values(adults, code="16063", value_name="ventilated") == [6, 7]
    assert values(adults, code="09162", value_name="ventilated") == [51, 50]
    assert values(adults, code="16063", measure="free") == [4, 3]
    assert values(adults, code="09162", measure="free") == [9, 8]


def test_case_09_dates_are_read_as_declared() -> None:
    result = mapped("case_09_dates", "09-three-date-formats/icu_updates.csv")
    assert result.received == 6
    rows = result.rows.select("line", "period_start", "known_at", "value").rows()
    assert rows == [
        (2, utc(2020, 4, 11), utc(2020, 4, 11, 22, 45, 33), 30.0),
        (3, utc(2020, 4, 12), utc(2020, 4, 12, 23, 18), 31.0),
        (4, utc(2020, 4, 5), utc(2020, 4, 5, 23, 18), 24.0),
    ]
    codes = {reject.line: [reason["code"] for reason in reject.reasons] for reject in result.rejects}
    assert codes == {5: ["unparseable_time"], 6: ["known_before_period"], 7: ["unparseable_time"]}


def test_case_11_over_capacity_is_a_signal() -> None:
    result = mapped("case_11_over_capacity", "11-icu-150-percent/icu_places.csv")
    assert result.received == 4
    assert not result.rejects
    capacity = values(result.rows, measure="capacity")
    occupied = values(result.rows, measure="occupied")
    assert list(zip(capacity, occupied, strict=True)) == [(6, 9), (24, 22), (None, None), (0, 3)]
    silent = result.rows.filter(pl.col("code") == "Kinderklinik Nord")
    assert set(silent["value_status"]) == {"missing"}
    units = mapped("case_11_over_capacity", "11-icu-150-percent/icu_places.csv", output_name="units")
    assert units.rows.height == 4


@pytest.mark.parametrize(("day", "code"), [(2, "no_rows"), (3, "error_text"), (4, "html"), (5, "empty")])
def test_case_12_a_file_with_nothing_is_rejected_with_its_own_reason(day: int, code: str) -> None:
    with pytest.raises(UnreadableFile) as rejected:
        mapped("case_12_nothing_came", f"12-nothing-came/day{day}.csv")
    assert rejected.value.code == code


def test_case_12_good_and_cut_days() -> None:
    good = mapped("case_12_nothing_came", "12-nothing-came/day1.csv")
    assert (good.received, good.rows["value"].sum()) == (5, 165)
    cut = mapped("case_12_nothing_came", "12-nothing-came/day6.csv")
    assert (cut.received, cut.rows.height) == (3, 2)
    (reject,) = cut.rejects
    assert (reject.line, reject.reasons[0]["code"]) == (4, "ragged")


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 50_000])
def test_case_14_repeated_and_skipped_hours(batch_rows: int) -> None:
    result = mapped("case_14_fall_back", "14-fall-back-hour/ed_snapshots.csv", batch_rows)
    assert result.received == 11
    rows = result.rows.select("line", "code", "period_start", "time_is_ambiguous", "value").rows()
    assert rows == [
        (2, "ED1", utc(2024, 11, 3, 4), False, 21),
        (3, "ED1", utc(2024, 11, 3, 5), False, 19),
        (4, "ED1", utc(2024, 11, 3, 6), False, 17),
        (5, "ED1", utc(2024, 11, 3, 7), False, 15),
        (6, "ED2", utc(2024, 11, 3, 4), False, 9),
        (7, "ED2", utc(2024, 11, 3, 5), True, 8),
        (8, "ED2", utc(2024, 11, 3, 7), False, 6),
        (9, "ED1", utc(2024, 3, 10, 5), False, 30),
        (10, "ED1", utc(2024, 3, 10, 6), False, 28),
        (12, "ED1", utc(2024, 3, 10, 7), False, 26),
    ]
    assert [(reject.line, reject.reasons[0]["code"]) for reject in result.rejects] == [
        (11, "nonexistent_time")
    ]
    assert ((result.rows["period_end"] - result.rows["period_start"]).dt.total_hours() == 1).all()


def test_case_15_weeks_of_dhis2() -> None:
    result = mapped("case_15_dhis2", "15-dhis2-weeks/datavalues.json")
    assert result.received == 11
    local = pl.col("period_start", "period_end").dt.convert_time_zone("Africa/Dar_es_Salaam").dt.date()
    rows = result.rows.with_columns(local).select(
        "value",
        pl.col("period_start").cast(pl.String),
        pl.col("period_end").dt.offset_by("-1d").cast(pl.String),
        "grain",
        "week_ends_on",
    )
    assert rows.rows() == [
        (11, "2019-12-23", "2019-12-29", "week", 7),
        (12, "2019-12-30", "2020-01-05", "week", 7),
        (13, "2020-12-28", "2021-01-03", "week", 7),
        (14, "2021-01-04", "2021-01-10", "week", 7),
        (17, "2019-12-29", "2020-01-04", "week", 6),
        (18, "2020-01-04", "2020-01-10", "week", 5),
        (19, "2020-01-02", "2020-01-08", "week", 3),
        (20, "2020-01-01", "2020-01-07", "week", 2),
        (52, "2020-01-01", "2020-01-31", "month", None),
    ]
    assert sorted(reject.record["value"] for reject in result.rejects) == ["15", "16"]


def test_case_16_surveillance_weeks() -> None:
    result = mapped("case_16_epiweeks", "16-epiweek-53/epiweeks.csv")
    assert result.received == 8
    local = pl.col("period_start", "period_end").dt.convert_time_zone("America/New_York").dt.date()
    rows = result.rows.with_columns(local).sort("period_start")
    starts = rows["period_start"].cast(pl.String).to_list()
    ends = rows["period_end"].dt.offset_by("-1d").cast(pl.String).to_list()
    assert list(zip(starts, ends, rows["value"].to_list(), strict=True)) == [
        ("2014-12-28", "2015-01-03", 410),
        ("2020-12-20", "2020-12-26", 520),
        ("2020-12-27", "2021-01-02", 530),
        ("2021-01-03", "2021-01-09", 501),
        ("2021-12-26", "2022-01-01", 615),
        ("2022-01-02", "2022-01-08", 640),
    ]
    assert set(rows["week_ends_on"]) == {6}
    rejected = {reject.record["epiweek"]: reject for reject in result.rejects}
    assert set(rejected) == {"202153", "202150"}
    assert rejected["202150"].line == 8
    assert "2021-12-18" in rejected["202150"].reasons[0]["message"]


def test_case_17_wall_clock_and_utc() -> None:
    file = "17-parquet-naive-and-utc/census.parquet"
    local = mapped("case_17_local", file).rows.select("period_start", "value").rows()
    assert local == [
        (utc(2024, 7, 1, 6), 18),
        (utc(2024, 1, 15, 7), 22),
        (utc(2024, 10, 27, 0, 30), 20),
        (utc(2024, 10, 27, 1, 30), 21),
        (utc(2024, 7, 2, 6), 19),
    ]
    other = mapped("case_17_utc", file)
    assert other.rows["period_start"].to_list() == [
        utc(2024, 7, 1, 6),
        utc(2024, 1, 15, 7),
        utc(2024, 10, 27, 0, 30),
        utc(2024, 10, 27, 1, 30),
    ]
    assert [(reject.line, reject.reasons[0]["code"]) for reject in other.rejects] == [(5, "disagrees")]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/St_Johns"])
def test_case_17_does_not_depend_on_the_machine_time_zone(zone: str) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from caregrid.feeds import load_feed; from caregrid.mapping import inspect_file, map_batch, read;"
        "from pathlib import Path; feed = load_feed(sys.argv[2]); (source,) = feed.sources.values();"
        "path = Path(sys.argv[3]); context = inspect_file(feed, source, path, file_name=path.name);"
        "print([str(moment) for batch in read(source, path) for moment in"
        " map_batch(feed, feed.outputs[0], batch, context).rows['period_start'].to_list()])"
    )
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            str(ROOT / "plugins"),
            str(FEEDS / "case_17_local.yml"),
            str(CASES / "17-parquet-naive-and-utc" / "census.parquet"),
        ],
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "2024-07-01 06:00:00+00:00" in found.stdout
    assert "2024-10-27 01:30:00+00:00" in found.stdout


def test_case_21_a_published_total_is_marked() -> None:
    result = mapped("case_21_districts", "21-merged-district-and-total/icu_by_district.csv")
    assert result.rows.height == 9
    leaves = result.rows.filter(pl.col("total_over").list.len() == 0)
    by_day = leaves.group_by("period_start").agg(pl.col("value").sum()).sort("period_start")
    assert by_day["value"].to_list() == [148, 149]
    totals = result.rows.filter(pl.col("total_over").list.contains("place"))
    assert set(totals["code"]) == {"11000"}
    assert totals["value"].to_list() == [120, 118]


def test_case_22_a_panel_carries_its_reporting_units() -> None:
    result = mapped("case_22_panel", "22-fewer-hospitals-report/panel.csv")
    per_unit = (result.rows["value"] / result.rows["reporting_units"]).round(2).to_list()
    assert per_unit == [84.0, 83.5, 83.5, 82.67, 85.15]
    assert set(result.rows["week_ends_on"]) == {6}


def test_case_23_rows_are_equal_only_after_mapping() -> None:
    result = mapped("case_23_same_key", "23-same-key-two-values/beds.csv")
    assert result.received == 9
    keys = result.rows.select("code", "value").rows()
    assert keys == [
        ("H1", 40),
        ("H1", 40),
        ("H2", 22),
        ("H2", 25),
        ("H3", 10),
        ("H3", 10),
        ("H4", 5),
        ("H4", 5),
        ("H4", 6),
    ]


MAPPED = [
    ("case_03_percent", "03-percent-before-number/doluluk.csv"),
    ("case_07_new", "07-renamed-column-and-na-code/register_2021-03-31.csv"),
    ("case_09_dates", "09-three-date-formats/icu_updates.csv"),
    ("case_14_fall_back", "14-fall-back-hour/ed_snapshots.csv"),
    ("case_15_dhis2", "15-dhis2-weeks/datavalues.json"),
    ("case_16_epiweeks", "16-epiweek-53/epiweeks.csv"),
    ("case_17_local", "17-parquet-naive-and-utc/census.parquet"),
    ("case_21_districts", "21-merged-district-and-total/icu_by_district.csv"),
    ("case_23_same_key", "23-same-key-two-values/beds.csv"),
]


@pytest.mark.parametrize(("feed_name", "file"), MAPPED)
def test_no_case_depends_on_how_its_file_is_cut(
    feed_name: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = mapped(feed_name, file)
    for batch_rows, characters, cells in ((1, 2**25, 2**22), (2, 2**25, 2**22), (3, 100, 20), (50_000, 1, 1)):
        monkeypatch.setattr(content, "BATCH_CHARACTERS", characters)
        monkeypatch.setattr(content, "BATCH_CELLS", cells)
        cut = mapped(feed_name, file, batch_rows)
        assert cut.received == whole.received
        assert cut.rows.sort("line", "value_name").equals(whole.rows.sort("line", "value_name"))
        assert sorted((reject.line, str(reject.reasons)) for reject in cut.rejects) == sorted(
            (reject.line, str(reject.reasons)) for reject in whole.rejects
        )
