"""The answers to the questions of docs/marts.md on the health of the data; see marts_answers."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import yaml
from caregrid.paths import FEEDS_DIR

from tests.integration.warehouse import marts_files as of
from tests.integration.warehouse import marts_network as network
from tests.integration.warehouse.marts_answers import answers

BROKEN = 2  # of the blood bank: a truncated file and one in another encoding


def duration(text: str) -> timedelta:
    """Read an ISO 8601 duration of one part, days or hours."""
    number, unit = re.fullmatch(r"PT?(\d+)([DH])", text).groups()  # type: ignore[union-attr]
    return timedelta(days=int(number)) if unit == "D" else timedelta(hours=int(number))


def readable_blood() -> list[Path]:
    """The blood bank's files without the two that the simulator broke."""
    readable = []
    for path in of.files("blood"):
        try:
            pl.read_csv(path, separator="\t")
        except (pl.exceptions.ComputeError, OSError):
            continue
        readable.append(path)
    assert len(readable) == len(of.files("blood")) - BROKEN
    return readable


@answers("Which attributes does not everyone fill?")
def _empty() -> pl.DataFrame:
    """Every facility of the registry fills all of its columns; sites written by hand have no description."""
    assert of.registry().null_count().sum_horizontal()[0] == 0
    acted = pl.concat(
        pl.read_csv(path, infer_schema=False).select("hospital", "measure")
        for path in of.files("quality", "improvement_actions_*.csv")
    ).unique()
    scored = of.measures().select("hospital", "measure")
    bare = scored.join(acted, on=["hospital", "measure"], how="anti").height
    row = (
        "quality measure of a place",
        "improvement_action",
        "sim_quality",
        scored.height,
        bare / scored.height,
    )
    return pl.DataFrame([row], orient="row").filter(pl.col("column_4") > 0)


@answers("What became of the records of each feed, and is every one accounted for?")
def _records() -> pl.DataFrame:
    lines = of.emergency_lines()
    keys = ["hospital_id", "hour"]
    unlike = lines.unique(subset=[name for name in lines.columns if name != "file"])
    conflict = unlike.filter(pl.len().over(keys) > 1).height
    no_number = lines.filter(
        pl.any_horizontal(
            pl.col(name).is_not_null() & pl.col(name).cast(pl.Float64, strict=False).is_null()
            for name in of.EMERGENCY
            if name not in ("diverting", "open")
        )
    ).height
    negative = _negative_lines()
    hand = network.BEDS.group_by("feed").len().rows()
    blood = sum(pl.read_csv(path, separator="\t").height for path in readable_blood())
    facilities = sum(of.records_of(path, "facilities") for path in of.files("registry", "facilities_*.zip"))
    resources = sum(len(of.text_lines(path)) - 1 for path in of.files("registry", "resources_*"))
    expected = sum(pl.read_csv(path).height for path in of.files("expected"))
    downstream = sum(of.records_of(path, "places") for path in of.files("downstream"))
    rows = [
        ("sim_emergency", lines.height, conflict + no_number, lines.height - unlike.height, True),
        ("sim_beds", of.beds().height // 2 + of.diversions().height, negative, 0, True),
        ("sim_blood_bank", blood, 0, 0, True),
        ("sim_clinics", of.clinics().height, 0, 0, True),
        ("sim_staff_supplies", of.staff().height + of.parquet("supplies").height, 0, 0, True),
        ("sim_activity", of.activity().height + downstream + expected, 0, 0, True),
        (
            "sim_quality",
            sum(pl.read_csv(path, infer_schema=False).height for path in of.files("quality")),
            0,
            0,
            True,
        ),
        ("sim_registry", facilities + resources, 0, 0, True),
        ("panel_beds", network.PANEL.height, 0, 0, True),
        *((feed, number, 0, 0, True) for feed, number in hand),
    ]
    return pl.DataFrame(rows, orient="row")


def _negative_lines() -> int:
    return sum(line.count(": -") > 0 for path in of.files("beds") for line in of.text_lines(path))


@answers("Which places have fallen silent?")
def _silent() -> pl.DataFrame:
    """Days that a site is behind the newest of its feed; the simulator's senders all speak to the end."""
    last = network.BEDS.group_by("feed", "site").agg(pl.col("day").max())
    behind = last.with_columns(silent=pl.col("day").max().over("feed") - pl.col("day"))
    for frame, moment in ((of.emergency(), "hour"), (of.beds(), "at"), (of.activity(), "date")):
        assert frame.group_by("hospital").agg(pl.col(moment).max())[moment].n_unique() == 1
    return behind.filter(pl.col("silent") > 0).select("site", "feed", pl.lit("occupied"), "silent")


@answers("Which feeds are late?")
def _late() -> pl.DataFrame:
    """Cadence and tolerance after the newest file sent by now, of feeds whose records say when."""
    senders = {
        "sim_clinics": of.files("clinics"),
        "sim_emergency": of.files("emergency"),
        "sim_staff_supplies": of.files("staff") + of.files("supplies"),
    }
    sent = {feed: max(filter(None, map(_sent_by_now, paths))) for feed, paths in senders.items()}
    rows = []
    for feed, published in sent.items():
        said = yaml.safe_load((FEEDS_DIR / f"{feed}.yml").read_text(encoding="utf-8"))
        due = published + duration(said["expected_every"]) + duration(said["lateness_tolerance"])
        if due < network.AS_OF:
            rows.append((feed, "nothing_came", published, due, network.AS_OF))
    return pl.DataFrame(rows, orient="row")


def _sent_by_now(path: Path) -> datetime | None:
    """When a file was sent: the newest of its records; None after the simulation's end."""
    if path.suffix == ".parquet":
        newest = pl.read_parquet(path)["sent_at"].dt.replace_time_zone(of.HONG_KONG).max()
    else:
        text = pl.read_csv(path, separator="\t" if ".tsv" in path.name else ",", infer_schema=False)
        newest = text.select(of.moment("sent_at", "%Y-%m-%dT%H:%M:%S")).max().item()
    assert isinstance(newest, datetime)
    return newest if newest <= network.AS_OF else None


@answers("Which hours are missing, and at how many services of how many places?")
def _gaps() -> pl.DataFrame:
    """Hours between a value's first and last that no line of its hospital tells, joined where they touch."""
    services = {
        "stretcher": ["stretchers", "stretchers_staffed", "stretchers_occupied"],
        "ambulance": ["ambulances_waiting"],
        "emergency_department": [
            "present", "waiting_to_be_seen", "waiting_for_a_bed", "arrivals", "ambulance_arrivals",
            "diverting", "open",
        ],
    }  # fmt: skip
    found: set[tuple[str, str, datetime, datetime]] = set()
    for service, names in services.items():
        for name in names:
            for (hospital,), rows in of.emergency().group_by("hospital"):
                hours = rows.filter(pl.col(name).is_not_null())["hour"].sort().to_list()
                found |= {
                    (str(hospital), service, earlier + timedelta(hours=1), later)
                    for earlier, later in pairwise(hours)
                    if later - earlier > timedelta(hours=1)
                }
    holes = pl.DataFrame(sorted(found), schema=["hospital", "service", "start", "end"], orient="row")
    return (
        holes.group_by("start", "end")
        .agg(pl.len().alias("services"), pl.col("hospital").n_unique().alias("places"))
        .select(pl.lit("sim_emergency"), "start", "end", "services", "places")
    )


@answers("Which files could not be read, and what do the feeds leave out by declaration?")
def _left_out() -> pl.DataFrame:
    rows = [("sim_blood_bank", "unreadable file", BROKEN)]
    for path in FEEDS_DIR.glob("*.yml"):
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
        things = {entry["what"] for entry in said.get("left_out", [])}
        if things:
            rows.append((said["feed"], "declared", len(things)))
    return pl.DataFrame(rows, orient="row")


@answers("Which revisions only reflect another number of reporting units?")
def _panel() -> pl.DataFrame:
    before = network.PANEL.sort("known").with_columns(
        pl.col("value", "units").shift(1).over("day").name.prefix("previous_")
    )
    other = before.filter(pl.col("previous_units") != pl.col("units"))
    days = pl.Series([network.at(day) for day in other["day"]])
    return other.select(
        pl.lit("panel_beds").alias("feed"), pl.lit("occupied"), days.alias("start"),
        "previous_units", "units", "previous_value", "value",
    )  # fmt: skip


@answers("Why are rows rejected?")
def _rejected() -> pl.DataFrame:
    """A conflict rejects the values that differ, in both lines; else the one value that cannot be true."""
    lines = of.emergency_lines().unique(subset=["hospital_id", "hour", *of.EMERGENCY])
    keys = ["hospital_id", "hour"]
    conflict = sum(lines.filter(pl.col(name).n_unique().over(keys) > 1).height for name in of.EMERGENCY)
    no_number = sum(
        lines.filter(
            pl.col(name).is_not_null() & pl.col(name).cast(pl.Float64, strict=False).is_null()
        ).height
        for name in of.EMERGENCY
        if name not in ("diverting", "open")
    )
    negative = sum(line.count(": -") for path in of.files("beds") for line in of.text_lines(path))
    return pl.DataFrame(
        [
            ("sim_emergency", "conflict", conflict),
            ("sim_emergency", "not_a_number", no_number),
            ("sim_beds", "negative", negative),
        ],
        orient="row",
    )


@answers("Where do two sources of one quantity disagree?")
def _sources() -> pl.DataFrame:
    """Neither feed has a declared precedence: the first by name speaks."""
    both = network.BEDS.filter(pl.col("site") == "S").pivot(on="feed", index="day", values="value")
    apart = (both["ward_beds"] - both["other_beds"]).abs()
    row = ("other_beds", "ward_beds", "occupied", both.height, int((apart > 0).sum()), apart.max())
    return pl.DataFrame([row], orient="row")


@answers("Where do published totals disagree with the sum of their parts?")
def _totals() -> pl.DataFrame:
    site = network.BEDS.filter(pl.col("site") == "T")
    by_day = site.group_by("day").agg(
        pl.col("value").filter(pl.col("specialty").is_null()).sum().alias("total"),
        pl.col("value").filter(pl.col("specialty").is_not_null()).sum().alias("parts"),
    )
    apart = by_day.filter((pl.col("total") - pl.col("parts")).abs() > 0.01 * pl.col("total"))
    days = pl.Series([network.at(day) for day in apart["day"]])
    return apart.select(
        pl.lit("ward_beds").alias("feed"), pl.lit("occupied"), days.alias("start"), "total", "parts",
        (pl.col("parts") - pl.col("total")).alias("difference"),
    )  # fmt: skip
