"""Issues the numbers of places and series: each key once and for ever, whoever else asks just now."""

from __future__ import annotations

from typing import Any

import polars as pl
import psycopg

from caregrid.loading.keys import LOCAL, PLACE_KEY
from caregrid.mapping.types import PLACE_COLUMNS, SERIES_COLUMNS

PLACE = list(PLACE_COLUMNS)
SERIES_KEY = [*PLACE_KEY, "timezone", *SERIES_COLUMNS]
_SEPARATOR = "\x1f"


class LocalIds:
    """Numbers the distinct keys of one file from 0 as they appear, so that rows carry 4 bytes for them.

    Args:
        key: the columns that make a key.
        also: columns kept beside it (the smallest value that is not null, so that file order does not
        matter).
    """

    def __init__(self, key: list[str], also: list[str]) -> None:
        self.key = key
        self.also = also
        self._known: pl.DataFrame | None = None
        self._beside: list[pl.DataFrame] = []

    def number(self, rows: pl.DataFrame) -> pl.Series:
        """Return the numbers (UInt32) of the rows' keys, in row order."""
        distinct = rows.select(self.key).unique(maintain_order=True)
        if self._known is None:
            self._known = distinct.with_row_index(LOCAL)
        else:
            new = distinct.join(self._known, on=self.key, how="anti", nulls_equal=True, maintain_order="left")
            if new.height:
                numbered = new.with_row_index(LOCAL, offset=self._known.height)
                self._known = pl.concat([self._known, numbered])
        numbers = rows.select(self.key).join(
            self._known, on=self.key, how="left", nulls_equal=True, maintain_order="left"
        )[LOCAL]
        if self.also:
            beside = rows.select(self.also).with_columns(numbers.alias(LOCAL)).unique()
            self._beside.append(beside.group_by(LOCAL).agg(pl.col(self.also).min()))
        return numbers

    def table(self) -> pl.DataFrame:
        """Return one row per key: LOCAL, the key, and the columns beside it; ordered by LOCAL."""
        if self._known is None:
            raise ValueError("no row has been numbered")
        if not self._beside:
            return self._known
        beside = pl.concat(self._beside).group_by(LOCAL).agg(pl.col(self.also).min())
        return self._known.join(beside, on=LOCAL, how="left").sort(LOCAL)


def issue_places(connection: psycopg.Connection[Any], places: pl.DataFrame) -> pl.DataFrame:
    """Give every place a number, new ones included.

    Args:
        places: PLACE_KEY, place_name, country_code, timezone; a key may stand there several times.

    Returns:
        PLACE_KEY and place_id (Int64), one row per key.
    """
    distinct = (
        places.group_by(PLACE_KEY).agg(pl.col("place_name", "country_code", "timezone").min()).sort(PLACE_KEY)
    )
    keys = [distinct[name].to_list() for name in PLACE_KEY]
    found = _places(connection, keys)
    new = distinct.join(found, on=PLACE_KEY, how="anti")
    if not new.height:
        return found
    # In the order of the keys, so that two workers with the same new places wait for each other and not in
    # a circle.
    connection.execute(
        "insert into canonical.place (id_system, place_level, code, name, country_code, timezone) "
        "select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) "
        "on conflict (id_system, place_level, code) do nothing",
        [new[name].to_list() for name in [*PLACE_KEY, "place_name", "country_code", "timezone"]],
    )
    return _places(connection, keys)


def _places(connection: psycopg.Connection[Any], keys: list[list[str]]) -> pl.DataFrame:
    rows = connection.execute(
        "select p.id_system, p.place_level, p.code, p.place_id "
        "from unnest(%s::text[], %s::text[], %s::text[]) as k (id_system, place_level, code) "
        "join canonical.place as p using (id_system, place_level, code)",
        keys,
    ).fetchall()
    schema = {**dict.fromkeys(PLACE_KEY, pl.String), "place_id": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def issue_series(connection: psycopg.Connection[Any], feed: str, series: pl.DataFrame) -> pl.DataFrame:
    """Give every series of a feed a number, new ones included.

    Args:
        series: LOCAL, place_id, timezone and SERIES_COLUMNS; one row per LOCAL.

    Returns:
        LOCAL and series_id (Int64).
    """
    over = pl.col("total_over").list.sort().list.join(",")
    text = [
        pl.lit(feed),
        pl.col("place_id").cast(pl.String),
        *(pl.col(name) for name in SERIES_COLUMNS if name not in ("week_ends_on", "total_over")),
        pl.col("week_ends_on").cast(pl.String),
        over,
        pl.col("timezone"),
    ]
    keyed = series.with_columns(
        pl.concat_str([part.fill_null("") for part in text], separator=_SEPARATOR).alias("series_key"),
        over.alias("over"),
    ).sort("series_key")
    known = _series(connection, keyed["series_key"].to_list())
    new = keyed.join(known, on="series_key", how="anti", maintain_order="left").unique(
        "series_key", maintain_order=True
    )
    if new.height:
        connection.execute(
            "insert into canonical.series (series_key, feed, place_id, service_or_resource, measure, "
            "statistic, unit, "
            "grain, week_ends_on, dimensions, total_over, subset_of, timezone) "
            "select k, %s, p, s, m, t, u, g, w, d, string_to_array(o, ','), b, z from unnest(%s::text[], "
            "%s::bigint[], "
            "%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::smallint[], %s::jsonb[], "
            "%s::text[], "
            "%s::text[], %s::text[]) as n (k, p, s, m, t, u, g, w, d, o, b, z) on conflict (series_key) "
            "do nothing",
            [
                feed,
                *(
                    new[name].to_list()
                    for name in [
                        "series_key",
                        "place_id",
                        "service_or_resource",
                        "measure",
                        "statistic",
                        "unit",
                        "grain",
                        "week_ends_on",
                        "dimensions",
                        "over",
                        "subset_of",
                        "timezone",
                    ]
                ),
            ],
        )
        known = _series(connection, keyed["series_key"].to_list())
    return keyed.select(LOCAL, "series_key").join(known, on="series_key", how="left").drop("series_key")


def _series(connection: psycopg.Connection[Any], keys: list[str]) -> pl.DataFrame:
    rows = connection.execute(
        "select series_key, series_id from canonical.series where series_key = any(%s::text[])", [keys]
    ).fetchall()
    return pl.DataFrame(rows, schema={"series_key": pl.String, "series_id": pl.Int64}, orient="row")
