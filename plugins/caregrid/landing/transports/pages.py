"""An https answer in pages: all are one landed archive, or none is; unchanged pages are not sent again."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from caregrid import paths
from caregrid.feeds.model import Format
from caregrid.landing.transports import https
from caregrid.landing.transports.common import (
    Address,
    Answer,
    FetchFailedError,
    Known,
    Place,
    limit_bytes,
    shown,
)
from caregrid.landing.transports.https import list_addresses

__all__ = ["list_addresses", "open_one"]

_MOST_PAGES = 10_000
_CHUNK = 2**20


@dataclass
class _Harvest:
    """What the pages said: for each its url, its tag and the link to the next."""

    pages: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    newest: datetime | None = None
    is_new: bool = False


@contextmanager
def open_one(place: Place, address: Address, known: Known) -> Iterator[Answer]:
    """Get page after page into one archive, which holds each as it came, and nothing that changes by itself.

    Raises:
        FetchFailedError: a page cannot be had, leads to another host or to one before, or none is the last.
    """
    room = paths.var("tmp")
    room.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=room) as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            harvest = _take(place, address.uri, known, archive)
        before = _known_pages(known)
        if not harvest.is_new and len(before) == len(harvest.pages):
            yield Answer(known.etag, known.last_modified)
            return
        stream.seek(0)
        etag = json.dumps(harvest.pages) if all(tag for _, tag, _ in harvest.pages) else None
        yield Answer(etag, harvest.newest, iter(lambda: stream.read(_CHUNK), b""))


def _take(place: Place, first: str, known: Known, archive: zipfile.ZipFile) -> _Harvest:
    harvest, form = _Harvest(), place.source.format
    paging = dict(place.source.paging or {})
    before = {url: (number, tag, link) for number, (url, tag, link) in enumerate(_known_pages(known))}
    counts = "next" not in paging
    url: str | None = _with(first, paging["parameter"], paging.get("first", 1)) if counts else first
    seen: set[str] = set()
    size, last = 0, b""
    with https.client_of(place) as client:
        while url is not None:
            turn = len(seen)
            if url in seen or turn >= _MOST_PAGES:
                raise FetchFailedError(
                    "failed", f"page {turn + 1} leads back, or the pages have no end: {shown(url)}"
                )
            seen.add(url)
            at, tag, link = before.get(url, (0, None, None))
            content, answer = _page(client, url, tag)
            if content is None:
                content, link = _landed(known, at), _link(answer) or link
            else:
                tag, link = answer.headers.get("ETag"), _link(answer)
            is_new = answer.status_code != httpx.codes.NOT_MODIFIED
            if counts and turn and content == last:
                raise FetchFailedError(
                    "failed", f"page {turn + 1} is page {turn} again: {paging['parameter']} is not heeded"
                )
            if not turn or not _is_empty(form, content, turn):
                size += len(content)
                if size > limit_bytes():
                    raise FetchFailedError(
                        "failed", f"the pages are more than the limit of {limit_bytes():,} bytes"
                    )
                archive.writestr(_entry(len(harvest.pages), form), content)
                harvest.pages.append((url, tag, link))
                harvest.is_new |= is_new
                modified = https.modified(answer)
                harvest.newest = max(filter(None, (harvest.newest, modified)), default=None)
            elif counts:
                break
            following = _following(paging, first, url, turn, content, link)
            url, last = _same_host(first, following), content
    return harvest


def _page(client: httpx.Client, url: str, tag: str | None) -> tuple[bytes | None, httpx.Response]:
    """Return a page's content, None where it still is what its tag describes, and the answer's head."""
    with https.get(client, url, tag) as answer:
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return None, answer
        pieces, size = [], 0
        for piece in answer.iter_bytes():
            size += len(piece)
            if size > limit_bytes():
                raise FetchFailedError("failed", f"a page is more than the limit of {limit_bytes():,} bytes")
            pieces.append(piece)
        return b"".join(pieces), answer


def _following(
    paging: dict[str, Any], first: str, url: str, number: int, content: bytes, link: str | None
) -> str | None:
    """Return the url of the next page, None after the last."""
    if "next" not in paging:
        return _with(
            first, paging["parameter"], paging.get("first", 1) + (number + 1) * paging.get("step", 1)
        )
    if paging["next"] == "link":
        return str(httpx.URL(url).join(link)) if link else None
    value = _dig(_parsed(content, number), paging["next"])
    if value in (None, "", False):
        return None
    if "parameter" in paging:
        return _with(first, paging["parameter"], value)
    return str(httpx.URL(url).join(str(value)))


def _same_host(first: str, url: str | None) -> str | None:
    if url is not None:
        here, there = httpx.URL(first), httpx.URL(url)
        if (there.scheme, there.host, there.port) != (here.scheme, here.host, here.port):
            raise FetchFailedError(
                "failed", f"the next page is said to be at {shown(str(url))}, which is another server"
            )
    return url


def _with(url: str, parameter: str, value: Any) -> str:
    return str(httpx.URL(url).copy_set_param(parameter, value))


def _link(answer: httpx.Response) -> str | None:
    return answer.links.get("next", {}).get("url")


def _is_empty(form: Format, content: bytes, number: int) -> bool:
    """Return whether a page that can be read on its own has no record; a table's may have its heading."""
    if form.type == "json":
        records = _dig(_parsed(content, number), form.records)
        if not isinstance(records, list):
            # An error told in JSON is no end of the list.
            raise FetchFailedError(
                "failed", f"page {number + 1} holds no list at {form.records or 'its top'}"
            )
        return not records
    if form.type not in ("csv", "tsv", "ndjson"):
        return False
    lines = sum(bool(line.strip()) for line in content.splitlines())
    heading = form.skip_rows + (form.header is True) if form.type in ("csv", "tsv") else 0
    return lines <= heading


def _parsed(content: bytes, number: int) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise FetchFailedError("failed", f"page {number + 1} is no JSON: {error}") from None


def _dig(value: Any, path: str) -> Any:
    """Return what lies at a dotted path, None where there is nothing."""
    for key in path.split(".") if path else ():
        if isinstance(value, list) and key.isdigit():
            value = value[int(key)] if int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def _entry(number: int, form: Format) -> zipfile.ZipInfo:
    # Without a time of its own the same pages are the same archive.
    return zipfile.ZipInfo(f"page-{number + 1:05}.{form.type}", (1980, 1, 1, 0, 0, 0))


def _known_pages(known: Known) -> list[tuple[str, str | None, str | None]]:
    """Return what was noted of the pages that are landed; nothing where they may not be compared."""
    if known.etag is None or known.content is None:
        return []
    try:
        noted = json.loads(known.etag)
    except ValueError:
        return []
    return [tuple(page) for page in noted] if isinstance(noted, list) else []


def _landed(known: Known, number: int) -> bytes:
    if known.content is None:
        raise FetchFailedError("failed", "the server says that nothing changed, but nothing is landed")
    with known.content() as path, zipfile.ZipFile(path) as archive:
        return archive.read(archive.infolist()[number])
