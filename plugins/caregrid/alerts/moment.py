"""What "now" is for each feed: the clock's, a fixed moment, or the newest moment the feed itself knows of."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import psycopg

from caregrid import clock
from caregrid.errors import CareGridError

VARIABLE = "CAREGRID_AS_OF_BY_FEED"
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

    `as_of` given: that moment for every feed. Else the clock's (CAREGRID_AS_OF fixes it), but for feeds that
    CAREGRID_AS_OF_BY_FEED names: a JSON object from name patterns to "latest" (the feed's newest known_at,
    which is how old open data is looked at as if it were today's) or to a moment; the word latest alone means
    {"*": "latest"}. Of several patterns the longest that fits counts.
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
        moment = newest.get(feed) if wanted == "latest" else datetime.fromisoformat(wanted).astimezone(UTC)
        if moment is not None:
            by_feed[feed] = moment
    return Moments(default, by_feed)


def _declared() -> dict[str, str]:
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return {}
    if text == "latest":
        return {"*": "latest"}
    try:
        declared = {str(key): str(value) for key, value in json.loads(text).items()}
        for value in declared.values():
            if value != "latest" and datetime.fromisoformat(value).tzinfo is None:
                raise ValueError(f"{value} has no offset")
    except (ValueError, AttributeError) as error:
        raise CareGridError(
            f"it cannot be read: {error}",
            where=VARIABLE,
            fix='write latest, or {"sim_*": "2025-01-31T12:00:00+00:00"}',
        ) from error
    return declared
