"""Fetches one https address: only if it changed, only so much, only over verified TLS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

import httpx

from caregrid import __version__

DEFAULT_LIMIT_BYTES = 4 * 2**30
_TIMEOUT = httpx.Timeout(60, connect=15)
_GONE = {404, 410}


class FetchFailedError(Exception):
    """The address did not give its content; outcome is missing or failed, as landing.fetch has it."""

    def __init__(self, outcome: str, message: str) -> None:
        self.outcome = outcome
        self.message = message
        super().__init__(message)


@dataclass(frozen=True)
class Answer:
    """What the server said. pieces is None where the content has not changed since it was last fetched."""

    etag: str | None
    last_modified: datetime | None
    pieces: Iterator[bytes] | None


def limit_bytes() -> int:
    """Return the most bytes that one fetch takes (CAREGRID_FETCH_LIMIT_BYTES, by default 4 GiB)."""
    return int(os.environ.get("CAREGRID_FETCH_LIMIT_BYTES", DEFAULT_LIMIT_BYTES))


@contextmanager
def get(url: str, etag: str | None, last_modified: datetime | None) -> Iterator[Answer]:
    """GET a url unless it still is what `etag` and `last_modified` of the last fetch describe.

    Raises:
        FetchFailedError: no connection, no trust in the certificate, a timeout, an error status, or too long.
    """
    headers = {"User-Agent": f"CareGrid/{__version__}", "Accept-Encoding": "identity"}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = format_datetime(last_modified.astimezone(UTC), usegmt=True)
    hooks = {"request": [_only_https]}
    try:
        with (
            httpx.Client(timeout=_TIMEOUT, follow_redirects=True, event_hooks=hooks) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            if response.status_code == httpx.codes.NOT_MODIFIED:
                yield Answer(etag, last_modified, None)
                return
            if response.is_error:
                outcome = "missing" if response.status_code in _GONE else "failed"
                raise FetchFailedError(outcome, f"{response.status_code} {response.reason_phrase}")
            length = response.headers.get("Content-Length", "")
            if length.isdigit() and int(length) > limit_bytes():
                raise FetchFailedError(
                    "failed", f"{int(length):,} bytes are more than the limit of {limit_bytes():,}"
                )
            yield Answer(response.headers.get("ETag"), _modified(response), response.iter_bytes())
    except httpx.HTTPError as error:
        raise FetchFailedError("failed", f"{type(error).__name__}: {error}") from error


def _only_https(request: httpx.Request) -> None:
    if request.url.scheme != "https":
        raise httpx.UnsupportedProtocol(f"redirected to {request.url}, which is not https", request=request)


def _modified(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["Last-Modified"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None
