"""One run of a feed: lands what its sources offer, stages what is not loaded, says what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.feeds import Feed, load_feed
from caregrid.feeds.model import Source
from caregrid.landing import manifest
from caregrid.landing.addresses import is_dated, refuse_future, today
from caregrid.landing.land import Harvest, Landed, land
from caregrid.landing.manifest import LandedFile
from caregrid.loading import accounting
from caregrid.loading.past import published_on
from caregrid.loading.stage import reject_file, stage
from caregrid.mapping import UnreadableFile


@dataclass
class Summary:
    """What one run did.

    load_ids: staged now; the gate has not seen them yet. records_…: the terms of accounting.LoadCounts.
    reject_reasons: how often, by code. first_reject: load and line of one, to look at.
    """

    feed: str
    day: str | None = None
    how: str = "fetched"
    files_landed: int = 0
    files_unchanged: int = 0
    files_failed: int = 0
    loads_staged: int = 0
    load_ids: list[int] = field(default_factory=list)
    records_received: int = 0
    records_loaded: int = 0
    records_partly_rejected: int = 0
    records_rejected: int = 0
    records_duplicate: int = 0
    records_filtered: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    reject_reasons: dict[str, int] = field(default_factory=dict)
    first_reject: tuple[int, int] | None = None
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class IngestFailedError(CareGridError):
    """Some file of a run was missing or unreadable; everything else was loaded. `summary` says what."""

    def __init__(self, summary: dict[str, Any]) -> None:
        self.summary = summary
        failures = summary["failures"]
        taken = summary.get("files_landed", 0) + summary.get("files_unchanged", 0)
        others = "the other files are loaded; " if summary["loads_staged"] or taken > len(failures) else ""
        super().__init__(
            f"{len(failures)} of the files could not be taken: " + "; ".join(failures),
            where=f"feed {summary['feed']}",
            fix=f"{others}correct the source or the mapping and run the feed again",
        )


def ingest(
    feed_name: str | Path,
    day: date | None = None,
    run_id: str | None = None,
    *,
    reload: bool = False,
    files: str | None = None,
) -> dict[str, Any]:
    """Land and stage one feed; safe to run twice.

    Args:
        feed_name: a name in dags/feeds, or the path of a YAML file.
        day: the publication date to take. A source with a date in its address gives that day's file;
            any other cannot give a past day, so what was landed of that day is staged from landing, and the
            summary says so.
        run_id: of the Airflow run, kept with the loads; what an earlier try of it loaded is part of the
            summary, or a try killed after its last load would end as if there had been nothing.
        reload: load the day's files again although they are loaded (a backfill asks for it).
        files: a glob over the paths below the feeds' directory; only these files are taken.

    Returns:
        The fields of Summary, ready for XCom.

    Raises:
        IngestFailedError: a file was missing or unreadable; raised after all others are staged.
        CareGridError: the feed's YAML is wrong, the day has not come, or there is no database.
    """
    feed = load_feed(feed_name)
    if day is not None:
        refuse_future(feed, day)
    summary = Summary(feed.name, day.isoformat() if day else None)
    with connect("loader") as connection:
        for load_id in _loads_of_run(connection, feed.name, run_id):
            _add(connection, load_id, summary)
        for source in feed.sources.values():
            if day is None and files is None:
                # What a killed worker left: the address may offer something else by now.
                for file in manifest.not_loaded(connection, feed.name, source.name):
                    _stage_one(connection, feed, Landed(file, is_new=False), run_id, reload, summary)
            if day is not None and day < today(feed) and not is_dated(source):
                harvest = _from_landing(connection, feed, source.name, day, summary)
            else:
                harvest = land(connection, feed, source, day if is_dated(source) else None, files)
                if day is not None and not harvest.landed:
                    # The publisher no longer has the day; landing may.
                    kept = _from_landing(connection, feed, source.name, day, summary)
                    harvest = kept if kept.landed else harvest
            _count(harvest, summary)
            settled = set() if reload else _settled(connection, feed, source, harvest)
            for landed in harvest.landed:
                if landed.file.file_id in settled:
                    continue
                _stage_one(connection, feed, landed, run_id, reload, summary)
    summary.files_failed = len(summary.failures)
    if summary.failures:
        raise IngestFailedError(asdict(summary))
    return asdict(summary)


def _from_landing(
    connection: psycopg.Connection[Any], feed: Feed, source: str, day: date, summary: Summary
) -> Harvest:
    files = published_on(connection, feed, source, day)
    summary.how = "replayed from landing"
    summary.notes.append(
        f"{source}: the publisher keeps no past days; "
        + (
            f"{len(files)} landed files of {day} are taken"
            if files
            else f"nothing was landed that was published on {day}"
        )
    )
    return Harvest([Landed(file, is_new=False) for file in files])


def _count(harvest: Harvest, summary: Summary) -> None:
    summary.files_landed += sum(landed.is_new for landed in harvest.landed)
    summary.files_unchanged += sum(not landed.is_new for landed in harvest.landed)
    summary.failures += [f"{address}: {what}" for address, what in harvest.failures]


def _stage_one(
    connection: psycopg.Connection[Any],
    feed: Feed,
    landed: Landed,
    run_id: str | None,
    reload: bool,
    summary: Summary,
) -> None:
    """Stage a file unless it is loaded; an unreadable one fails every run, so that a retry hides nothing."""
    file = landed.file
    version = feed.mapping_version(file.source)
    problem: UnreadableFile | None = landed.problem
    if problem is not None:
        reject_file(connection, file, version, problem)
    else:
        problem = _rejected(connection, file, version)
    wanted = problem is None and (reload or not _is_loaded(connection, file))
    connection.commit()  # no transaction stays open while a file is staged
    if wanted:
        try:
            load_id = stage(feed, file.file_id, run_id=run_id, again=reload, context=landed.context)
        except UnreadableFile as found:
            problem = found
        except CareGridError as found:
            # Its bytes are gone or damaged, or the mapping fails: the other files go on.
            summary.failures.append(f"{file.file_name}: {found}")
        else:
            _add(connection, load_id, summary)
    if problem is not None:
        summary.failures.append(f"{file.file_name}: {problem.reason}")
    connection.commit()


def _loads_of_run(connection: psycopg.Connection[Any], feed: str, run_id: str | None) -> list[int]:
    rows = connection.execute(
        "select load_id from raw.load where feed = %s and run_id = %s order by load_id", [feed, run_id]
    ).fetchall()
    return [load_id for (load_id,) in rows]


def _settled(connection: psycopg.Connection[Any], feed: Feed, source: Source, harvest: Harvest) -> set[int]:
    """Return the files that are loaded and that this mapping does not reject: nothing is left to do."""
    rows = connection.execute(
        "select file_id from raw.load where file_id = any(%(files)s) except "
        "select file_id from rejected.file where file_id = any(%(files)s) and mapping_version = %(version)s",
        {
            "files": [landed.file.file_id for landed in harvest.landed],
            "version": feed.mapping_version(source.name),
        },
    ).fetchall()
    return {file_id for (file_id,) in rows}


def _is_loaded(connection: psycopg.Connection[Any], file: LandedFile) -> bool:
    """Return whether a file has a load under any mapping; a corrected mapping is asked for by a replay."""
    return (
        connection.execute("select from raw.load where file_id = %s limit 1", [file.file_id]).fetchone()
        is not None
    )


def _rejected(connection: psycopg.Connection[Any], file: LandedFile, version: str) -> UnreadableFile | None:
    row = connection.execute(
        "select code, reason from rejected.file where file_id = %s and mapping_version = %s",
        [file.file_id, version],
    ).fetchone()
    return UnreadableFile(*row) if row else None


def _add(connection: psycopg.Connection[Any], load_id: int, summary: Summary) -> None:
    counts = accounting.load_counts(connection, load_id)
    summary.loads_staged += 1
    summary.load_ids.append(load_id)
    for name, number in asdict(counts).items():
        setattr(summary, name, getattr(summary, name) + number)
    if not counts.records_partly_rejected and not counts.records_rejected:
        return
    found = accounting.rejects(connection, load_id)
    for code, times in found.reasons.items():
        summary.reject_reasons[code] = summary.reject_reasons.get(code, 0) + times
    if summary.first_reject is None and found.first_line is not None:
        summary.first_reject = (load_id, found.first_line)
