"""The content-addressed store of landed bytes: written beside, synced, then renamed into place."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from caregrid import faults, paths
from caregrid.errors import CareGridError

_CHUNK = 2**20


def path_of(sha256: str) -> Path:
    """Return where content with this digest lies: var/landing/ab/cd/<sha256>."""
    return paths.var("landing", sha256[:2], sha256[2:4], sha256)


def chunks(path: Path) -> Iterator[bytes]:
    """Read a file in pieces."""
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            yield piece


def digest(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def keep_file(path: Path) -> tuple[str, int]:
    """Store a file of this machine, unless its content is stored; return (sha256, bytes)."""
    size, sha256 = path.stat().st_size, digest(path)
    return (sha256, size) if path_of(sha256).is_file() else keep(chunks(path))


def keep(pieces: Iterable[bytes], limit: int | None = None) -> tuple[str, int]:
    """Store content and return (sha256, bytes). A crash leaves no file under a digest that it does not have.

    Args:
        limit: the most bytes to take.

    Raises:
        CareGridError: the content is longer than the limit; nothing is stored.
    """
    room = paths.var("landing", "incoming")
    room.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=room)
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
        target = path_of(hashed.hexdigest())
        if target.exists():
            return hashed.hexdigest(), size
        target.parent.mkdir(parents=True, exist_ok=True)
        # Landed bytes are never changed.
        temporary.chmod(0o440)
        faults.point("landing:before_rename")
        temporary.replace(target)
        _sync_directory(target.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return hashed.hexdigest(), size


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
