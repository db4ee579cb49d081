"""Writes what the feeds' YAML says of itself, and what now is for each, into ledger.feed: for freshness,
coverage and what is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from psycopg.types.json import Jsonb

from caregrid import moment
from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.feeds.model import Feed
from caregrid.feeds.spec import feed_files, load_feed

log = logging.getLogger(__name__)

_UPSERT = """
insert into ledger.feed as known (
    feed, name_en, name_zh, owner, owner_name, visibility, country_code, timezone, expected_every,
    lateness_tolerance, licence, provenance, complete_sources, contracts, left_out
)
values (
    %(feed)s, %(name_en)s, %(name_zh)s, %(owner)s, %(owner_name)s, %(visibility)s, %(country_code)s,
    %(timezone)s,
    %(expected_every)s::interval, %(lateness_tolerance)s::interval, %(licence)s, %(provenance)s,
    %(complete_sources)s, %(contracts)s, %(left_out)s
)
on conflict (feed) do update set
    name_en = excluded.name_en, name_zh = excluded.name_zh, owner = excluded.owner,
    owner_name = excluded.owner_name, visibility = excluded.visibility, country_code = excluded.country_code,
    timezone = excluded.timezone, expected_every = excluded.expected_every,
    lateness_tolerance = excluded.lateness_tolerance, licence = excluded.licence,
    provenance = excluded.provenance, complete_sources = excluded.complete_sources,
    contracts = excluded.contracts, left_out = excluded.left_out, registered_at = clock_timestamp()
"""


def register_feeds(feeds: Iterable[Feed] | None = None) -> int:
    """Insert or update one row per feed; return how many. A feed whose YAML is gone keeps its row: its
    facts stay. Every row is told its as_of, by the rule of caregrid.moment.

    A YAML file that is wrong is told in the log and stops no other feed.

    Args:
        feeds: default every YAML file of dags/feeds.
    """
    rows = [_row(feed) for feed in (_readable() if feeds is None else feeds)]
    with connect("loader") as connection, connection.cursor() as cursor:
        cursor.executemany(_UPSERT, rows)
        moments = moment.resolve(connection)
        known = cursor.execute("select feed from ledger.feed").fetchall()
        cursor.executemany(
            "update ledger.feed set as_of = %s where feed = %s",
            [(moments.of(feed), feed) for (feed,) in known],
        )
    return len(rows)


def _readable() -> Iterator[Feed]:
    for file in feed_files():
        try:
            yield load_feed(file)
        except CareGridError as error:
            log.warning("%s", error)


def _row(feed: Feed) -> dict[str, Any]:
    return {
        "feed": feed.name,
        "name_en": feed.title["en"],
        "name_zh": feed.title["zh"],
        "owner": feed.owner_id,
        "owner_name": feed.owner_name,
        "visibility": feed.visibility,
        "country_code": feed.country,
        "timezone": feed.timezone,
        # PostgreSQL reads ISO 8601 durations as they stand.
        "expected_every": feed.expected_every,
        "lateness_tolerance": feed.lateness_tolerance,
        "licence": feed.licence,
        "provenance": feed.provenance,
        "complete_sources": sorted(name for name, source in feed.sources.items() if source.complete),
        "contracts": sorted({output.contract for output in feed.outputs}),
        "left_out": Jsonb([dict(entry) for entry in feed.left_out]),
    }
