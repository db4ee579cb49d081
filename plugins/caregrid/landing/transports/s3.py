"""Objects in an S3 bucket: unchanged ones told by the ETag of the listing, none read half."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from caregrid.landing import objects
from caregrid.landing.transports.common import (
    PATTERN,
    Address,
    Answer,
    FetchFailedError,
    Known,
    Place,
    is_unsafe,
    limit_bytes,
    literal,
    matches,
    parts_of,
    too_long,
)

_CHUNK = 2**20


def list_addresses(place: Place) -> list[Address]:
    """Return the objects that match, in order of key; without a pattern the one that is named, unlisted.

    Raises:
        CareGridError: the connection is not there.
        FetchFailedError: the server cannot be reached, refuses the credentials, or gives no list.
    """
    bucket = urlsplit(place.source.url or "").netloc
    parts = parts_of(place)
    if not any(map(PATTERN.search, parts)):
        return [_address(bucket, "/".join(parts), None)]
    prefix = "".join(f"{part}/" for part in literal(parts))
    found = []
    try:
        pages = _client(place).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", ()):
                names = entry["Key"].split("/")
                # A key is any text: one that goes through .. is nobody's file name.
                if matches(names, parts) and not any(map(is_unsafe, names)):
                    found.append(_address(bucket, entry["Key"], entry["ETag"]))
    except objects.FAILURES as error:
        raise FetchFailedError(
            "failed", f"s3://{bucket}/{prefix} cannot be listed: {objects.said(error)}"
        ) from None
    return sorted(found, key=lambda address: address.uri)


@contextmanager
def open_one(place: Place, address: Address, known: Known) -> Iterator[Answer]:
    """Get an object, unless its ETag is that of the last time.

    Raises:
        FetchFailedError: it is gone, changed since it was listed, breaks off, or is too long.
    """
    if address.version is not None and address.version == known.etag:
        yield Answer(known.etag, known.last_modified)
        return
    answer = _get(place, address, known)
    if answer is None:
        yield Answer(known.etag, known.last_modified)
        return
    with closing(answer["Body"]) as body:
        if answer["ContentLength"] > limit_bytes():
            raise too_long(answer["ContentLength"])
        modified = answer["LastModified"].astimezone(UTC)
        yield Answer(answer["ETag"], modified, _pieces(body, answer["ContentLength"]))


def _get(place: Place, address: Address, known: Known) -> dict[str, Any] | None:
    """Return the server's answer, None where the object is what is known of it."""
    url = urlsplit(address.uri)
    wanted = {"Bucket": url.netloc, "Key": unquote(url.path.removeprefix("/"))}
    if address.version is not None:
        wanted["IfMatch"] = address.version
    elif known.etag is not None:
        wanted["IfNoneMatch"] = known.etag
    try:
        answer: dict[str, Any] = _client(place).get_object(**wanted)
    except objects.FAILURES as error:
        status = objects.status_of(error)
        if status == 304:
            return None
        if status == 404:
            raise FetchFailedError("missing", objects.said(error)) from None
        if status == 412:
            raise FetchFailedError("failed", "the object changed after it was listed") from None
        raise FetchFailedError("failed", objects.said(error)) from None
    return answer


def _pieces(body: Any, size: int) -> Iterator[bytes]:
    received = 0
    try:
        for piece in body.iter_chunks(_CHUNK):
            received += len(piece)
            yield piece
    except (*objects.FAILURES, OSError) as error:
        raise FetchFailedError("failed", f"the transfer broke off: {objects.said(error)}") from None
    if received != size:
        raise FetchFailedError(
            "failed", f"the transfer broke off: {size:,} bytes announced, {received:,} received"
        )


def _address(bucket: str, key: str, version: str | None) -> Address:
    return Address(f"s3://{bucket}/{quote(key)}", version=version)


def _client(place: Place) -> Any:
    return place.hold("s3", lambda: closing(objects.client(place.source.connection or "", place.where)))
