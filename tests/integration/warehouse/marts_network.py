"""The warehouse that the questions of docs/marts.md are asked of: the simulator's files through the real
loader, and what no file of it holds (totals, a second source, a panel, forecasts), written by the test.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from caregrid import paths
from caregrid.database.connect import connect
from caregrid.feeds import load_feeds
from caregrid.loading import accept
from caregrid.loading.ingest import IngestFailedError, ingest
from caregrid.simulate import Summary, simulate
from caregrid.warehouse import build, build_forecast

# Of these arguments three departments are over capacity when the simulation ends.
SEED, START, DAYS, FACILITIES = 34, date(2025, 11, 28), 40, 5
AS_OF = datetime(2026, 1, 6, 16, 15, tzinfo=UTC)  # a quarter past midnight in Hong Kong: its end
FEEDS = sorted(name for name, feed in load_feeds().items() if feed.data.get("base") == "simulated")
BASE = datetime(2025, 12, 1, tzinfo=UTC)

# The network written by hand; a specialty of None is the published total.
BEDS = pl.DataFrame(
    [
        ("T", "ward_beds", part, day, value)
        for day, values in enumerate([(10.0, 4.0, 6.0), (12.0, 5.0, 6.0), (9.0, 4.0, 5.0)])
        for part, value in zip((None, "medicine", "surgery"), values, strict=True)
    ]
    + [("S", "ward_beds", None, day, value) for day, value in enumerate((20.0, 21.0, 22.0, 23.0))]
    + [("S", "other_beds", None, day, value) for day, value in enumerate((20.0, 24.5, 22.0, 20.0))],
    schema=["site", "feed", "specialty", "day", "value"],
    orient="row",
)
# Published over again: day, moment known, value, departments that reported.
PANEL = pl.DataFrame(
    [(0, 2, 100.0, 50), (0, 4, 120.0, 60), (0, 6, 121.0, 60), (1, 3, 90.0, 60), (1, 5, 88.0, 55)],
    schema=["day", "known", "value", "units"],
    orient="row",
)
# What a model expects of general beds of each hospital of the simulator: at which hours from the newest, of
# which the first has passed, and quantile → so many more than now at each.
HOURS, EXPECTED = (-3, 1, 2), {0.5: (900.0, 1.0, 3.0), 0.9: (990.0, 6.0, 9.0)}
OVERLOAD, OVER_NOW = 0.62, ("SIM001", "SIM003")
# What was forecast here has been reported since.
PAST = ("SIM002",)
# The hours that the risk is about, and those that joint paths go on for.
RISK_HOURS, PATH_HOURS, PATHS = 24, 48, 8
# Where overload means that less than a tenth is free; levels by hospital, 1 elsewhere.
RESERVE_AT, LEVELS = ("SIM001", "SIM003"), {"SIM001": 3, "SIM003": 2, "SIM005": 4}
# What is expected of sums of places, beside what is occupied now: quantile → so many more an hour ahead.
OUTLOOK = {0.025: -4.0, 0.1: -2.0, 0.5: 1.0, 0.9: 5.0, 0.975: 9.0}
OUTLOOK_HOURS, ABSENT_OF_COUNTRY = 2, 1


def at(number: int) -> datetime:
    """The start of the n-th day of the network written by hand."""
    return BASE + timedelta(days=number)


def fill(network: Any) -> Summary:
    """Write everything, accept it and build; return what the simulator says of its files."""
    summary = simulate(paths.var("simulated"), seed=SEED, facilities=FACILITIES, days=DAYS, start=START)
    _divert()
    for feed in FEEDS:
        try:
            accept(ingest(feed)["load_ids"])
        except IngestFailedError as failed:
            accept(failed.summary["load_ids"])
    _write_beds(network)
    _write_panel(network)
    first = build()
    assert first.status == "published", first.reason
    _write_forecast()
    second = build_forecast()
    assert second.status == "published", second.reason
    return summary


def _divert() -> None:
    """A diversion that lasts beyond the end of the simulation, which otherwise has none then."""
    told = {
        "hospital": "SIM003", "started_at": "2026-01-06T20:00:00", "expires_at": "2026-01-07T06:00:00",
        "reason": "department_full", "sent_at": "2026-01-06T20:05:00",
    }  # fmt: skip
    paths.var("simulated", "diversions", "diversions_of_the_test.ndjson").write_text(json.dumps(told) + "\n")


def _write_beds(network: Any) -> None:
    for (site, feed), rows in BEDS.group_by("site", "feed", maintain_order=True):
        load = network.load(at(9), feed=feed)
        network.usage(load, [
            (
                network.one_series(
                    site, "occupied", feed=feed,
                    dimensions=json.dumps({"specialty": part}) if part else "{}",
                    total_over="{specialty}" if site == "T" and part is None else "{}",
                ),
                at(day), at(8), value,
            )
            for part, day, value in rows.select("specialty", "day", "value").iter_rows()
        ])  # fmt: skip
        network.accept(load)


def _write_panel(network: Any) -> None:
    series = network.one_series("P", "occupied", feed="panel_beds")
    for known, rows in PANEL.sort("known").group_by("known", maintain_order=True):
        load = network.load(at(known[0]), feed="panel_beds")
        network.usage(load, [(series, at(day), at(known[0]), value) for day, _, value, _ in rows.iter_rows()])
        with connect("loader") as connection:
            for day, _, _, units in rows.iter_rows():
                connection.execute(
                    "update canonical.usage set reporting_units = %s "
                    "where load_id = %s and period_start = %s",
                    [units, load, at(day)],
                )
        network.accept(load)


def more_on_path(code: str, hour: int, path: int) -> float:
    """How many more than now one path has at a hospital, so many hours ahead; the second day differs."""
    number = int(code[-1]) + (0 if hour <= RISK_HOURS else 2)
    return path * number % PATHS - 5.6 + hour % 5 * 0.5


def occupied_limit(code: str, capacity: float) -> float:
    """Above how many occupied there is overload at a hospital."""
    return capacity * 0.9 if code in RESERVE_AT else capacity


def _write_forecast() -> None:
    """A run for the general beds of every hospital: so many more than what is occupied now."""
    with connect("bi_reader") as connection:
        newest = connection.execute(
            "select latest.series_id, place.place_id, place.code, latest.period_start, latest.value "
            "from core.fct_latest as latest join core.dim_series as series using (series_id) "
            "join core.dim_place as place on series.place_id = place.place_id "
            "where series.feed = 'sim_beds' and series.service_or_resource = 'bed_general_acute' "
            "and series.measure = 'occupied' order by 1"
        ).fetchall()
    made = max(start for *_, start, _ in newest)
    with connect("model") as connection:
        connection.execute(
            "insert into model_output.run (run_id, kind, model_name, model_version, made_at, as_of, "
            "known_at_cut, code_version, lock_sha256, load_ids) "
            "values ('r1', 'score', 'm', '1', %s, %s, %s, 'c', 'l', '{}')",
            [made] * 3,
        )
        for series, place, code, start, value in newest:
            for quantile, more in EXPECTED.items():
                for horizon, (ahead, extra) in enumerate(zip(HOURS, more, strict=True), start=1):
                    hour = start + timedelta(hours=ahead - (RISK_HOURS if code in PAST else 0))
                    given = [series, hour, hour + timedelta(hours=1), horizon, quantile, value + extra]
                    connection.execute(
                        "insert into model_output.forecast values ('r1', %s, %s, %s, %s, %s, %s, %s, %s)",
                        [*given, made, made],
                    )
            until, is_over = start + timedelta(hours=RISK_HOURS + 1), code in OVER_NOW
            until = start if code in PAST else until
            means = "free under a reserve" if code in RESERVE_AT else "occupied over capacity"
            given = [series, place, RISK_HOURS, until, value, series, OVERLOAD, is_over, made, made,
                     occupied_limit(code, value), means, LEVELS.get(code, 1)]  # fmt: skip
            connection.execute(
                "insert into model_output.risk values ('r1', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, "
                "%s, '{0,0,0}')",
                given,
            )
            for hour in range(1, PATH_HOURS + 1):
                drawn = [value + more_on_path(code, hour, path) for path in range(1, PATHS + 1)]
                connection.execute(
                    "insert into model_output.path values ('r1', %s, %s, %s)",
                    [series, start + timedelta(hours=hour), drawn],
                )
        connection.execute(
            "insert into model_output.remark values ('r1', %s, 'forecast by a test')", [newest[0][0]]
        )
    _write_areas(newest, made)


def _write_areas(newest: list[tuple[Any, ...]], made: datetime) -> None:
    """Sums over every region of two hospitals or more, and over the country, where one has no forecast."""
    with connect("bi_reader") as connection:
        region = dict(connection.execute("select code, region_key from core.dim_place").fetchall())
    places = {("country", "HK"): newest}
    for row in newest:
        places.setdefault(("region", region[row[2]]), []).append(row)
    summed = [(area, rows) for area, rows in sorted(places.items()) if len(rows) > 1]
    with connect("model") as connection:
        for number, ((level, key), rows) in enumerate(summed, start=1):
            absent = ABSENT_OF_COUNTRY if level == "country" else 0
            connection.execute(
                "insert into model_output.area values ('r1', %s, %s, %s, 'sim_beds', 'hour', 'occupied', "
                "'bed_general_acute', 'snapshot', 'beds', '{}', '{}', %s, %s)",
                [number, level, key, [row[0] for row in rows], absent],
            )
            now = sum(value for *_, value in rows)
            for hour in range(1, OUTLOOK_HOURS + 1):
                start = made + timedelta(hours=hour)
                for quantile, more in OUTLOOK.items():
                    connection.execute(
                        "insert into model_output.area_forecast values ('r1', %s, %s, %s, %s, %s, %s)",
                        [number, start, start + timedelta(hours=1), hour, quantile, now + more * hour],
                    )
