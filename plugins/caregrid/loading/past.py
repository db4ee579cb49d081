"""What was published on a past day, as landing knows it."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from caregrid.feeds.model import Feed
from caregrid.landing import manifest
from caregrid.landing.manifest import LandedFile


def published_on(connection: psycopg.Connection[Any], feed: Feed, source: str, day: date) -> list[LandedFile]:
    """Return the landed files of a source that were published on a day (of the feed's time zone)."""
    zone = ZoneInfo(feed.timezone)
    files = manifest.landed(connection, feed.name, source)
    return [file for file in files if file.published_at.astimezone(zone).date() == day]
