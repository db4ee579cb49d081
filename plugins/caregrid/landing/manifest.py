"""The manifest of landed files: landing.file and landing.fetch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg

from caregrid.errors import CareGridError
from caregrid.landing import store

_COLUMNS = (
    "file_id, feed, source, uri, version, member, sha256, byte_size, etag, last_modified, published_at, "
    "published_at_is_assumed, landed_at"
)
_OF_ADDRESS = "(feed, source, uri) = (%(feed)s, %(source)s, %(uri)s)"
_CONFIRMED_OF_ALL = """
    select distinct on (t.uri) t.uri, f.version
    from landing.fetch as t join landing.file as f using (file_id)
    where t.feed = %(feed)s and t.source = %(source)s order by t.uri, t.fetch_id desc
"""
# The version that the newest good fetch brought or confirmed.
_CONFIRMED = """
    select f.version from landing.fetch as t join landing.file as f using (file_id)
    where (t.feed, t.source, t.uri) = (%(feed)s, %(source)s, %(uri)s) order by t.fetch_id desc limit 1
"""
# The newest version that could be read, perhaps only by a later mapping.
_READABLE = """
    select max(version) from landing.file as f
    where (feed, source, uri) = (%(feed)s, %(source)s, %(uri)s) and (
        exists (select from raw.load as l where l.file_id = f.file_id)
        or not exists (select from rejected.file as r where r.file_id = f.file_id)
    )
"""
# First half of the advisory locks of addresses; the second is a hash of the address.
ADDRESS_LOCK = 1204


@dataclass(frozen=True)
class LandedFile:
    """One row of landing.file. A member bears version, sha256 and byte_size of the file it came in."""

    file_id: int
    feed: str
    source: str
    uri: str
    version: int
    member: str
    sha256: str
    byte_size: int
    etag: str | None
    last_modified: datetime | None
    published_at: datetime
    published_at_is_assumed: bool
    landed_at: datetime

    @property
    def file_name(self) -> str:
        """Return the name it was published under; that of a member follows the archive's."""
        return name_in(self.uri, self.member)


def name_in(uri: str, member: str = "") -> str:
    """Return the file name at the end of an address, and the member's after it: archive.zip/2025/beds.csv."""
    name = unquote(Path(urlsplit(uri).path).name)
    return f"{name}/{member}" if member else name


@contextmanager
def content(file: LandedFile) -> Iterator[Path]:
    """Give the landed bytes of a file as a file of this machine, proved, until the context ends.

    Raises:
        CareGridError: they are gone or damaged, or their place does not answer.
    """
    with ExitStack() as stack:
        try:
            path = stack.enter_context(store.room().opened(file.sha256))
        except (store.GoneError, store.DamagedError) as error:
            what = "gone" if isinstance(error, store.GoneError) else "damaged"
            raise type(error)(
                f"the landed bytes of file {file.file_id} ({file.file_name}) are {what}",
                where=error.where,
                fix=error.fix,
            ) from None
        yield path


def landed_file(connection: psycopg.Connection[Any], file_id: int) -> LandedFile:
    """Return a landed file by its number.

    Raises:
        CareGridError: there is none.
    """
    found = _select(connection, "file_id = %s", [file_id])
    if not found:
        raise CareGridError(f"there is no landed file {file_id}", fix="see landing.file for those there are")
    return found[0]


def lock(connection: psycopg.Connection[Any], feed: str, source: str, uri: str) -> None:
    """Have whoever else brings something from this address wait until the transaction ends."""
    connection.execute(
        "select pg_advisory_xact_lock(%s::int, hashtext(%s))", [ADDRESS_LOCK, f"{feed}\n{source}\n{uri}"]
    )


def standing(
    connection: psycopg.Connection[Any], feed: str, source: str, uri: str, sha256: str
) -> list[LandedFile]:
    """Return what stands of an address if it has this content: a file, or its members; nothing if not.

    Content that was there before and comes back after other content does not stand: it is a version anew.
    A page of error in between is no other content.
    """
    return _select(
        connection,
        f"{_OF_ADDRESS} and sha256 = %(sha256)s and version in (({_CONFIRMED}), ({_READABLE}))",
        {"feed": feed, "source": source, "uri": uri, "sha256": sha256},
    )


def newest(connection: psycopg.Connection[Any], feed: str, source: str) -> dict[str, list[LandedFile]]:
    """Return what the newest good fetch from each address of a source brought or confirmed.

    One question for a source of thousands of files: {address: a file, or its members}.
    """
    found: dict[str, list[LandedFile]] = {}
    given = {"feed": feed, "source": source}
    where = f"feed = %(feed)s and source = %(source)s and (uri, version) in ({_CONFIRMED_OF_ALL})"
    for file in _select(connection, where, given):
        found.setdefault(file.uri, []).append(file)
    return found


def not_loaded(connection: psycopg.Connection[Any], feed: str, source: str) -> list[LandedFile]:
    """Return what was landed of a source and neither loaded nor rejected, as when a worker was killed."""
    return _select(
        connection,
        "feed = %s and source = %s and not exists (select from raw.load as l where l.file_id = file.file_id) "
        "and not exists (select from rejected.file as r where r.file_id = file.file_id)",
        [feed, source],
    )


def next_version(connection: psycopg.Connection[Any], feed: str, source: str, uri: str) -> int:
    """Return the number of the next version of what an address offers; `lock` it before."""
    (number,) = connection.execute(
        "select coalesce(max(version), 0) + 1 from landing.file where (feed, source, uri) = (%s, %s, %s)",
        [feed, source, uri],
    ).fetchone() or (1,)
    return int(number)


def landed(connection: psycopg.Connection[Any], feed: str, source: str | None = None) -> list[LandedFile]:
    """Return every landed file of a feed, or of one of its sources."""
    return _select(connection, "feed = %s and source = coalesce(%s, source)", [feed, source])


def add_file(connection: psycopg.Connection[Any], file: dict[str, Any]) -> int:
    """Insert a landed file; return its number."""
    row = connection.execute(
        "insert into landing.file (feed, source, uri, version, member, sha256, byte_size, etag, "
        "last_modified, published_at, published_at_is_assumed) values (%(feed)s, %(source)s, %(uri)s, "
        "%(version)s, %(member)s, %(sha256)s, %(byte_size)s, %(etag)s, %(last_modified)s, %(published_at)s, "
        "%(published_at_is_assumed)s) returning file_id",
        file,
    ).fetchone()
    assert row is not None
    return int(row[0])


def note_etag(connection: psycopg.Connection[Any], file_ids: list[int], etag: str) -> None:
    """Keep the server's newest tag for content that is landed already."""
    connection.execute("update landing.file set etag = %s where file_id = any(%s)", [etag, file_ids])


def add_fetch(
    connection: psycopg.Connection[Any],
    feed: str,
    source: str,
    uri: str,
    outcome: str,
    message: str | None = None,
    file_id: int | None = None,
) -> None:
    """Note an attempt to fetch. outcome: new | unchanged | missing | failed."""
    connection.execute(
        "insert into landing.fetch (feed, source, uri, outcome, message, file_id) values (%s, %s, %s, %s, "
        "%s, %s)",
        [feed, source, uri, outcome, message, file_id],
    )


def _select(connection: psycopg.Connection[Any], condition: str, given: Any) -> list[LandedFile]:
    query = f"select {_COLUMNS} from landing.file where {condition} order by published_at, file_id"  # noqa: S608
    return [LandedFile(*row) for row in connection.execute(query.encode(), given).fetchall()]
