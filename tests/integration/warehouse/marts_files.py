"""The simulator's files as polars reads them, cleaned by the rules that the feeds state."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from caregrid import paths

HONG_KONG = "Asia/Hong_Kong"
EMERGENCY = [
    "stretchers", "stretchers_staffed", "stretchers_occupied", "present", "waiting_to_be_seen",
    "waiting_for_a_bed", "arrivals", "ambulance_arrivals", "ambulances_waiting", "diverting", "open",
]  # fmt: skip


def files(folder: str, name: str = "*") -> list[Path]:
    """Return the files of one of the simulator's folders, in order."""
    return sorted(paths.var("simulated", folder).glob(name))


def moment(column: str, pattern: str) -> pl.Expr:
    """Return a column of local times of Hong Kong as moments; they keep the time zone."""
    return pl.col(column).str.to_datetime(pattern).dt.replace_time_zone(HONG_KONG)


@cache
def registry() -> pl.DataFrame:
    """Facilities as the newest document describes them; `region_name` in English: it is `Northern … 北…`."""
    with zipfile.ZipFile(files("registry", "facilities_*.zip")[-1]) as archive:
        document = json.loads(archive.read(archive.namelist()[0]))
    return pl.DataFrame(document["facilities"], infer_schema_length=None).with_columns(
        region_name=pl.col("region_name").str.extract(r"^([A-Za-z ]+) ").str.strip_chars(),
        region_name_zh=pl.col("region_name").str.extract(r"([^A-Za-z ]+)$"),
    )


def named(frame: pl.DataFrame, hospital: str = "hospital") -> pl.DataFrame:
    """Add name, name_zh and region_name of the hospital."""
    return frame.join(
        registry().select(pl.col("id").alias(hospital), "name", "name_zh", "region_name"), on=hospital
    )


@cache
def emergency_lines() -> pl.DataFrame:
    """Every line of the emergency files as text; `attendances` under its older name; `file` beside it."""
    frames = []
    for path in files("emergency"):
        frame = pl.read_csv(io.BytesIO(gzip.decompress(path.read_bytes())), infer_schema=False)
        if "attendances" in frame.columns:
            frame = frame.rename({"attendances": "arrivals"})
        frames.append(frame.with_columns(file=pl.lit(path.name)))
    return pl.concat(frames, how="diagonal")


@cache
def emergency() -> pl.DataFrame:
    """One row per hospital and hour; a value that is no number, or two values of one key, is null."""
    yes = {"Y": "1", "N": "0"}
    values = [pl.col(name).replace(yes).cast(pl.Float64, strict=False) for name in EMERGENCY]
    return (
        emergency_lines()
        .with_columns(*values, hour=moment("hour", "%Y-%m-%d %H:%M"))
        .group_by(pl.col("hospital_id").alias("hospital"), "hour")
        .agg(
            pl.when(pl.col(name).drop_nulls().n_unique() == 1).then(pl.col(name).drop_nulls().first())
            for name in EMERGENCY
        )
    )


@cache
def beds() -> pl.DataFrame:
    """One row per hospital, hour and kind (general, icu); a negative number is null."""
    lines: list[dict[str, Any]] = []
    for path in files("beds"):
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            record = json.loads(line)
            for kind in ("general", "icu"):
                lines.append(
                    {"hospital": record["hospital"], "at": record["at"], "kind": kind, **record[kind]}
                )
    numbers = ["beds", "staffed", "occupied", "being_cleaned", "free"]
    return pl.DataFrame(lines, infer_schema_length=None).with_columns(
        *(pl.when(pl.col(name) >= 0).then(pl.col(name).cast(pl.Float64)).alias(name) for name in numbers),
        at=moment("at", "%Y-%m-%dT%H:%M:%S"),
    )


@cache
def activity() -> pl.DataFrame:
    """One row per hospital and day, nested fields joined by a dot."""
    days: list[dict[str, Any]] = []
    for path in files("activity"):
        for record in json.loads(gzip.decompress(path.read_bytes()))["days"]:
            flat = {"hospital": record["hospital"], "date": record["date"]}
            for group in ("theatre", "imaging"):
                flat |= {f"{group}.{name}": float(value) for name, value in record[group].items()}
            days.append(flat)
    return pl.DataFrame(days, infer_schema_length=None).with_columns(pl.col("date").str.to_date())


@cache
def clinics() -> pl.DataFrame:
    """One row per clinic and day."""
    frame = pl.concat([pl.read_csv(path, separator="\t") for path in files("clinics")])
    return frame.with_columns(pl.col("day").str.to_date("%d/%m/%Y"))


@cache
def staff() -> pl.DataFrame:
    """One row per hospital, group and shift."""
    return pl.concat([pl.read_parquet(path) for path in files("staff")])


@cache
def diversions() -> pl.DataFrame:
    """One row per diversion, its start and end as moments."""
    frame = pl.concat([pl.read_ndjson(path) for path in files("diversions")])
    return frame.with_columns(moment(name, "%Y-%m-%dT%H:%M:%S") for name in ("started_at", "expires_at"))


@cache
def measures() -> pl.DataFrame:
    """The quality measures: per hospital and measure the newest month, with the value of the one before."""
    frame = pl.concat(
        [
            pl.read_csv(path, infer_schema=False).with_columns(
                pl.col(name).replace({"": None, "*": None}).cast(pl.Float64)
                for name in ("value", "benchmark")
            )
            for path in files("quality", "measures_*.csv")
        ]
    )
    return (
        frame.sort("month")
        .with_columns(previous=pl.col("value").shift(1).over("hospital", "measure"))
        .group_by("hospital", "measure", maintain_order=True)
        .last()
        .with_columns(
            # less is better of what harms
            better=pl.when(pl.col("measure").is_in(["sim_readmission_30_days", "sim_falls"]))
            .then(-1)
            .otherwise(1)
        )
    )


@cache
def open_actions() -> pl.DataFrame:
    """Hospital and measure of the actions that the newest list still calls planned or under way."""
    newest = pl.read_csv(files("quality", "improvement_actions_*.csv")[-1], infer_schema=False)
    return (
        newest.filter(pl.col("status").is_in(["planned", "under_way"])).select("hospital", "measure").unique()
    )


def text_lines(path: Path) -> list[str]:
    """Return the lines of a gzipped text file."""
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def parquet(folder: str) -> pl.DataFrame:
    """Return all records of a folder of Parquet files."""
    return pl.concat([pl.read_parquet(path) for path in files(folder)])


def records_of(path: Path, name: str) -> int:
    """Return how many records a JSON document lists under a name; plain, gzipped or zipped."""
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            raw = archive.read(archive.namelist()[0])
    return len(json.loads(raw)[name])
