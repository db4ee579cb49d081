"""The answers to the questions of docs/marts.md on operations, quality, planning and the calendar, computed
with polars from the files: question → rows in the order of the query's columns.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta

import holidays
import polars as pl
from caregrid.paths import SEEDS_DIR

from tests.integration.warehouse import marts_files as of
from tests.integration.warehouse import marts_network as network

ANSWERS: dict[str, Callable[[], pl.DataFrame]] = {}
SERVICES = {"general": "bed_general_acute", "icu": "bed_icu"}


def answers(question: str) -> Callable[[Callable[[], pl.DataFrame]], Callable[[], pl.DataFrame]]:
    """Register a function as the answer to a question of the page."""

    def register(function: Callable[[], pl.DataFrame]) -> Callable[[], pl.DataFrame]:
        assert question not in ANSWERS
        ANSWERS[question] = function
        return function

    return register


def newest(frame: pl.DataFrame, moment: str, *keys: str) -> pl.DataFrame:
    """The newest row of each key."""
    return frame.sort(moment).group_by(keys, maintain_order=True).last()


def departments_now() -> pl.DataFrame:
    """hospital, service, occupied, staffed, free: beds and stretchers at their newest moment."""
    wards = newest(of.beds(), "at", "hospital", "kind").select(
        "hospital", pl.col("kind").replace_strict(SERVICES).alias("service"), "occupied", "staffed", "free"
    )
    stretchers = newest(of.emergency(), "hour", "hospital").select(
        "hospital",
        service=pl.lit("stretcher"),
        occupied="stretchers_occupied",
        staffed="stretchers_staffed",
        free=(pl.col("stretchers_staffed") - pl.col("stretchers_occupied")).clip(lower_bound=0),
    )
    return of.named(pl.concat([wards, stretchers]))


@answers("Which departments hold more patients than they have places for, right now?")
def _over() -> pl.DataFrame:
    over = departments_now().filter(pl.col("occupied") > pl.col("staffed"))
    return over.select("name", "service", "occupied", "staffed", rate=pl.col("occupied") / pl.col("staffed"))


@answers("How many places are free now in each region, by kind?")
def _free() -> pl.DataFrame:
    return departments_now().group_by("region_name", "service").agg(pl.col("free").sum())


@answers("How many people are in each emergency department, and how many of them wait?")
def _waiting() -> pl.DataFrame:
    now = of.named(newest(of.emergency(), "hour", "hospital"))
    waiting = pl.col("waiting_to_be_seen") + pl.col("waiting_for_a_bed")
    return now.select("name", "name_zh", "present", waiting)


@answers("Where are ambulances sent elsewhere now?")
def _diverting() -> pl.DataFrame:
    lasting = (
        of.diversions()
        .filter(pl.col("expires_at").dt.convert_time_zone("UTC") > network.AS_OF)
        .select("hospital")
    )
    flagged = newest(of.emergency(), "hour", "hospital").filter(pl.col("diverting") == 1).select("hospital")
    return of.named(pl.concat([lasting, flagged]).unique()).select("name")


@answers("On which shifts are fewer staff on duty than needed?")
def _short() -> pl.DataFrame:
    now = of.named(newest(of.staff(), "shift_start", "hospital", "staff_group"))
    short = now.filter(pl.col("on_duty") < pl.col("needed"))
    return short.select("name", "staff_" + pl.col("staff_group"), "on_duty", "needed")


def _general() -> pl.DataFrame:
    return departments_now().filter(pl.col("service") == "bed_general_acute")


@answers("Where does the high estimate of the forecast exceed the beds that can be used?")
def _expected() -> pl.DataFrame:
    peaks = {quantile: max(more[1:]) for quantile, more in network.EXPECTED.items()}
    expected = _general().with_columns(
        median=pl.col("occupied") + peaks[0.5], high=pl.col("occupied") + peaks[0.9]
    )
    # Of a forecast whose time has passed nothing is to come.
    past = _wards().filter(pl.col("hospital").is_in(network.PAST))["name"].to_list()
    high = expected.filter(pl.col("high") > pl.col("staffed"))
    found = high.filter(~pl.col("name").is_in(past))
    assert 0 < len(found) < len(high)
    return found.select("name", "service", "staffed", "median", "high")


@answers("Where is an overload likely that is not there yet?")
def _new_risk() -> pl.DataFrame:
    wards = newest(of.beds().filter(pl.col("kind") == "general"), "at", "hospital")
    likely = of.named(wards.filter(~pl.col("hospital").is_in([*network.OVER_NOW, *network.PAST])))
    return likely.select(
        "name",
        service=pl.lit("bed_general_acute"),
        probability=pl.lit(network.OVERLOAD),
        until=pl.col("at") + timedelta(hours=network.RISK_HOURS + 1),
    )


def _wards() -> pl.DataFrame:
    """hospital, at, occupied (general beds, newest), name, name_zh, region_name."""
    return of.named(newest(of.beds().filter(pl.col("kind") == "general"), "at", "hospital"))


@answers("Where does overload mean that only a reserve is at stake, and how high is its level?")
def _reserve() -> pl.DataFrame:
    wards = _wards().filter(pl.col("hospital").is_in(network.RESERVE_AT))
    return wards.select(
        "name",
        service=pl.lit("bed_general_acute"),
        level=pl.col("hospital").replace_strict(network.LEVELS, default=1),
        probability=pl.lit(network.OVERLOAD),
    )


def _over_on_paths(hours: Callable[[datetime, int], bool]) -> pl.DataFrame:
    """name, region_name, path, over: whether a path is over the limit in any of the chosen hours."""
    rows = [
        (ward["name"], ward["region_name"], path, any(
            # whole beds
            math.floor(ward["occupied"] + network.more_on_path(ward["hospital"], hour, path) + 0.5)
            > network.occupied_limit(ward["hospital"], ward["occupied"])
            for hour in range(1, network.PATH_HOURS + 1)
            if hours(ward["at"] + timedelta(hours=hour), hour)
        ))
        for ward in _wards().iter_rows(named=True)
        for path in range(1, network.PATHS + 1)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=["name", "region_name", "path", "over"], orient="row")


@answers("How likely is any hour of the next 24 over capacity, by department?")
def _any_hour() -> pl.DataFrame:
    over = _over_on_paths(lambda _, hour: hour <= network.RISK_HOURS)
    # A risk whose time has passed has no hour left to look at.
    past = _wards().filter(pl.col("hospital").is_in(network.PAST))["name"]
    found = over.filter(~pl.col("name").is_in(past.to_list())).group_by("name")
    found = found.agg(probability=pl.col("over").mean())
    assert found["probability"].n_unique() > 1
    return found.select("name", pl.lit("bed_general_acute"), "probability")


@answers("How likely are two hospitals of one region both short of general beds on Thursday?")
def _both() -> pl.DataFrame:
    short = _over_on_paths(lambda start, _: start.isoweekday() == 4)
    pairs = short.join(short, on=["region_name", "path"]).filter(pl.col("name") < pl.col("name_right"))
    both = pairs.with_columns(both=pl.col("over") & pl.col("over_right"))
    found = both.group_by("name", "name_right").agg(probability=pl.col("both").mean())
    # Were they independent, it would be something else.
    alone = both.group_by("name", "name_right").agg(pl.col("over").mean() * pl.col("over_right").mean())
    assert not found.sort("name", "name_right").equals(alone.sort("name", "name_right"), null_equal=True)
    return found


@answers("What is expected of each region and country, from and to, and how many places are in the sum?")
def _outlook() -> pl.DataFrame:
    wards = _wards()
    measure = pl.read_csv(SEEDS_DIR / "measure.csv").filter(pl.col("measure") == "occupied")["name_en"][0]
    chinese = (
        of.registry()
        .select("region_name", "region_name_zh", area_key="HK/sim_region/" + pl.col("region"))
        .unique()
    )
    regions = (
        wards.group_by("region_name")
        .agg(pl.col("occupied").sum(), places=pl.len())
        .filter(pl.col("places") > 1)
        .join(chinese, on="region_name")
        .with_columns(absent=pl.lit(0))
    )
    country = wards.select(
        region_name=pl.lit("Hong Kong"),
        occupied=pl.col("occupied").sum(),
        places=pl.len(),
        region_name_zh=pl.lit("香港"),
        area_key=pl.lit("HK"),
        absent=pl.lit(network.ABSENT_OF_COUNTRY),
    ).head(1)
    areas = pl.concat([regions, country], how="diagonal_relaxed")
    made = wards["at"].max().replace(tzinfo=None)
    rows = [
        (
            area["area_key"], area["region_name"], area["region_name_zh"], "Simulated beds, hourly", measure,
            "bed_general_acute", {}, made + timedelta(hours=hour),
            *(area["occupied"] + network.OUTLOOK[level] * hour for level in (0.5, 0.1, 0.9, 0.025, 0.975)),
            area["places"], area["places"], area["absent"],
        )
        for area in areas.iter_rows(named=True)
        for hour in range(1, network.OUTLOOK_HOURS + 1)
    ]  # fmt: skip
    return pl.DataFrame(rows, orient="row")


def scored() -> pl.DataFrame:
    """Newest value of each measure: `worse` and `worsening` by its direction."""
    return of.named(of.measures()).with_columns(
        worse=(pl.col("value") - pl.col("benchmark")) * pl.col("better") < 0,
        worsening=(pl.col("value") - pl.col("previous")) * pl.col("better") < 0,
    )


@answers("Which measures are worse than their benchmark and still worsening?")
def _worse() -> pl.DataFrame:
    found = scored().filter(pl.col("worse") & pl.col("worsening"))
    return found.select("name", "measure", "value", "benchmark", "previous")


@answers("In how many of its measures does each hospital reach the benchmark?")
def _reached() -> pl.DataFrame:
    return scored().group_by("name").agg((~pl.col("worse")).sum(), pl.col("worse").count().alias("compared"))


@answers("Which failing measures has nobody an open action for?")
def _nobody() -> pl.DataFrame:
    failing = scored().filter(pl.col("worse")).join(of.open_actions(), on=["hospital", "measure"], how="anti")
    return failing.select("name", "measure", pl.col("value") - pl.col("benchmark"))


@answers("How has each measure moved since the period before, on average over the hospitals?")
def _moved() -> pl.DataFrame:
    units = {"sim_falls": "per_1000_bed_days", "sim_patient_experience": "points"}
    return (
        scored()
        .group_by("measure")
        .agg((pl.col("value") - pl.col("previous")).mean().alias("change"), pl.col("previous").count())
        .select(
            "measure",
            pl.col("measure").replace_strict(units, default="ratio").alias("unit"),
            "change",
            "previous",
        )
    )


def month(moment: str) -> pl.Expr:
    """The first day of the month of a local moment or a day."""
    return pl.col(moment).dt.date().dt.truncate("1mo")


@answers("How busy was each region's emergency care by month, and how complete is that number?")
def _busy() -> pl.DataFrame:
    """Complete: values reported of the four series that are summed, of the hours from first to last."""
    series = ["present", "waiting_to_be_seen", "waiting_for_a_bed", "arrivals"]
    hours = of.emergency()["hour"]
    spine = pl.DataFrame({"hour": pl.datetime_range(hours.min(), hours.max(), "1h", eager=True)})
    whole = spine.join(of.emergency().select("hospital").unique(), how="cross")
    lines = of.named(whole.join(of.emergency(), on=["hospital", "hour"], how="left"))
    return (
        lines.group_by("region_name", month("hour").alias("month"))
        .agg(
            pl.col("arrivals").sum(),
            pl.sum_horizontal(pl.col(name).count() for name in series) / (len(series) * pl.len()),
        )
    )  # fmt: skip


@answers("What share of the planned operations was cancelled, by region and month?")
def _cancelled() -> pl.DataFrame:
    return (
        of.named(of.activity())
        .group_by("region_name", month("date").alias("month"))
        .agg(
            pl.col("theatre.planned").sum().alias("planned"),
            pl.col("theatre.cancelled").sum().alias("cancelled"),
        )
        .select("region_name", "month", "planned", pl.col("cancelled") / pl.col("planned"))
    )


@answers("How full were intensive-care beds, by region and month?")
def _full() -> pl.DataFrame:
    """Means by hospital first: a hospital that reported fewer hours counts no less."""
    icu = of.beds().filter(pl.col("kind") == "icu").with_columns(month=month("at"))
    both = pl.col("occupied").is_not_null() & pl.col("staffed").is_not_null()
    means = icu.group_by("hospital", "month").agg(
        pl.col("occupied").mean().alias("mean"),
        pl.col("occupied").filter(both).mean().alias("occupied"),
        pl.col("staffed").filter(both).mean().alias("staffed"),
        (pl.col("occupied") > pl.col("staffed")).sum().alias("over"),
        both.sum().alias("compared"),
    )
    sums = of.named(means).group_by("region_name", "month").agg(pl.col(pl.Float64, pl.UInt32).sum())
    return sums.select(
        "region_name",
        "month",
        "mean",
        pl.col("occupied") / pl.col("staffed"),
        pl.col("over") / pl.col("compared"),
    )


@answers("How many minutes does one use take, by service?")
def _minutes() -> pl.DataFrame:
    days, visits = of.activity().sum(), of.clinics().sum()
    pairs = {
        "operating_theatre": days["theatre.minutes"][0] / days["theatre.done"][0],
        "imaging": days["imaging.minutes"][0] / days["imaging.scans"][0],
        "outpatient": visits["minutes"][0] / visits["visits"][0],
    }
    return pl.DataFrame({"service": list(pairs), "minutes": list(pairs.values())})


@answers("How many working days had each country in 2025, and how many holidays fell on a weekday?")
def _working_days() -> pl.DataFrame:
    days = pl.date_range(date(2025, 1, 1), date(2025, 12, 31), eager=True).to_list()
    rows = []
    for country in ("CA", "DE", "GB", "HK", "IT", "TW", "US"):
        known = holidays.country_holidays(country, years=2025)
        weekdays = [day for day in days if day.weekday() not in known.weekend]
        working = [day for day in days if known.is_working_day(day)]
        rows.append((country, len(working), sum(day in known for day in weekdays)))
    return pl.DataFrame(rows, schema=["country", "working", "holidays"], orient="row")


@answers("Do fewer people come to an emergency department on a holiday?")
def _on_holidays() -> pl.DataFrame:
    known = holidays.country_holidays("HK", years=(2025, 2026))
    by_day = (
        of.emergency()
        .filter(pl.col("arrivals").is_not_null())
        .group_by("hospital", pl.col("hour").dt.date().alias("day"))
        .agg(pl.col("arrivals").sum())
    )
    holiday = pl.Series([day in known for day in by_day["day"]])
    working = pl.Series([known.is_working_day(day) for day in by_day["day"]])
    return (
        by_day.with_columns(holiday=holiday, working=working)
        .group_by("holiday", "working")
        .agg(pl.col("day").n_unique(), pl.col("arrivals").mean())
    )


@answers("In which line of which file does the newest number of each intensive-care unit stand?")
def _lines() -> pl.DataFrame:
    rows = [
        (record["hospital"], record["at"], path, number, float(record["icu"]["occupied"]))
        for path in of.files("beds")
        for number, record in enumerate(map(json.loads, of.text_lines(path)), start=1)
    ]
    found = pl.DataFrame(rows, schema=["hospital", "at", "path", "line", "value"], orient="row")
    lines = newest(found, "at", "hospital")
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in lines["path"]]
    return lines.select(
        "hospital",
        pl.Series("uri", [f"base:beds/{path.name}" for path in lines["path"]]),
        pl.Series("sha256", digests),
        "line",
        "value",
    )
