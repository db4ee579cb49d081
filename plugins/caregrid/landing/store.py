"""The one door to landed bytes, addressed by their content: on this disk, or where CAREGRID_LANDING says."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from caregrid.errors import CareGridError
from caregrid.landing import disk
from caregrid.landing.contents import DamagedError, GoneError, chunks, digest

__all__ = ["DamagedError", "GoneError", "chunks", "digest", "is_on_disk", "keep", "keep_file", "room"]

SETTING = "CAREGRID_LANDING"


class Room(Protocol):
    """Where landed bytes lie. Content is never changed: what is there under a digest stays."""

    @property
    def where(self) -> str:
        """The place, for messages."""

    def size(self, sha256: str) -> int | None:
        """Return how many bytes are kept under a digest, None where there are none."""

    def take(self, temporary: Path, sha256: str, size: int) -> None:
        """Keep a file of this machine under its digest, unless it is kept; the file may be moved."""

    def opened(self, sha256: str) -> AbstractContextManager[Path]:
        """Give content as a file of this machine that stays until the context ends, its digest proved.

        Raises:
            GoneError: there is none.
            DamagedError: what lies there is other content.
        """

    def copy_to(self, sha256: str, target: Path) -> None:
        """Copy content to a new file, its digest proved; raises as `opened` does."""

    def mend(self, path: Path, sha256: str, size: int) -> None:
        """Keep a copy of a file under its digest, also where what lies there is damaged."""

    def kept(self) -> Iterator[tuple[str, datetime]]:
        """Yield the digest of everything that is kept, and since when."""

    def remove(self, sha256: str) -> None:
        """Remove content that nothing refers to."""

    def drop_unfinished(self, before: datetime) -> int:
        """Remove what was begun before a moment and never became content; return how much it was."""


def room() -> Room:
    """Return the room of landed bytes: var/landing, or the bucket that CAREGRID_LANDING names.

    Raises:
        CareGridError: the setting is none that is understood, or the bucket's credentials are not there.
    """
    setting = os.environ.get(SETTING, "").strip()
    if not setting:
        return disk.Disk()
    if not setting.startswith("s3://"):
        raise CareGridError(
            f"{setting.partition('://')[0]!r} is no place for landed files",
            where=SETTING,
            fix="set s3://bucket/prefix or s3://connection@bucket/prefix, or leave it out for var/landing",
        )
    from caregrid.landing import bucket  # boto3 is slow to import

    return bucket.Bucket.of(setting)


def is_on_disk() -> bool:
    """Return whether landed bytes lie in var/landing."""
    return not os.environ.get(SETTING, "").strip()


def keep_file(path: Path) -> tuple[str, int]:
    """Keep a copy of a file of this machine, unless its content is kept; return (sha256, bytes)."""
    size, sha256 = path.stat().st_size, digest(path)
    return (sha256, size) if room().size(sha256) == size else keep(chunks(path))


def keep(pieces: Iterable[bytes], limit: int | None = None) -> tuple[str, int]:
    """Keep content and return (sha256, bytes). A crash leaves nothing under a digest that it does not have.

    Args:
        limit: the most bytes to take.

    Raises:
        CareGridError: the content is longer than the limit, or its place refuses it; nothing is kept.
    """
    target = room()
    incoming = disk.incoming()
    handle, name = tempfile.mkstemp(dir=incoming)
    temporary = Path(name)
    try:
        hashed, size = hashlib.sha256(), 0
        with os.fdopen(handle, "wb") as stream:
            for piece in pieces:
                size += len(piece)
                if limit is not None and size > limit:
                    raise CareGridError(
                        f"the content is longer than {limit:,} bytes",
                        fix="raise CAREGRID_FETCH_LIMIT_BYTES if the source is meant to be that large",
                    )
                hashed.update(piece)
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        # Landed bytes are never changed.
        temporary.chmod(0o440)
        target.take(temporary, hashed.hexdigest(), size)
    finally:
        temporary.unlink(missing_ok=True)
    return hashed.hexdigest(), size
