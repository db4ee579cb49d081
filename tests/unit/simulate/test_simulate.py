"""The simulator writes the same bytes for the same seed, and what it writes is a plausible network."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from caregrid.errors import CareGridError
from caregrid.simulate import Summary, simulate
from caregrid.simulate.flow import run_flow
from caregrid.simulate.hours import build_hours
from caregrid.simulate.world import build_world
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

START = date(2025, 12, 1)
DAYS = 35
END = START + timedelta(days=DAYS)


def digest(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return simulate(tmp_path_factory.mktemp("simulated"), seed=5, facilities=8, days=DAYS, start=START)


def emergency(run: Summary) -> pl.DataFrame:
    frames = []
    for path in sorted((run.out / "emergency").glob("*.csv.gz")):
        frame = pl.read_csv(io.BytesIO(gzip.decompress(path.read_bytes())), infer_schema=False)
        frames.append(
            frame.rename({"attendances": "arrivals"}, strict=False).select(
                "hospital_id", "hour", "sent_at", "arrivals", pl.lit(path.name).alias("file")
            )
        )
    return pl.concat(frames)


def test_the_same_seed_writes_the_same_bytes(run: Summary, tmp_path: Path) -> None:
    simulate(tmp_path, seed=5, facilities=8, days=DAYS, start=START)
    assert digest(tmp_path) == digest(run.out)


def test_another_seed_writes_other_numbers(run: Summary, tmp_path: Path) -> None:
    simulate(tmp_path, seed=6, facilities=8, days=DAYS, start=START)
    mine, other = digest(run.out), digest(tmp_path)
    assert mine["registry/resources_2025-12-01.tsv.gz"] == other["registry/resources_2025-12-01.tsv.gz"]
    assert mine["beds/beds_2025-12.ndjson.gz"] != other["beds/beds_2025-12.ndjson.gz"]


def test_every_contract_and_wire_format_is_written(run: Summary) -> None:
    suffixes = {
        "".join(Path(name).suffixes[-2:]) if name.endswith(".gz") else Path(name).suffix for name in run.files
    }
    assert {
        ".csv.gz",
        ".ndjson.gz",
        ".json.gz",
        ".tsv.gz",
        ".zip",
        ".csv",
        ".tsv",
        ".json",
        ".ndjson",
        ".parquet",
    } <= suffixes
    folders = {
        "registry",
        "quality",
        "emergency",
        "beds",
        "diversions",
        "activity",
        "downstream",
        "staff",
        "supplies",
        "clinics",
        "expected",
        "blood",
    }
    assert folders == set(run.records)
    assert all(count > 0 for count in run.records.values())


def test_the_summary_counts_what_the_files_hold(run: Summary) -> None:
    assert run.records["emergency"] == emergency(run).height
    lines = sum(gzip.decompress(path.read_bytes()).count(b"\n") for path in (run.out / "beds").iterdir())
    assert run.records["beds"] == lines
    assert run.records["staff"] == sum(pl.read_parquet(path).height for path in (run.out / "staff").iterdir())


def test_names_are_english_and_chinese_and_every_fourth_place_is_a_clinic(run: Summary) -> None:
    archive = zipfile.ZipFile(run.out / "registry" / "facilities_2025-12-01.zip")
    entries = json.loads(archive.read("facilities_2025-12-01.json"))["facilities"]
    assert len({entry["id"] for entry in entries}) == 8
    assert len({entry["name"] for entry in entries}) == 8
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in entry["name_zh"]) for entry in entries)
    clinics = [entry for entry in entries if entry["type"] == "clinic"]
    assert [entry["id"] for entry in clinics] == ["SIM004", "SIM008"]
    assert clinics[0]["evening"]["7"] == ""  # nothing stated is not closed
    assert clinics[0]["morning"]["7"] == "休诊"
    assert {entry["opening_hours"] for entry in clinics} == {"Mo-Fr 08:30-18:00; Sa 08:30-13:00; PH off"}


def test_the_second_vintage_renames_a_key_and_closes_a_clinic(run: Summary) -> None:
    first, second = (
        json.loads(zipfile.ZipFile(path).read(path.with_suffix(".json").name))["facilities"]
        for path in sorted((run.out / "registry").glob("*.zip"))
    )
    assert "phone" in first[0]
    assert "telephone" in second[0]
    assert [entry["status"] for entry in second].count("closed") == 1
    assert [entry["status"] for entry in first].count("closed") == 0


def test_names_stay_unique_in_a_large_network() -> None:
    world = build_world(3, 60)
    assert len({place.name_en for place in world}) == 60
    assert len({place.name_zh for place in world}) == 60


def test_planted_faults_are_where_the_manifest_says(run: Summary) -> None:
    manifest = json.loads((run.out / "manifest.json").read_text("utf-8"))
    kinds = {fault["kind"]: fault for fault in manifest["faults"]}
    assert set(kinds) == {
        "duplicate",
        "conflict",
        "renamed_column",
        "not_a_number",
        "late",
        "negative",
        "truncated",
        "wrong_encoding",
        "silent",
    }
    frame = emergency(run)
    same_day = frame.filter(pl.col("file") == "emergency_2026-01-02.csv.gz")
    keys = ["hospital_id", "hour", "sent_at"]
    values = same_day.group_by(keys).agg(pl.len(), pl.col("arrivals").n_unique().alias("different"))
    assert (
        values.filter((pl.col("len") > 1) & (pl.col("different") == 1)).height == kinds["duplicate"]["count"]
    )
    assert values.filter(pl.col("different") > 1).height == kinds["conflict"]["count"]
    with pytest.raises(EOFError):
        gzip.decompress((run.out / kinds["truncated"]["file"]).read_bytes())
    with pytest.raises(UnicodeDecodeError):
        gzip.decompress((run.out / kinds["wrong_encoding"]["file"]).read_bytes()).decode("utf-8")


def test_a_late_file_is_sent_two_days_after_its_hours(run: Summary) -> None:
    late = emergency(run).filter(pl.col("file").str.contains("late"))
    assert late.height > 0
    assert late["hour"].str.slice(0, 10).unique().to_list() == ["2025-12-26"]
    assert late["sent_at"].str.slice(0, 10).unique().to_list() == ["2025-12-28"]
    rest = emergency(run).filter(~pl.col("file").str.contains("late"))
    assert rest.join(late, on=["hospital_id", "hour"]).height == 0


def test_counts_are_sent_after_the_hour_they_count(run: Summary) -> None:
    frame = emergency(run).with_columns(
        pl.col("hour").str.to_datetime("%Y-%m-%d %H:%M"),
        pl.col("sent_at").str.to_datetime("%Y-%m-%dT%H:%M:%S"),
    )
    assert frame.filter(pl.col("sent_at") <= pl.col("hour").dt.offset_by("1h")).height == 0


def test_the_hourly_senders_have_sent_the_last_hour_by_now(run: Summary) -> None:
    now = datetime.fromisoformat(run.as_of)
    beds = pl.concat(
        pl.read_ndjson(gzip.decompress(path.read_bytes())) for path in sorted((run.out / "beds").iterdir())
    )
    for frame in (emergency(run), beds):
        sent = frame["sent_at"].str.to_datetime("%Y-%m-%dT%H:%M:%S").max()
        assert isinstance(sent, datetime)
        assert now - timedelta(hours=1) < sent <= now


def test_the_clinics_fall_silent_while_the_others_report_to_the_end(run: Summary) -> None:
    heard = "".join(path.read_text("utf-8") for path in (run.out / "clinics").iterdir())
    for back in range(1, 6):
        assert (END - timedelta(days=back)).strftime("%d/%m/%Y") not in heard
    assert (run.out / "emergency" / f"emergency_{END - timedelta(days=1)}.csv.gz").is_file()


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**31), count=st.integers(4, 24), first=st.dates(date(2000, 1, 1), date(2040, 1, 1))
)
def test_patients_and_beds_add_up(seed: int, count: int, first: date) -> None:
    """Occupied now is occupied before, plus admissions, less discharges, in every hour of every hospital."""
    hospitals = [place for place in build_world(seed, count) if not place.is_clinic]
    hours = build_hours(seed, first, 20, len(hospitals))
    flow = run_flow(seed, hospitals, hours)
    for name, values in vars(flow).items():
        assert values.min() >= 0, name
    occupied = flow.general_occupied + flow.icu_occupied
    assert np.array_equal(occupied[1:] - occupied[:-1], (flow.admissions - flow.discharges)[:-1])
    assert (flow.boarding <= flow.present).all()
    assert (flow.ready <= flow.general_occupied).all()


def test_weekends_holidays_and_the_epidemic_show() -> None:
    hours = build_hours(4, date(2025, 11, 3), 84, 6)
    daily = hours.demand.reshape(-1, 24).sum(axis=1)
    weekday = hours.weekday.reshape(-1, 24)[:, 0]
    epidemic = hours.epidemic.reshape(-1, 24).mean(axis=1)
    assert daily[weekday == 0].mean() > daily[weekday == 5].mean()
    assert daily[epidemic > 0.8].mean() > 1.2 * daily[epidemic < 0.1].mean()
    christmas = [moment.date() == date(2025, 12, 25) for moment in hours.starts]
    assert hours.holiday[christmas].all()
    assert hours.elective[christmas].max() < 0.05


@pytest.mark.parametrize(("facilities", "days"), [(3, 30), (8, 13)])
def test_too_small_a_network_is_refused_with_the_fix(tmp_path: Path, facilities: int, days: int) -> None:
    with pytest.raises(CareGridError, match="--facilities 4"):
        simulate(tmp_path, facilities=facilities, days=days)
    assert list(tmp_path.iterdir()) == []
