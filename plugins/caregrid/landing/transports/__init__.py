"""The door to every transport: lists what a source offers and opens one of it; callers know no protocol.

A transport is a module with two functions, list_addresses(place) and open_one(place, address, known).
It is imported only when a source needs it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from types import ModuleType
from urllib.parse import urlsplit

from caregrid.errors import CareGridError
from caregrid.landing.transports import file
from caregrid.landing.transports.common import Address, Answer, FetchFailedError, Known, Place

__all__ = ["Address", "Answer", "FetchFailedError", "Known", "Place", "list_addresses", "open_one"]

# Scheme of an address → module beside this one.
_MODULES = {"base": "file", "file": "file", "https": "https", "s3": "s3", "sftp": "sftp", "sql": "sql"}


def list_addresses(place: Place) -> list[Address]:
    """Return the addresses of a source's files, in order of name; those on this machine where there are any.

    Raises:
        CareGridError: the feed names no place at all, or one by a protocol that is not spoken.
        FetchFailedError: the server does not give the list.
    """
    source = place.source
    if source.path:
        found = file.list_addresses(place)
        if found or not (source.url or source.query):
            return found
    if source.query:
        return list(_transport("sql").list_addresses(place))
    if not source.url:
        raise CareGridError(
            "the source has neither path nor url nor query",
            where=place.where,
            fix="name a path below the feeds' directory, a url, or a query",
        )
    scheme = urlsplit(source.url).scheme
    if scheme not in _MODULES or scheme in ("base", "sql"):
        raise CareGridError(
            f"cannot fetch {source.url}",
            where=f"{place.where}.url",
            fix="use https://, s3://, sftp:// or file://",
        )
    return list(_transport(scheme, bool(source.paging)).list_addresses(place))


def open_one(place: Place, address: Address, known: Known) -> AbstractContextManager[Answer]:
    """Open an address, unless it still holds what is known of it.

    Raises, when it is entered or read:
        CareGridError: credentials or trust are missing; it says what to do.
        FetchFailedError: the server does not give the content.
    """
    scheme = urlsplit(address.uri).scheme
    paged = scheme == "https" and bool(place.source.paging)
    opened: AbstractContextManager[Answer] = _transport(scheme, paged).open_one(place, address, known)
    return opened


def _transport(scheme: str, paged: bool = False) -> ModuleType:
    return import_module(f"{__name__}.{'pages' if paged else _MODULES[scheme]}")
