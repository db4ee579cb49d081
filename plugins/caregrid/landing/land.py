"""Lands what a source offers: fetches each address, keeps new bytes, and writes the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fnmatch import fnmatch
from typing import Any
from urllib.parse import unquote

import psycopg

from caregrid import clock, faults
from caregrid.errors import CareGridError
from caregrid.feeds.model import Feed, Source
from caregrid.landing import https, manifest, store
from caregrid.landing.addresses import Address, addresses, base_of
from caregrid.landing.manifest import LandedFile
from caregrid.mapping import FileContext, UnreadableFile, inspect_file, members


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
    found = addresses(feed, source, day)
    if found and files is not None:
        found = [address for address in found if fnmatch(unquote(address.uri.removeprefix("base:")), files)]
        if not found:
            return harvest
    if not found:
        place = source.path or source.url or ""
        below = "" if "://" in place else f" below {base_of(feed)}"
        message = f"there is no file at {place}{below}" + (f" for {day}" if day else "")
        manifest.add_fetch(connection, feed.name, source.name, place, "missing", message)
        connection.commit()
        harvest.failures.append((place, message))
    for address in found:
        try:
            harvest.landed += _land_one(connection, feed, source, address)
        except (https.FetchFailedError, CareGridError, OSError) as error:
            connection.rollback()
            outcome = error.outcome if isinstance(error, https.FetchFailedError) else "failed"
            message = (
                error.message if isinstance(error, https.FetchFailedError | CareGridError) else str(error)
            )
            manifest.add_fetch(connection, feed.name, source.name, address.uri, outcome, message)
            harvest.failures.append((address.uri, message))
        connection.commit()
    return harvest


def _land_one(
    connection: psycopg.Connection[Any], feed: Feed, source: Source, address: Address
) -> list[Landed]:
    content = (
        _from_disk(connection, feed, source, address)
        if address.path
        else _from_web(connection, feed, source, address)
    )
    known = (
        manifest.newest(connection, feed.name, source.name, address.uri)
        if content is None
        else manifest.same_content(connection, feed.name, source.name, address.uri, content.sha256)
    )
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
    for one in landed:
        manifest.add_fetch(
            connection, feed.name, source.name, address.uri, "new", one.file.member or None, one.file.file_id
        )
    return landed


def _from_disk(
    connection: psycopg.Connection[Any], feed: Feed, source: Source, address: Address
) -> _Content | None:
    """Keep a file's bytes, unless they are kept already."""
    path = address.path
    assert path is not None
    # A path below the feeds' directory stays there, also through a link that a publisher may have left.
    if address.uri.startswith("base:") and not path.resolve().is_relative_to(base_of(feed).resolve()):
        raise CareGridError(
            "it leads outside the feeds' directory",
            where=str(path),
            fix="copy it there, or name it as file:///",
        )
    status = path.stat()
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    sha256, size = store.digest(path), status.st_size
    if not store.path_of(sha256).is_file():
        sha256, size = store.keep(store.chunks(path))
    return _Content(sha256, size, None, modified)


def _from_web(
    connection: psycopg.Connection[Any], feed: Feed, source: Source, address: Address
) -> _Content | None:
    """Fetch and keep; None where the server says that what is landed is still its content."""
    known = [
        file
        for file in manifest.newest(connection, feed.name, source.name, address.uri)
        if store.path_of(file.sha256).is_file()
    ]
    connection.commit()  # no transaction stays open while a server takes its time
    etag, modified = (known[0].etag, known[0].last_modified) if known else (None, None)
    with https.get(address.uri, etag, modified) as answer:
        if answer.pieces is None:
            return None
        sha256, size = store.keep(answer.pieces, https.limit_bytes())
        return _Content(sha256, size, answer.etag, answer.last_modified)


def _describe(
    connection: psycopg.Connection[Any], feed: Feed, source: Source, address: Address, content: _Content
) -> list[Landed]:
    """Write the manifest of new content: one row, or one per member of an archive."""
    path = store.path_of(content.sha256)
    problem: UnreadableFile | None = None
    try:
        names = members(source, path) or [""]
    except UnreadableFile as error:
        names, problem = [""], error
    landed = []
    for name in names:
        context, wrong = (None, problem) if problem else _inspect(feed, source, address, content, name)
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
    feed: Feed, source: Source, address: Address, content: _Content, member: str
) -> tuple[FileContext | None, UnreadableFile | None]:
    name = manifest.name_in(address.uri, member)
    try:
        context = inspect_file(
            feed,
            source,
            store.path_of(content.sha256),
            file_name=name,
            member=member,
            last_modified=content.last_modified,
        )
    except UnreadableFile as problem:
        return None, problem
    return context, None
