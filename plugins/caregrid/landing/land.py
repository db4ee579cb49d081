"""Lands what a source offers: fetches each address, keeps new bytes, and writes the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg

from caregrid import clock, faults
from caregrid.errors import CareGridError
from caregrid.feeds.model import Feed, Source
from caregrid.landing import manifest, store, transports
from caregrid.landing.addresses import base_of, place_of
from caregrid.landing.manifest import LandedFile
from caregrid.landing.sifting import is_sifted, sifted
from caregrid.landing.transports import Address, FetchFailedError, Known, Place
from caregrid.landing.transports.common import limit_bytes
from caregrid.mapping import FileContext, UnreadableFile, inspect_file, members

# Longer than the clock of any file system is coarse.
_SURELY_LATER = timedelta(seconds=3)


@dataclass
class Landed:
    """One landed file, or one member of it. context and problem: what inspecting it found, if it is new."""

    file: LandedFile
    is_new: bool
    context: FileContext | None = None
    problem: UnreadableFile | None = None


@dataclass
class Harvest:
    """What one source gave. failures: (address, what was wrong), also for what is missing."""

    landed: list[Landed] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Content:
    sha256: str
    byte_size: int
    etag: str | None
    last_modified: datetime | None


def land(
    connection: psycopg.Connection[Any],
    feed: Feed,
    source: Source,
    day: date | None = None,
    files: str | None = None,
) -> Harvest:
    """Fetch every address of a source and land what is new; each file is committed on its own.

    Args:
        connection: of the loader, without an open transaction.
        day: the day whose file to fetch, for a source with a date in its address.
        files: a glob over the paths below the feeds' directory; files outside it are left where they are.
    """
    harvest = Harvest()
    with place_of(feed, source, day) as place:
        offer = source.url or source.path or f"the query of {source.name}"
        try:
            found = transports.list_addresses(place)
        except (FetchFailedError, CareGridError) as error:
            _note_failure(connection, place, offer, error, harvest)
            return harvest
        if found and files is not None:
            found = [one for one in found if fnmatch(unquote(one.uri.removeprefix("base:")), files)]
            if not found:
                return harvest
        if not found:
            below = "" if "://" in offer else f" below {base_of(feed)}"
            message = f"there is no file at {offer}{below}" + (f" for {day}" if day else "")
            _note_failure(connection, place, offer, FetchFailedError("missing", message), harvest)
        newest = manifest.newest(connection, feed.name, source.name)
        for address in found:
            known = newest.get(address.uri, [])
            try:
                if known and _is_untouched(address, known[0]):
                    harvest.landed += [Landed(file, is_new=False) for file in known]
                    continue
                harvest.landed += _land_one(connection, place, address, known)
                connection.commit()
            except (FetchFailedError, CareGridError, OSError) as error:
                _note_failure(connection, place, address.uri, error, harvest)
    return harvest


def _is_untouched(address: Address, file: LandedFile) -> bool:
    """Return whether a file of this machine is the one that was landed, by its size and time alone.

    One that was changed within moments of being landed is read: its time may not tell the two apart.
    """
    if address.path is None or file.last_modified is None:
        return False
    if file.landed_at - file.last_modified < _SURELY_LATER:
        return False
    state = address.path.stat()
    return (
        (state.st_size, datetime.fromtimestamp(state.st_mtime, UTC)) == (file.byte_size, file.last_modified)
        and store.room().size(file.sha256) is not None
    )  # fmt: skip


def _note_failure(
    connection: psycopg.Connection[Any], place: Place, uri: str, error: Exception, harvest: Harvest
) -> None:
    connection.rollback()
    outcome = error.outcome if isinstance(error, FetchFailedError) else "failed"
    message = error.message if isinstance(error, FetchFailedError | CareGridError) else str(error)
    if isinstance(error, CareGridError) and error.fix:
        message += f"; {error.fix}"
    manifest.add_fetch(connection, place.feed.name, place.source.name, uri, outcome, message)
    connection.commit()
    harvest.failures.append((uri, message))


def _land_one(
    connection: psycopg.Connection[Any], place: Place, address: Address, known: list[LandedFile]
) -> list[Landed]:
    feed, source = place.feed, place.source
    content = _fetch(connection, place, address, known)
    if content is not None:
        manifest.lock(connection, feed.name, source.name, address.uri)
        known = manifest.standing(connection, feed.name, source.name, address.uri, content.sha256)
    if known:
        if content is not None and content.etag:
            manifest.note_etag(connection, [file.file_id for file in known], content.etag)
        manifest.add_fetch(
            connection, feed.name, source.name, address.uri, "unchanged", file_id=known[0].file_id
        )
        return [Landed(file, is_new=False) for file in known]
    assert content is not None
    faults.point("landing:before_manifest")
    landed = _describe(connection, feed, source, address, content)
    # `maintain` removes bytes that no row names; from here on a row names these (see retention.sweep).
    if store.room().size(content.sha256) is None:
        raise CareGridError("the bytes were swept away before they were named", fix="run the feed again")
    for one in landed:
        manifest.add_fetch(
            connection, feed.name, source.name, address.uri, "new", one.file.member or None, one.file.file_id
        )
    return landed


def _fetch(
    connection: psycopg.Connection[Any], place: Place, address: Address, landed: list[LandedFile]
) -> _Content | None:
    """Take and keep the content; None where what is landed still is the content."""
    connection.commit()  # no transaction stays open while a server takes its time
    if landed and store.room().size(landed[0].sha256) is None:
        landed = []
    known = Known()
    if landed:
        known = Known(landed[0].etag, landed[0].last_modified, partial(manifest.content, landed[0]))
    with transports.open_one(place, address, known) as answer:
        if answer.path is not None and not is_sifted(place.source):
            sha256, size = store.keep_file(answer.path)
        elif answer.path is not None:
            sha256, size = store.keep(sifted(place.source, store.chunks(answer.path)))
        elif answer.pieces is not None:
            sha256, size = store.keep(sifted(place.source, answer.pieces, limit_bytes()), limit_bytes())
        elif landed:
            return None
        else:
            raise FetchFailedError("failed", "the server says that nothing changed, but nothing is landed")
        return _Content(sha256, size, answer.etag, answer.last_modified)


def _describe(
    connection: psycopg.Connection[Any], feed: Feed, source: Source, address: Address, content: _Content
) -> list[Landed]:
    """Write the manifest of a new version: one row, or one per member of an archive."""
    landed = []
    version = manifest.next_version(connection, feed.name, source.name, address.uri)
    for name, (context, wrong) in _inspect(feed, source, address, content):
        published, assumed = (
            (context.published_at, context.published_at_is_assumed)
            if context
            # An unreadable file says nothing about its time; its age stands in.
            else (content.last_modified or clock.now(), True)
        )
        file_id = manifest.add_file(
            connection,
            {
                "feed": feed.name,
                "source": source.name,
                "uri": address.uri,
                "version": version,
                "member": name,
                "sha256": content.sha256,
                "byte_size": content.byte_size,
                "etag": content.etag,
                "last_modified": content.last_modified,
                "published_at": published,
                "published_at_is_assumed": assumed,
            },
        )
        landed.append(Landed(manifest.landed_file(connection, file_id), True, context, wrong))
    return landed


def _inspect(
    feed: Feed, source: Source, address: Address, content: _Content
) -> list[tuple[str, tuple[FileContext | None, UnreadableFile | None]]]:
    """Return what is found in the content, by member; the member of a plain file is ''."""
    with store.room().opened(content.sha256) as path:
        try:
            names = members(source, path) or [""]
        except UnreadableFile as problem:
            return [("", (None, problem))]
        return [(name, _inspect_member(feed, source, address, content, path, name)) for name in names]


def _inspect_member(
    feed: Feed, source: Source, address: Address, content: _Content, path: Path, member: str
) -> tuple[FileContext | None, UnreadableFile | None]:
    name = manifest.name_in(address.uri, member)
    try:
        context = inspect_file(
            feed, source, path, file_name=name, member=member, last_modified=content.last_modified
        )
    except UnreadableFile as problem:
        return None, problem
    return context, None
