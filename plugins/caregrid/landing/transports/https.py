"""One https address: only if it changed, only so much, only over verified TLS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

import httpx

from caregrid import __version__
from caregrid.landing.connections import Connection, connection
from caregrid.landing.transports.common import (
    Address,
    Answer,
    FetchFailedError,
    Known,
    Place,
    filled,
    limit_bytes,
    shown,
    too_long,
)

_TIMEOUT = httpx.Timeout(60, connect=15)
_GONE = {404, 410}


def list_addresses(place: Place) -> list[Address]:
    """Return the one address, of the day asked for or of today."""
    return [Address(filled(place.source.url or "", place.day))]


@contextmanager
def open_one(place: Place, address: Address, known: Known) -> Iterator[Answer]:
    """GET a url unless it still is what `etag` and `last_modified` of the last fetch describe.

    Raises:
        FetchFailedError: no connection, no trust in the certificate, a timeout, an error status, or too long.
    """
    with client_of(place) as client, get(client, address.uri, known.etag, known.last_modified) as response:
        if response.status_code == httpx.codes.NOT_MODIFIED:
            yield Answer(known.etag, known.last_modified)
        else:
            yield Answer(response.headers.get("ETag"), modified(response), response.iter_bytes())


def client_of(place: Place) -> httpx.Client:
    """Return a client that follows redirects over https only, with the source's credentials.

    Raises:
        CareGridError: the connection is not there, or is of another host.
    """
    headers = {"User-Agent": f"CareGrid/{__version__}", "Accept-Encoding": "identity"}
    hooks = [_only_https]
    auth: httpx.Auth | None = None
    if place.source.connection:
        given = connection(place.source.connection, place.where)
        host = given.only_host(place.source.url or "", place.where)
        hooks.append(lambda request: _only_host(request, host))
        auth = _auth(given, headers)
    return httpx.Client(
        timeout=_TIMEOUT, follow_redirects=True, event_hooks={"request": hooks}, headers=headers, auth=auth
    )


@contextmanager
def get(
    client: httpx.Client, url: str, etag: str | None = None, last_modified: datetime | None = None
) -> Iterator[httpx.Response]:
    """GET a url; yield a good answer, or 304 where it still is what the tag and the time describe."""
    headers = {}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = format_datetime(last_modified.astimezone(UTC), usegmt=True)
    try:
        with client.stream("GET", url, headers=headers) as response:
            if response.is_error:
                outcome = "missing" if response.status_code in _GONE else "failed"
                raise FetchFailedError(outcome, f"{response.status_code} {response.reason_phrase}")
            length = response.headers.get("Content-Length", "")
            if length.isdigit() and int(length) > limit_bytes():
                raise too_long(int(length))
            yield response
    except httpx.HTTPError as error:
        raise FetchFailedError("failed", f"{type(error).__name__}: {error}") from error


def _auth(given: Connection, headers: dict[str, str]) -> httpx.Auth | None:
    """Return basic authentication for a login; a password alone is a token, sent in the header it names."""
    if given.login:
        return httpx.BasicAuth(given.login, given.password)
    if name := given.extra.get("header"):
        headers[str(name)] = given.password
    elif given.password:
        headers["Authorization"] = f"Bearer {given.password}"
    return None


def _only_https(request: httpx.Request) -> None:
    if request.url.scheme != "https":
        raise httpx.UnsupportedProtocol(
            f"redirected to {shown(str(request.url))}, which is not https", request=request
        )


def _only_host(request: httpx.Request, host: str) -> None:
    if request.url.host != host:
        raise httpx.UnsupportedProtocol(
            f"redirected to {request.url.host}, for which the credentials are not meant", request=request
        )


def modified(response: httpx.Response) -> datetime | None:
    """Return when the answer says that its content changed last."""
    try:
        return parsedate_to_datetime(response.headers["Last-Modified"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None
