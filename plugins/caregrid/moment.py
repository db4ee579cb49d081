"""What "now" is for each feed: the clock's, a fixed moment, or the newest moment the feed itself knows of."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import psycopg

from caregrid import clock, paths
from caregrid.errors import CareGridError

VARIABLE = "CAREGRID_AS_OF_BY_FEED"
LATEST = "latest"
_NEWEST_KNOWN = """
select feed, max(known_at_max) from raw.load where status = 'accepted' and known_at_max is not null group by 1
"""


@dataclass(frozen=True)
class Moments:
    """`default` for all; `by_feed` where a feed has a now of its own."""

    default: datetime
    by_feed: dict[str, datetime] = field(default_factory=dict)

    def of(self, feed: str | None) -> datetime:
        """Return the as_of of a feed, or the general one."""
        return self.by_feed.get(feed or "", self.default)


def resolve(connection: psycopg.Connection[Any], as_of: datetime | None = None) -> Moments:
    """Return what now is.

    `as_of` given: that moment for every feed. Else the clock's (CAREGRID_AS_OF fixes it), but for feeds whose
    name fits a pattern that was declared, the moment declared, or "latest": the feed's newest known_at, which
    is how old open data are looked at as if they were today's. Of several patterns the longest counts.
    CAREGRID_AS_OF_BY_FEED declares, as JSON {"*": "latest", "sim_*": "2025-01-31T12:00:00+00:00"} or as the
    word latest; else what `declare` kept.
    """
    default = as_of or clock.now()
    declared = _declared()
    if as_of is not None or not declared:
        return Moments(default)
    newest = dict(connection.execute(_NEWEST_KNOWN).fetchall())
    feeds = set(newest) | {feed for (feed,) in connection.execute("select distinct feed from landing.file")}
    by_feed = {}
    for feed in feeds:
        fitting = [pattern for pattern in declared if fnmatchcase(feed, pattern)]
        if not fitting:
            continue
        wanted = declared[max(fitting, key=len)]
        moment = newest.get(feed) if wanted == LATEST else datetime.fromisoformat(wanted).astimezone(UTC)
        if moment is not None:
            by_feed[feed] = moment
    return Moments(default, by_feed)


def declare(by_feed: Mapping[str, str]) -> Path:
    """Keep what now is for feeds, for every process from here on: patterns of names to a moment or "latest".

    The demo declares it, because its data are of the past; an empty mapping goes back to the clock.

    Raises:
        CareGridError: a moment cannot be read.
    """
    text = json.dumps(dict(by_feed), indent=1)
    _read(text, "what is declared")
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def _file() -> Path:
    return paths.var("run", "as_of_by_feed.json")


def _declared() -> dict[str, str]:
    text = os.environ.get(VARIABLE, "").strip()
    if text:
        return {"*": LATEST} if text == LATEST else _read(text, VARIABLE)
    try:
        return _read(_file().read_text(encoding="utf-8"), str(_file()))
    except FileNotFoundError:
        return {}


def _read(text: str, where: str) -> dict[str, str]:
    try:
        declared = {str(key): str(value) for key, value in json.loads(text).items()}
        for value in declared.values():
            if value != LATEST and datetime.fromisoformat(value).tzinfo is None:
                raise ValueError(f"{value} has no offset")
    except (ValueError, AttributeError) as error:
        raise CareGridError(
            f"it cannot be read: {error}",
            where=where,
            fix='write latest, or {"*": "latest", "sim_*": "2025-01-31T12:00:00+00:00"}',
        ) from error
    return declared
