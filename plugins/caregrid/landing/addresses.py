"""Where the files of a source lie: patterns and date templates of a feed resolved to single addresses."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import date
from glob import escape
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo

from caregrid import clock, paths
from caregrid.errors import CareGridError
from caregrid.feeds.model import Feed, Source

_TEMPLATE = re.compile(r"\{date:([^}]*)\}")
_PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Address:
    """One file to fetch. uri names it in the manifest; path is set where it lies on this machine."""

    uri: str
    path: Path | None


def is_dated(source: Source) -> bool:
    """Return whether the publisher keeps one file per day, so that a past day can be fetched."""
    return any(_TEMPLATE.search(place) for place in (source.path, source.url) if place)


def today(feed: Feed) -> date:
    """Return the present day where the feed is published."""
    return clock.now().astimezone(ZoneInfo(feed.timezone)).date()


def addresses(feed: Feed, source: Source, day: date | None = None) -> list[Address]:
    """Return the addresses of a source's files, in order of name; those on this machine where there are any.

    Args:
        day: of a source with a date in its address, the file of this day only; else all that lie in the
            mirror, or today's where it is fetched.

    Raises:
        CareGridError: the feed names no place at all, or one that is neither a file nor https.
    """
    if source.path:
        found = _on_this_machine(source.path, day, base_of(feed))
        if found or not source.url:
            return found
    if not source.url:
        raise CareGridError(
            "the source has neither path nor url",
            where=f"{feed.file}: sources.{source.name}",
            fix="name a path below the feeds' directory, or an https url",
        )
    url = _filled(source.url, day or today(feed))
    if urlsplit(url).scheme == "file":
        return _on_this_machine(url, day, base_of(feed))
    if urlsplit(url).scheme != "https":
        raise CareGridError(
            f"cannot fetch {url}",
            where=f"{feed.file}: sources.{source.name}.url",
            fix="use https:// or file://",
        )
    return [Address(url, None)]


def _filled(place: str, day: date) -> str:
    return _TEMPLATE.sub(lambda match: day.strftime(match[1]), place)


def base_of(feed: Feed) -> Path:
    """Return where a feed's relative paths start: the mirror, or what the simulator wrote."""
    return paths.var("simulated") if feed.data.get("base") == "simulated" else paths.feeds_base()


def _on_this_machine(place: str, day: date | None, base: Path) -> list[Address]:
    absolute = place.startswith("file://")
    base = Path("/") if absolute else base
    relative = unquote(urlsplit(place).path).lstrip("/") if absolute else place
    if day is not None:
        relative = _TEMPLATE.sub(lambda match: escape(day.strftime(match[1])), relative)
    relative = _TEMPLATE.sub("*", relative)
    matches = sorted(base.glob(relative)) if _PATTERN.search(relative) else [base / relative]
    # The address does not change when the directory of the feeds moves.
    return [
        Address(path.as_uri() if absolute else "base:" + quote(os.fsencode(path.relative_to(base))), path)
        for path in matches
        if os.path.isfile(path)  # noqa: PTH113 - a name that is too long is no file, and no OSError
    ]
