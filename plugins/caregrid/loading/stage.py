"""Loads one landed file under its feed's mapping: whole or not at all, in one transaction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import psycopg

from caregrid import faults
from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.feeds.model import Feed
from caregrid.landing import manifest
from caregrid.landing.manifest import LandedFile
from caregrid.loading import events, rejects
from caregrid.loading.fates import Kept, Tally, write_fates
from caregrid.loading.keys import LAYOUTS
from caregrid.loading.refused import Refused
from caregrid.loading.resolve import Resolution, resolve
from caregrid.loading.spill import Spill, SpillRoom
from caregrid.loading.writing import add_identifiers, copy_rows, note_bounds, register
from caregrid.mapping import FileContext, UnreadableFile, inspect_file, map_batch, read, records_at_once

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
    workers may ask at once. A kill at any moment leaves nothing behind but spilled rows, which `maintain`
    sweeps.

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
    outputs = feed.outputs_of(file.source)
    refused = Refused(room, outputs)
    spills, tally = _map(feed, file, room, context, refused)
    faults.point("stage:mapped")
    resolutions: dict[str, Resolution] = {}
    hashes = pl.concat(tally.record_hashes) if tally.record_hashes else None
    policies = {number: output.on_conflict for number, output in enumerate(outputs)}
    for contract, spill in spills.items():
        settled = [resolve(spill.layout, suspects, policies, hashes) for suspects in spill.suspects()]
        if settled:
            resolutions[contract] = Resolution.joined(settled)
    registered = register(connection, feed, spills)
    faults.point("stage:registered")
    kept = Kept()
    for contract, spill in spills.items():
        if spill.rows:
            ids = registered[contract]
            copy_rows(connection, spill, resolutions.get(contract), ids, load_id, kept)
            if contract == "facility":
                add_identifiers(connection, spill, ids, load_id)
            if contract == "usage" and hashes is not None and "event" in hashes.columns:
                told = events.complete(hashes, file)
                events.write(connection, load_id, spill, resolutions.get(contract), ids, told)
    for found in rejects.conflicts(feed, file, outputs, list(resolutions.values())):
        refused.add(found)
    refused.copy(connection, load_id)
    faults.point("stage:copied")
    duplicates = [resolution.duplicates for resolution in resolutions.values()]
    write_fates(connection, load_id, [output.name for output in outputs], tally, kept, refused, duplicates)
    note_bounds(connection, load_id, list(spills.values()))


def _map(
    feed: Feed, file: LandedFile, room: Path, context: FileContext | None, refused: Refused
) -> tuple[dict[str, Spill], Tally]:
    """Read and map the whole file; return the rows by contract, and what became of the records."""
    source = feed.sources[file.source]
    outputs = feed.outputs_of(source.name)
    spills = {output.contract: Spill(LAYOUTS[output.contract], room) for output in outputs}
    summing = any(output.on_conflict == "sum" for output in outputs)
    tally = Tally()
    with manifest.content(file) as path:
        if context is None:
            context = inspect_file(
                feed, source, path, file_name=file.file_name, member=file.member,
                last_modified=file.last_modified,
            )  # fmt: skip
        at_once = records_at_once(outputs, context)
        for batch in read(source, path, member=file.member):
            tally.add_batch(batch, summing, source)
            refused.add(batch.rejects)
            for part in batch.parts(at_once):
                for number, output in enumerate(outputs):
                    mapped = map_batch(feed, output, part, context)
                    if source.format.type not in ("csv", "tsv"):
                        mapped = rejects.without_nul(output, part, mapped)
                    spills[output.contract].add(mapped.rows, number)
                    refused.add(mapped.rejects)
                    tally.add_mapped(number, part, mapped)
    return spills, tally
