"""What a scoring run forecast for one feed, as rows that the hub's form is written from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from caregrid.errors import CareGridError

if TYPE_CHECKING:
    import polars as pl

# A hub names a target's period by its last day; hours have none of their own.
DAYS = {"day": 1, "week": 7}
MODEL = "caregrid"
NEWEST = """
    select run_id from model_output.run where kind = 'score' order by made_at desc, run_id desc limit 1
"""
ROWS = """
    select f.series_id, s.measure, s.grain, s.timezone, p.code, p.place_level, f.period_end, f.quantile,
           f.value
    from model_output.forecast f
    join core.dim_series s using (series_id)
    join core.dim_place p using (place_id)
    where f.run_id = %s and s.feed = %s and (%s::text is null or s.measure = %s)
"""
LEFT_OUT = """
    select l.reason, count(*)
    from model_output.series_left_out l join core.dim_series s using (series_id)
    where l.run_id = %s and s.feed = %s and (%s::text is null or s.measure = %s)
    group by 1 order by 1
"""


@dataclass
class Submission:
    """Rows as a back-test writes them, of model `caregrid`; the location is the place's code.

    Args:
        rows: unique_id (the location), cutoff, ds (last day of the period), horizon, model, quantile, value.
        reference_date: last day of the first period, hub horizon 0.
        left_out: {why: number of series or rows}.
    """

    run_id: str
    reference_date: date
    rows: pl.DataFrame
    left_out: Counter[str] = field(default_factory=Counter)


def from_run(
    connection: Any, feed: str, run_id: str | None = None, measure: str | None = None,
    reference_date: date | None = None,
) -> Submission:  # fmt: skip
    """Return what a scoring run says of a feed, horizons counted from the reference date.

    A series whose newest value is older than others' was forecast from further back: its periods keep their
    dates, and those before the reference date are left out.

    Args:
        connection: psycopg, a role that may read model_output and core.
        run_id: by default the newest scoring run.
        measure: where a feed has several.
        reference_date: by default the last day of the first period that follows what any series knows.

    Raises:
        CareGridError: there is no such run, no forecast of the feed, or a location would stand twice.
    """
    with connection.cursor() as cursor:
        if run_id is None:
            cursor.execute(NEWEST)
            found = cursor.fetchone()
            if found is None:
                raise CareGridError(
                    "no scoring run is stored", where="model_output.run", fix="run `caregrid forecast score`"
                )
            run_id = str(found[0])
        cursor.execute(ROWS, (run_id, feed, measure, measure))
        fetched = cursor.fetchall()
        cursor.execute(LEFT_OUT, (run_id, feed, measure, measure))
        left_out = Counter({f"series not forecast: {reason}": count for reason, count in cursor.fetchall()})
    if not fetched:
        told = f"; {sum(left_out.values())} of its series were left out" if left_out else ""
        raise CareGridError(
            f"run {run_id} holds no forecast of feed {feed}"
            + (f", measure {measure}" if measure else "")
            + told,
            where="model_output.forecast",
            fix="name another --feed, --measure or --run; core.dim_series lists feeds and measures",
        )
    return _submission(run_id, feed, fetched, left_out, reference_date)


def _submission(
    run_id: str, feed: str, fetched: list[tuple[Any, ...]], left_out: Counter[str], wanted: date | None
) -> Submission:
    """Turn rows of the warehouse into rows of a back-test."""
    import polars as pl

    grains = sorted({row[2] for row in fetched})
    if len(grains) > 1 or grains[0] not in DAYS:
        raise CareGridError(
            f"its forecasts are by {', '.join(grains)}; a submission is of days or of weeks",
            where=f"feed {feed}",
            fix="export a daily or weekly feed, or one --measure of it",
        )
    _refuse_two_series(fetched, feed)
    days = DAYS[grains[0]]
    table = pl.DataFrame(
        [(row[4], _last_day(row[6], row[3]), row[7], row[8]) for row in fetched],
        schema={"unique_id": pl.String, "day": pl.Date, "quantile": pl.Float64, "value": pl.Float64},
        orient="row",
    )
    firsts = table.group_by("unique_id").agg(pl.col("day").min())
    reference = wanted or firsts["day"].max()
    assert isinstance(reference, date)
    table = table.with_columns(apart=(pl.col("day") - pl.lit(reference)).dt.total_days())
    odd = table.filter(pl.col("apart") % days != 0)
    if len(odd):
        raise CareGridError(
            f"no period of {odd.row(0)[0]} ends on {reference}; one ends on {odd.row(0)[1]}",
            where=f"feed {feed}",
            fix="give the last day of a period as --reference-date",
        )
    early = table.filter(pl.col("apart") < 0)
    if len(early):
        left_out["rows about periods before the reference date"] = len(early)
    kept = table.filter(pl.col("apart") >= 0).with_columns(horizon=pl.col("apart") // days + 1)
    for name in sorted(set(firsts["unique_id"]) - set(kept["unique_id"])):
        left_out[f"location {name} has no period from the reference date on"] = 1
    if not len(kept.filter(pl.col("horizon") == 1)):
        raise CareGridError(
            f"no forecast is about the period that ends on {reference}; the periods end from "
            f"{min(table['day'].to_list())} to {max(table['day'].to_list())}",
            where=f"feed {feed}, run {run_id}",
            fix="give one of these days as --reference-date",
        )
    cutoff = datetime.combine(reference - timedelta(days=days), datetime.min.time())
    rows = kept.select(
        "unique_id",
        cutoff=pl.lit(cutoff).cast(pl.Datetime("us")),
        ds=pl.col("day").cast(pl.Datetime("us")),
        horizon=pl.col("horizon"),
        model=pl.lit(MODEL),
        quantile=pl.col("quantile"),
        value=pl.col("value"),
    )
    return Submission(run_id, reference, rows, left_out)


def _last_day(end: datetime, timezone: str) -> date:
    """Return the last day of a period by its place's calendar; it ends where the next one begins."""
    return (end.astimezone(ZoneInfo(timezone)) - timedelta(microseconds=1)).date()


def _refuse_two_series(fetched: list[tuple[Any, ...]], feed: str) -> None:
    """Refuse a choice in which two series would stand under one location."""
    of_place: dict[str, dict[int, str]] = {}
    for series_id, measure, _, _, code, level, *_ in fetched:
        of_place.setdefault(code, {})[series_id] = f"{measure} of {level} {code} (series {series_id})"
    for code, series in of_place.items():
        if len(series) > 1:
            raise CareGridError(
                f"{len(series)} series stand for location {code}: {', '.join(sorted(series.values())[:4])}",
                where=f"feed {feed}",
                fix="name one --measure; a feed broken down further has no place in a submission",
            )
