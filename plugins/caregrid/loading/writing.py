"""Writes the settled rows of one load: places and series are issued, then everything is copied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import psycopg

from caregrid.feeds.model import Feed
from caregrid.loading.copying import copy_frame, copy_frame_binary
from caregrid.loading.fates import Kept
from caregrid.loading.keys import LAYOUTS, LOCAL, Layout
from caregrid.loading.registry import PLACE, issue_places, issue_series
from caregrid.loading.resolve import Resolution
from caregrid.loading.spill import ROW, Spill

# How many rows are sorted at a time before they are copied, or bytes of them where they are long.
SORTED_ROWS = 500_000
SORTED_BYTES = 96 * 2**20


def register(
    connection: psycopg.Connection[Any], feed: Feed, spills: dict[str, Spill]
) -> dict[str, pl.DataFrame]:
    """Issue all places of the file, then all its series; return LOCAL → place_id or series_id by contract."""
    tables = {contract: spill.local_ids.table() for contract, spill in spills.items() if spill.rows}
    if not tables:
        return {}
    places = issue_places(connection, pl.concat([table.select(PLACE) for table in tables.values()]))
    registered = {}
    for contract, table in tables.items():
        placed = table.join(
            places, on=["id_system", "place_level", "code"], how="left", maintain_order="left"
        )
        if LAYOUTS[contract].registry == "place":
            registered[contract] = placed.select(LOCAL, pl.col("place_id").alias("id"))
    series = {contract: table for contract, table in tables.items() if contract not in registered}
    if series:
        every = pl.concat(
            [
                table.join(places, on=["id_system", "place_level", "code"], how="left").with_columns(
                    pl.lit(contract).alias("contract")
                )
                for contract, table in series.items()
            ]
        ).with_columns(pl.col(LOCAL).alias("own"), pl.int_range(pl.len(), dtype=pl.UInt32).alias(LOCAL))
        issued = every.join(issue_series(connection, feed.name, every), on=LOCAL, how="left")
        for contract in series:
            one = issued.filter(pl.col("contract") == contract)
            registered[contract] = one.select(pl.col("own").alias(LOCAL), pl.col("series_id").alias("id"))
    return registered


def copy_rows(
    connection: psycopg.Connection[Any],
    spill: Spill,
    resolution: Resolution | None,
    ids: pl.DataFrame,
    load_id: int,
    kept: Kept,
) -> None:
    """COPY the rows that stand into canonical.<contract>, and count them in `kept`."""
    layout: Layout = spill.layout
    number = f"{layout.registry}_id"
    by_local = ids.sort(LOCAL)["id"]
    dropped = pl.Series() if resolution is None else resolution.dropped

    def standing() -> Iterator[pl.DataFrame]:
        for frame in spill.frames():
            if resolution is None:
                yield frame
                continue
            # Of what is dropped only so much is looked at as this frame may hold.
            near = dropped.filter(dropped.is_between(frame[ROW][0], frame[ROW][-1]))
            yield frame.filter(~pl.col(ROW).is_in(near.implode())) if len(near) else frame
        if resolution is not None and resolution.changed is not None:
            yield resolution.changed

    def ready() -> Iterator[pl.DataFrame]:
        # In the order of the table's key, which halves what its index costs.
        order = [name for name in (number, "period_start", "known_at") if name in (number, *layout.table)]
        for part in _gathered(standing()):
            kept.add(part)
            yield part.with_columns(
                by_local.gather(part[LOCAL]).alias(number), pl.lit(load_id, pl.Int64).alias("load_id")
            ).sort(order)

    columns = [number, "load_id", "line", *layout.table]
    write = copy_frame_binary if layout.contract == "usage" else copy_frame
    with connection.cursor() as cursor:
        write(cursor, ("canonical", layout.contract), columns, ready())


def _gathered(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Join frames to larger ones of about SORTED_ROWS rows or SORTED_BYTES."""
    waiting: list[pl.DataFrame] = []
    rows, size = 0, 0.0
    for frame in frames:
        waiting.append(frame)
        rows, size = rows + frame.height, size + frame.estimated_size()
        if rows >= SORTED_ROWS or size >= SORTED_BYTES:
            yield pl.concat(waiting)
            waiting, rows, size = [], 0, 0.0
    if waiting:
        yield pl.concat(waiting)


def add_identifiers(
    connection: psycopg.Connection[Any], spill: Spill, ids: pl.DataFrame, load_id: int
) -> None:
    """Note the other identifiers that facility rows name; one known already stays as it is."""
    by_local = ids.sort(LOCAL)["id"]
    for frame in spill.frames():
        named = frame.filter(pl.col("identifiers").is_not_null() & (pl.col("identifiers") != "[]"))
        if not named.height:
            continue
        connection.execute(
            "insert into canonical.facility_identifier (place_id, system, value, valid_from, valid_to, "
            "load_id) "
            "select distinct p, i->>'system', i->>'value', (i->>'valid_from')::date, "
            "(i->>'valid_to')::date, %s::bigint from unnest(%s::bigint[], %s::text[]) as n (p, j) "
            "cross join jsonb_array_elements(j::jsonb) as i where i->>'value' is not null order by 2, 3, 1 "
            "on conflict (system, value, place_id) do nothing",
            [load_id, by_local.gather(named[LOCAL]).to_list(), named["identifiers"].to_list()],
        )


def note_bounds(connection: psycopg.Connection[Any], load_id: int, spills: list[Spill]) -> None:
    """Write into the ledger when the rows of a load were known, and what periods they are about."""
    known: list[Any] = []
    periods: list[Any] = []
    for spill in spills:
        for frame in spill.frames():
            known += [frame["known_at"].min(), frame["known_at"].max()]
            if "period_start" in frame.columns:
                periods += [frame["period_start"].min(), frame["period_start"].max()]
    known, periods = ([moment for moment in moments if moment is not None] for moments in (known, periods))
    connection.execute(
        "update raw.load set known_at_min = %s, known_at_max = %s, period_min = %s, period_max = %s where "
        "load_id = %s",
        [
            min(known, default=None),
            max(known, default=None),
            min(periods, default=None),
            max(periods, default=None),
            load_id,
        ],
    )
