"""Content and its digest: read in pieces, proved, or told to be gone or damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from caregrid.errors import CareGridError

_CHUNK = 2**20


class GoneError(CareGridError):
    """There is no content under a digest."""


class DamagedError(CareGridError):
    """What lies under a digest is other content."""


def chunks(path: Path) -> Iterator[bytes]:
    """Read a file in pieces."""
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            yield piece


def digest(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def gone(sha256: str, where: str) -> GoneError:
    """Return the error of content that is not there."""
    return GoneError(
        f"the landed bytes {sha256} are gone",
        where=where,
        fix="bring them back from a backup, or fetch the file again",
    )


def damaged(sha256: str, where: str) -> DamagedError:
    """Return the error of content that does not have its digest."""
    return DamagedError(
        f"the landed bytes {sha256} are damaged: their digest is another",
        where=where,
        fix="bring them back from a backup; the disk or the object store has changed or lost some of them",
    )
