"""Loads one landed file under its feed's mapping: whole or not at all, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import psycopg

from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.feeds.model import Feed
from caregrid.landing import manifest
from caregrid.landing.manifest import LandedFile
from caregrid.loading import faults, rejects
from caregrid.loading.copying import copy_frame, copy_frame_binary
from caregrid.loading.fates import Tally, write_fates
from caregrid.loading.keys import LAYOUTS, LOCAL, Layout
from caregrid.loading.registry import PLACE, issue_places, issue_series
from caregrid.loading.resolve import Resolution, resolve
from caregrid.loading.spill import ROW, Spill, SpillRoom
from caregrid.mapping import FileContext, UnreadableFile, inspect_file, map_batch, read

# First half of the advisory locks of files; the second is the file's number.
STAGE_LOCK = 1203


def stage(
    feed: Feed,
    file_id: int,
    *,
    run_id: str | None = None,
    again: bool = False,
    context: FileContext | None = None,
) -> int:
    """Map a landed file and write its rows, rejects and fates as one staged load; return its load_id.

    A file that is loaded under this mapping already is not loaded again: its load is returned. Several
    workers may
    ask at once. A kill at any moment leaves nothing behind but a spill directory that `maintain` sweeps.

    Args:
        again: load once more, as a load that replaces the one there is (a backfill asks for it).
        context: what `inspect_file` found while landing, where the same process landed the file just now.

    Raises:
        UnreadableFile: the file is not what its feed says; it is written to rejected.file, and nothing is
        loaded.
        CareGridError: there is no such file, or its bytes are gone.
    """
    with connect("loader") as connection:
        file = manifest.landed_file(connection, file_id)
        source = feed.sources.get(file.source)
        if source is None:
            raise CareGridError(
                f"the feed {feed.name} has no source {file.source!r} any more",
                where=str(feed.file),
                fix="name the source again, or leave its files as they are loaded",
            )
        version = feed.mapping_version(source.name)
        connection.execute("select pg_advisory_xact_lock(%s::int, %s::int)", [STAGE_LOCK, file_id % 2**31])
        present = _present(connection, file, version)
        if present is not None and not again:
            return present
        load_id = _open(connection, feed, file, version, run_id)
        faults.point("stage:opened")
        try:
            with SpillRoom() as room:
                _load(connection, feed, file, load_id, room, context)
        except UnreadableFile as problem:
            connection.rollback()
            reject_file(connection, file, version, problem)
            raise
        faults.point("stage:before_commit")
    faults.point("stage:after_commit")
    return load_id


def reject_file(
    connection: psycopg.Connection[Any], file: LandedFile, version: str, problem: UnreadableFile
) -> None:
    """Record that a landed file cannot be read under this mapping, and commit."""
    connection.execute(
        "insert into rejected.file (file_id, feed, mapping_version, code, reason) values (%s, %s, %s, %s, "
        "%s) "
        "on conflict (file_id, mapping_version) do nothing",
        [file.file_id, file.feed, version, problem.code, problem.reason],
    )
    connection.commit()


def _present(connection: psycopg.Connection[Any], file: LandedFile, version: str) -> int | None:
    """Return the load of a file under a mapping that is still in force, if any."""
    row = connection.execute(
        "select load_id from raw.load where file_id = %s and feed = %s and split_part(mapping_version, "
        "'#', 1) = %s "
        "and status <> 'superseded' order by load_id desc limit 1",
        [file.file_id, file.feed, version],
    ).fetchone()
    return row[0] if row else None


def _open(
    connection: psycopg.Connection[Any], feed: Feed, file: LandedFile, version: str, run_id: str | None
) -> int:
    """Insert the load, as the successor of the file's load in force; return its number."""
    (times,) = connection.execute(
        "select count(*) from raw.load where file_id = %s and feed = %s and split_part(mapping_version, "
        "'#', 1) = %s",
        [file.file_id, file.feed, version],
    ).fetchone() or (0,)
    row = connection.execute(
        "insert into raw.load (file_id, feed, source, owner, visibility, mapping_version, mapping, "
        "status, replaces, "
        "run_id) values (%s, %s, %s, %s, %s, %s, %s, 'staged', (select max(load_id) from raw.load "
        "where file_id = %s and feed = %s and status <> 'superseded'), %s) returning load_id",
        [
            file.file_id,
            feed.name,
            file.source,
            feed.owner_id,
            feed.visibility,
            # The same mapping once more is told apart by a number.
            version if not times else f"{version}#{times + 1}",
            json.dumps(feed.mapping(file.source), ensure_ascii=False),
            file.file_id,
            feed.name,
            run_id,
        ],
    ).fetchone()
    assert row is not None
    return int(row[0])


def _load(
    connection: psycopg.Connection[Any],
    feed: Feed,
    file: LandedFile,
    load_id: int,
    room: Path,
    context: FileContext | None,
) -> None:
    spills, tally = _map(feed, file, room, context)
    faults.point("stage:mapped")
    outputs = feed.outputs_of(file.source)
    resolutions: dict[str, Resolution] = {}
    hashes = pl.concat(tally.record_hashes) if tally.record_hashes else None
    policies = {number: output.on_conflict for number, output in enumerate(outputs)}
    for contract, spill in spills.items():
        suspects = spill.suspects()
        if suspects is not None:
            resolutions[contract] = resolve(spill.layout, suspects, policies, hashes)
    registered = _register(connection, feed, spills)
    faults.point("stage:registered")
    kept: list[pl.Series] = []
    for contract, spill in spills.items():
        if spill.rows:
            ids = registered[contract]
            _copy(connection, spill, resolutions.get(contract), ids, load_id, kept)
            if contract == "facility":
                _identifiers(connection, spill, ids, load_id)
    refused = [*tally.rejects, *rejects.conflicts(feed, file, outputs, resolutions)]
    rejects.write(connection, load_id, outputs, refused)
    faults.point("stage:copied")
    duplicates = [resolution.duplicates for resolution in resolutions.values()]
    write_fates(connection, load_id, [output.name for output in outputs], tally, kept, refused, duplicates)
    _bounds(connection, load_id, list(spills.values()))


def _map(
    feed: Feed, file: LandedFile, room: Path, context: FileContext | None
) -> tuple[dict[str, Spill], Tally]:
    """Read and map the whole file; return the rows by contract, and what became of everything else."""
    source = feed.sources[file.source]
    outputs = feed.outputs_of(source.name)
    spills = {output.contract: Spill(LAYOUTS[output.contract], room) for output in outputs}
    summing = any(output.on_conflict == "sum" for output in outputs)
    tally = Tally()
    path = manifest.content(file)
    if context is None:
        context = inspect_file(
            feed, source, path, file_name=file.file_name, member=file.member, last_modified=file.last_modified
        )
    for batch in read(source, path, member=file.member):
        tally.add_batch(batch, hashed=summing)
        for number, output in enumerate(outputs):
            mapped = map_batch(feed, output, batch, context)
            spills[output.contract].add(mapped.rows, number)
            tally.add_mapped(number, batch, mapped)
    return spills, tally


def _register(
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


def _copy(
    connection: psycopg.Connection[Any],
    spill: Spill,
    resolution: Resolution | None,
    ids: pl.DataFrame,
    load_id: int,
    kept: list[pl.Series],
) -> int:
    """COPY the rows that stand into canonical.<contract>; add their lines to `kept`; return their number."""
    layout: Layout = spill.layout
    number = f"{layout.registry}_id"
    by_local = ids.sort(LOCAL)["id"]

    def standing() -> Iterable[pl.DataFrame]:
        for frame in spill.frames():
            yield (
                frame
                if resolution is None
                else frame.filter(~pl.col(ROW).is_in(resolution.dropped.implode()))
            )
        if resolution is not None and resolution.changed is not None:
            yield resolution.changed

    def ready() -> Iterable[pl.DataFrame]:
        for frame in standing():
            kept.append(frame["line"])
            yield frame.with_columns(
                by_local.gather(frame[LOCAL]).alias(number), pl.lit(load_id, pl.Int64).alias("load_id")
            )
            faults.point("stage:mid_copy")

    columns = [number, "load_id", "line", *layout.table]
    write = copy_frame_binary if layout.contract == "usage" else copy_frame
    with connection.cursor() as cursor:
        return write(cursor, ("canonical", layout.contract), columns, iter(ready()))


def _identifiers(connection: psycopg.Connection[Any], spill: Spill, ids: pl.DataFrame, load_id: int) -> None:
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


def _bounds(connection: psycopg.Connection[Any], load_id: int, spills: list[Spill]) -> None:
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
