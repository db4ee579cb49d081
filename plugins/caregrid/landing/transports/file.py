"""Files on this machine: below the feeds' directory, or where a file:// address says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from caregrid import paths
from caregrid.errors import CareGridError
from caregrid.feeds.model import Feed
from caregrid.landing.transports.common import DATE, PATTERN, Address, Answer, Known, Place


def base_of(feed: Feed) -> Path:
    """Return where a feed's relative paths start: the mirror, or what the simulator wrote."""
    return paths.var("simulated") if feed.data.get("base") == "simulated" else paths.feeds_base()


def list_addresses(place: Place) -> list[Address]:
    """Return the files that match, in order of name; of a dated source all, or those of the day asked for."""
    text = place.source.path or place.source.url or ""
    absolute = text.startswith("file://")
    base = Path("/") if absolute else base_of(place.feed)
    relative = unquote(urlsplit(text).path).lstrip("/") if absolute else text
    if place.asked_day is not None:
        day = place.asked_day
        relative = DATE.sub(lambda match: escape(day.strftime(match[1])), relative)
    relative = DATE.sub("*", relative)
    found = sorted(base.glob(relative)) if PATTERN.search(relative) else [base / relative]
    # The address does not change when the directory of the feeds moves.
    return [
        Address(path.as_uri() if absolute else "base:" + quote(os.fsencode(path.relative_to(base))), path)
        for path in found
        if os.path.isfile(path)  # noqa: PTH113 - a name that is too long is no file, and no OSError
    ]


@contextmanager
def open_one(place: Place, address: Address, known: Known) -> Iterator[Answer]:
    """Name the file; whether its content is new is for its digest to say."""
    assert address.path is not None
    # A path below the feeds' directory stays there, also through a link that a publisher may have left.
    base = base_of(place.feed).resolve()
    if address.uri.startswith("base:") and not address.path.resolve().is_relative_to(base):
        raise CareGridError(
            "it leads outside the feeds' directory",
            where=str(address.path),
            fix="copy it there, or name it as file:///",
        )
    modified = datetime.fromtimestamp(address.path.stat().st_mtime, UTC)
    yield Answer(None, modified, path=address.path)
