"""Loads landed files again under a corrected mapping; the old rows stay until the new load is accepted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from caregrid.database.connect import connect
from caregrid.feeds import Feed, load_feed
from caregrid.landing import manifest
from caregrid.loading import ledger
from caregrid.loading.stage import stage
from caregrid.mapping import UnreadableFile


@dataclass
class Replay:
    """What a replay did. replaced: new load → the load it supersedes once accepted (None: there was none)."""

    feed: str
    files: int = 0
    already_current: int = 0
    replaced: dict[int, int | None] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


def replay(feed_name: str | Path, load_id: int | None = None, run_id: str | None = None) -> dict[str, Any]:
    """Stage every landed file of a feed whose load, or rejection, is of another mapping than the present one.

    Args:
        feed_name: a name in dags/feeds, or the path of a YAML file.
        load_id: take only the file of this load.

    Returns:
        The fields of Replay.

    Raises:
        CareGridError: there is no such feed or load.
    """
    feed = load_feed(feed_name)
    done = Replay(feed.name)
    with connect("loader") as connection:
        wanted = None if load_id is None else ledger.load(connection, load_id).file_id
        for file in manifest.landed(connection, feed.name):
            if file.source not in feed.sources or wanted not in (None, file.file_id):
                continue
            done.files += 1
            if _is_current(connection, feed, file.file_id, file.source):
                done.already_current += 1
                continue
            connection.commit()
            try:
                new = stage(feed, file.file_id, run_id=run_id)
            except UnreadableFile as problem:
                done.unreadable.append(f"{file.file_name}: {problem.reason}")
            else:
                done.replaced[new] = ledger.load(connection, new).replaces
            connection.commit()
    return asdict(done)


def feed_of(load_id: int) -> str:
    """Return the name of the feed that a load belongs to.

    Raises:
        CareGridError: there is no such load.
    """
    with connect("loader") as connection:
        return ledger.load(connection, load_id).feed


def _is_current(connection: psycopg.Connection[Any], feed: Feed, file_id: int, source: str) -> bool:
    """Return whether what stands of a file (its load, else its rejection) is of the present mapping."""
    row = connection.execute(
        "select split_part(mapping_version, '#', 1) from raw.load where file_id = %(file)s and status <> "
        "'superseded' "
        "union all (select mapping_version from rejected.file where file_id = %(file)s "
        "order by rejected_file_id desc limit 1)",
        {"file": file_id},
    ).fetchall()
    return feed.mapping_version(source) in {version for (version,) in row}
