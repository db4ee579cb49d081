"""What every transport is given and gives back: a place to list, an address to open, the answer to it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from caregrid.feeds.model import Feed, Source

DEFAULT_LIMIT_BYTES = 4 * 2**30
DATE = re.compile(r"\{date:([^}]*)\}")
PATTERN = re.compile(r"[*?\[]")
_T = TypeVar("_T")


class FetchFailedError(Exception):
    """The address did not give its content; outcome is missing or failed, as landing.fetch has it."""

    def __init__(self, outcome: str, message: str) -> None:
        self.outcome = outcome
        self.message = message
        super().__init__(message)


@dataclass(frozen=True)
class Address:
    """One file to fetch.

    Args:
        uri: names it in the manifest; its last part is the file's name.
        path: where it lies on this machine, if it does.
        version: what the listing says of the content; equal to the etag of the answer.
        inside: the directory that the content must lie in; the transport knows how to tell.
    """

    uri: str
    path: Path | None = None
    version: str | None = None
    inside: str = ""


@dataclass(frozen=True)
class Known:
    """What the last good fetch of an address brought: its tag, its time, and how its bytes are read."""

    etag: str | None = None
    last_modified: datetime | None = None
    content: Callable[[], AbstractContextManager[Path]] | None = None


@dataclass(frozen=True)
class Answer:
    """What an address holds. Without pieces and path the content has not changed since it was last fetched.

    Args:
        etag: the publisher's own mark of this content, compared and never read.
        pieces: the content as it arrives.
        path: the content, where it lies on this machine already.
    """

    etag: str | None
    last_modified: datetime | None
    pieces: Iterator[bytes] | None = None
    path: Path | None = None


@dataclass
class Place:
    """Where a source's files lie, and the connections that stay open while they are taken one by one."""

    feed: Feed
    source: Source
    day: date
    asked_day: date | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _held: dict[str, Any] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """Return where the feed's YAML describes this source."""
        return f"{self.feed.file}: sources.{self.source.name}"

    def hold(self, name: str, make: Callable[[], AbstractContextManager[_T]]) -> _T:
        """Return what `make` opens, opened once and closed with the place."""
        if name not in self._held:
            self._held[name] = self._stack.enter_context(make())
        held: _T = self._held[name]
        return held

    def let_go(self, name: str) -> None:
        """Forget what was held, so that it is opened anew: its connection is lost."""
        self._held.pop(name, None)

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.clear()
        self._stack.close()


def limit_bytes() -> int:
    """Return the most bytes that one fetch takes (CAREGRID_FETCH_LIMIT_BYTES, by default 4 GiB)."""
    return int(os.environ.get("CAREGRID_FETCH_LIMIT_BYTES", DEFAULT_LIMIT_BYTES))


def too_long(size: int) -> FetchFailedError:
    """Return the failure of content that says it is longer than the limit."""
    return FetchFailedError("failed", f"{size:,} bytes are more than the limit of {limit_bytes():,}")


def shown(url: str) -> str:
    """Return a url as it may be told: its query may be signed, or hold a key."""
    parts = urlsplit(url)
    query = "?…" if parts.query else ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl() + query


def filled(text: str, day: date) -> str:
    """Return a text with the day written into its templates: {date:%Y-%m-%d}."""
    return DATE.sub(lambda match: day.strftime(match[1]), text)


def parts_of(place: Place) -> list[str]:
    """Return the parts of a url's path, each a name or a pattern; templates are filled or match any date."""
    path = unquote(urlsplit(_protected(place.source.url or "")).path)
    text = filled(path, place.asked_day) if place.asked_day else DATE.sub("*", path)
    return [part for part in text.split("/") if part]


def _protected(url: str) -> str:
    # To urlsplit a question mark begins the query; here it stands for one letter.
    return url.replace("?", "%3F").replace("#", "%23")


def literal(parts: list[str]) -> list[str]:
    """Return the leading parts without a pattern, never the last: the directory that all files lie below."""
    for number, part in enumerate(parts[:-1]):
        if PATTERN.search(part):
            return parts[:number]
    return parts[:-1]


def matches(names: list[str], parts: list[str]) -> bool:
    """Return whether a path matches a pattern, part by part: no star reaches over a slash."""
    return len(names) == len(parts) and all(map(fnmatchcase, names, parts))


def is_unsafe(name: str) -> bool:
    """Return whether a name that a server gave leads elsewhere, or cannot be a name."""
    return name in ("", ".", "..") or any(letter in name for letter in "/\\\0\n\r")
