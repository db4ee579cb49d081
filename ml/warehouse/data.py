"""Where the models' numbers come from: an interface, the warehouse behind it, and frames for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import polars as pl

# What the queries below read, for the lineage of a run.
READS = ("core.dim_measure", "core.dim_place", "core.dim_series", "core.fct_usage")
CAPACITY_MEASURES = ("staffed_capacity", "capacity")
SERIES_COLUMNS = (
    "series_id", "key", "feed", "place_id", "place_level", "country_code", "region_key", "area_level",
    "area_key", "timezone", "service_or_resource", "measure", "statistic", "unit", "kind", "is_forecast",
    "adds_over_place", "grain", "dimensions", "total_over",
)  # fmt: skip
VALUE_COLUMNS = (
    "series_id", "period_start", "period_end", "known_at", "value", "reporting_units", "load_id",
)  # fmt: skip


Connect = Callable[[], Any]  # returns an open psycopg connection as role model


class Data(Protocol):
    """What a model may ask for. Both frames are polars.

    `series`: one row per demand or capacity series, columns SERIES_COLUMNS (dimensions and total_over as
    text). `key` is what the series is, in its publisher's codes: its number depends on which file came first.
    `values`: every version with known_at <= cut, columns VALUE_COLUMNS, instants in UTC, value null where the
    status is not `reported`; with `load_ids`, only values of those loads.
    """

    def series(self) -> pl.DataFrame:
        """Return the series."""
        ...

    def values(self, cut: datetime, load_ids: Sequence[int] | None = None) -> pl.DataFrame:
        """Return what was known at the cut."""
        ...


class Frames:
    """Data held in memory, for tests, notebooks and the served model.

    Args:
        series: at least series_id; what is absent gets a default that says nothing (key: the number).
        values: at least series_id, period_start, value; known_at defaults to period_end.
    """

    def __init__(self, series: pl.DataFrame, values: pl.DataFrame) -> None:
        import polars as pl

        defaults: dict[str, Any] = {
            "feed": "frame", "place_id": 0, "place_level": "facility", "country_code": None,
            "region_key": None, "area_level": None, "area_key": None, "timezone": "UTC",
            "service_or_resource": "", "measure": "occupied", "statistic": "snapshot", "unit": "",
            "kind": "stock", "is_forecast": True, "adds_over_place": True, "grain": "day",
            "dimensions": "{}", "total_over": "",
        }  # fmt: skip
        if "key" not in series.columns:
            series = series.with_columns(key=pl.col("series_id").cast(pl.String))
        absent = [pl.lit(value).alias(name) for name, value in defaults.items() if name not in series.columns]
        self._series = series.with_columns(absent).select(SERIES_COLUMNS)
        if "period_end" not in values.columns:
            values = values.with_columns(period_end=pl.col("period_start"))
        if "known_at" not in values.columns:
            values = values.with_columns(known_at=pl.col("period_end"))
        if "reporting_units" not in values.columns:
            values = values.with_columns(reporting_units=pl.lit(None, pl.Float64))
        if "load_id" not in values.columns:
            values = values.with_columns(load_id=pl.lit(1, pl.Int64))
        self._values = _typed(values.select(VALUE_COLUMNS))

    def series(self) -> pl.DataFrame:
        """Return the series as given."""
        return self._series

    def values(self, cut: datetime, load_ids: Sequence[int] | None = None) -> pl.DataFrame:
        """Return the values known at the cut."""
        import polars as pl

        known = self._values.filter(pl.col("known_at") <= cut)
        return known if load_ids is None else known.filter(pl.col("load_id").is_in(list(load_ids)))


def connect_as_model() -> Any:
    """Return a connection to the warehouse as role `model`."""
    from caregrid.database.connect import connect

    return connect("model")


class Warehouse:
    """Data read from core as role `model`.

    Args:
        connect: returns an open psycopg connection, by default caregrid.database.connect for role model.
        history_dates: how many of each feed's newest dates with any value are read, by core grain; absent
            grains whole. Dates with values count, not days, since a feed may have been silent for years.
    """

    def __init__(self, connect: Connect | None = None, history_dates: dict[str, int] | None = None) -> None:
        self._connect = connect or connect_as_model
        self._history_dates = history_dates or {}

    def series(self) -> pl.DataFrame:
        """Return demand and capacity series with what is known of their places."""
        frame = self._copy(
            """
            select s.series_id,
                   concat_ws('|', p.id_system, p.place_level, p.code, s.service_or_resource, s.measure,
                       s.statistic, s.unit, s.grain, s.week_ends_on, s.dimensions, s.total_over,
                       s.timezone, s.subset_of) as key,
                   s.feed, s.place_id, p.place_level, p.country_code, p.region_key,
                   case when p.place_level in ('region', 'province') then 'region'
                        when p.place_level = 'country' then 'country' end as area_level,
                   case when p.place_level in ('region', 'province') then p.region_key
                        when p.place_level = 'country' then p.country_code end as area_key,
                   s.timezone, s.service_or_resource, s.measure, s.statistic, s.unit, m.kind,
                   m.forecast as is_forecast, 'place' = any (m.additive_over) as adds_over_place,
                   s.grain, s.dimensions::text as dimensions, s.total_over::text as total_over
            from core.dim_series s
            join core.dim_measure m using (measure)
            join core.dim_place p using (place_id)
            where m.forecast or s.measure = any (%(capacity)s)
            """,
            {"capacity": list(CAPACITY_MEASURES)},
        )
        return frame.select(SERIES_COLUMNS)

    def values(self, cut: datetime, load_ids: Sequence[int] | None = None) -> pl.DataFrame:
        """Return every version known at the cut, within the history that the settings ask for."""
        import json

        return _typed(
            self._copy(
                """
                with wanted as (
                    select s.series_id, s.feed, s.grain
                    from core.dim_series s join core.dim_measure m using (measure)
                    where m.forecast or s.measure = any (%(capacity)s)
                ), dates as (
                    select w.feed, w.grain, f.period_start::date as day,
                           row_number() over (partition by w.feed, w.grain order by f.period_start::date desc)
                    from core.fct_usage f join wanted w using (series_id)
                    where f.known_at <= %(cut)s and (%(all_loads)s or f.load_id = any (%(loads)s))
                    group by 1, 2, 3
                ), bounds as (
                    select feed, grain, min(day) as first
                    from dates
                    where row_number <= coalesce((%(history)s::jsonb ->> grain)::int, row_number)
                    group by 1, 2
                )
                select f.series_id, f.period_start, f.period_end, f.known_at,
                       case when f.value_status = 'reported' then f.value end as value,
                       f.reporting_units, f.load_id
                from core.fct_usage f join wanted w using (series_id) join bounds b using (feed, grain)
                where f.known_at <= %(cut)s
                  and (%(all_loads)s or f.load_id = any (%(loads)s))
                  and f.period_start >= b.first
                """,
                {
                    "capacity": list(CAPACITY_MEASURES),
                    "cut": cut,
                    "all_loads": load_ids is None,
                    "loads": list(load_ids or []),
                    "history": json.dumps(self._history_dates),
                },
            )
        )

    def _copy(self, query: str, parameters: dict[str, Any]) -> pl.DataFrame:
        """Run a query through COPY, which is several times as fast as fetching rows."""
        import polars as pl

        buffer = BytesIO()
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute("set local timezone to 'UTC'")
            with cursor.copy(f"copy ({query}) to stdout with (format csv, header)", parameters) as stream:
                for block in stream:
                    buffer.write(block)
        buffer.seek(0)
        return pl.read_csv(
            buffer,
            infer_schema_length=0,
        ).with_columns(
            pl.col("^(series_id|place_id|load_id)$").cast(pl.Int64),
            pl.col("^(is_forecast|adds_over_place)$") == "t",
        )


def _typed(values: pl.DataFrame) -> pl.DataFrame:
    """Return values with exact types, instants as UTC microseconds, in one order however they came."""
    import polars as pl

    moment = pl.Datetime("us", "UTC")
    for name in ("period_start", "period_end", "known_at"):
        if values.schema[name] == pl.String:
            # PostgreSQL writes `+00` and drops a fraction of zero.
            text = pl.col(name).str.replace(r"[+]00(:00)?$", "")
            whole = pl.when(text.str.contains(".", literal=True)).then(text).otherwise(text + ".000000")
            parsed = whole.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us").dt.replace_time_zone("UTC")
            values = values.with_columns(parsed.alias(name))
        elif getattr(values.schema[name], "time_zone", None) is None:
            values = values.with_columns(pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    return values.with_columns(
        pl.col("series_id").cast(pl.Int64),
        pl.col("period_start", "period_end", "known_at").cast(moment),
        pl.col("value", "reporting_units").cast(pl.Float64),
        pl.col("load_id").cast(pl.Int64),
    ).sort("series_id", "period_start", "known_at", "load_id", "value", "reporting_units")


def fingerprint(values: pl.DataFrame) -> str:
    """Return a sha256 over the values in their fixed order: equal inputs, equal digits.

    Which load brought a value is no part of it: a file that is loaded once more says the same.
    """
    digest = hashlib.sha256()
    for name in VALUE_COLUMNS[:-1]:
        column = values[name]
        digest.update(column.to_physical().fill_null(-1).to_numpy().tobytes())
        digest.update(column.is_null().to_numpy().tobytes())
    return digest.hexdigest()


def newest_known(values: pl.DataFrame) -> datetime:
    """Return the latest known_at among the values (the epoch when there are none)."""
    newest = values["known_at"].max()
    return newest if isinstance(newest, datetime) else datetime.fromtimestamp(0, UTC)
