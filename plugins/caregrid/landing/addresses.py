"""Where the files of a source lie: patterns and date templates of a feed resolved to single addresses."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from caregrid import clock
from caregrid.errors import CareGridError
from caregrid.feeds.model import Feed, Source
from caregrid.landing import transports
from caregrid.landing.transports import Address, Place
from caregrid.landing.transports.common import DATE
from caregrid.landing.transports.file import base_of

__all__ = ["Address", "addresses", "base_of", "is_dated", "place_of", "refuse_future", "today"]


def is_dated(source: Source) -> bool:
    """Return whether the publisher keeps one file per day, so that a past day can be fetched."""
    return any(DATE.search(place) for place in (source.path, source.url, source.query) if place)


def today(feed: Feed) -> date:
    """Return the present day where the feed is published."""
    return clock.now().astimezone(ZoneInfo(feed.timezone)).date()


def refuse_future(feed: Feed, day: date) -> None:
    """Raise CareGridError where a day has not come where the feed is published: nothing can be of it.

    A source that cannot give a single day would otherwise give all it has, to be loaded again.
    """
    if day > (now := today(feed)):
        raise CareGridError(
            f"this day has not come: {day} ({feed.timezone} has {now})",
            where=f"feed {feed.name}",
            fix="name a day up to today; without a day, all that is new is taken",
        )


def place_of(feed: Feed, source: Source, day: date | None = None) -> Place:
    """Return a source's place, to be entered while its files are taken; day: the one asked for, if any."""
    return Place(feed, source, day or today(feed), day)


def addresses(feed: Feed, source: Source, day: date | None = None) -> list[Address]:
    """Return the addresses of a source's files, in order of name; those on this machine where there are any.

    Args:
        day: of a source with a date in its address, the file of this day only; else all that are listed, or
            today's where it is fetched by its name.

    Raises:
        CareGridError: the feed names no place at all, or one by a protocol that is not spoken.
    """
    with place_of(feed, source, day) as place:
        return transports.list_addresses(place)
