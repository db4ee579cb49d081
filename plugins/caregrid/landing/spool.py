"""Local copies of landed bytes that lie elsewhere: held while read, the oldest dropped above a limit.

Formats such as Parquet, Excel and zip are read from their end, so what is read has to be a file. A copy that
somebody reads bears a shared lock, which ends with the process: no crash keeps a copy for ever.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from caregrid import paths
from caregrid.landing import contents, disk

DEFAULT_LIMIT_BYTES = 8 * 2**30


def limit_bytes() -> int:
    """Return the most bytes of copies that nobody reads (CAREGRID_LANDING_SPOOL_BYTES, by default 8 GiB)."""
    return int(os.environ.get("CAREGRID_LANDING_SPOOL_BYTES", DEFAULT_LIMIT_BYTES))


@contextmanager
def lease(sha256: str, fetch: Callable[[Path], None]) -> Iterator[Path]:
    """Give a copy that stays until the context ends.

    Args:
        fetch: writes the content, proved, to a path that is given; called where there is no copy.
    """
    path = _folder() / sha256
    while (handle := _held(path)) is None:
        temporary = _temporary()
        try:
            fetch(temporary)
            temporary.chmod(0o440)
            adopt(temporary, sha256)
        finally:
            temporary.unlink(missing_ok=True)
    try:
        yield path
    finally:
        os.close(handle)
        trim(limit_bytes())


def adopt(file: Path, sha256: str) -> None:
    """Make a file of this disk, whose digest this is, a copy as well."""
    # A link, not a rename: the copy that another process has put there and reads must stay.
    with suppress(FileExistsError):
        os.link(file, _folder() / sha256)


def trim(limit: int) -> None:
    """Drop the copies that were used longest ago, those that are read excepted, until all fit a limit."""
    found = []
    for path in _folder().iterdir():
        with suppress(FileNotFoundError):
            status = path.stat()
            found.append((status.st_atime_ns, status.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= limit:
            return
        if _dropped(path):
            total -= size


def _held(path: Path) -> int | None:
    """Return a handle whose lock keeps the copy, None where there is none or it is damaged."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    fcntl.flock(handle, fcntl.LOCK_SH)
    try:
        # Between opening and locking it may have been dropped.
        if os.fstat(handle).st_ino == path.stat().st_ino:
            if contents.digest(path) == path.name:
                os.utime(handle)
                return handle
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _dropped(path: Path) -> bool:
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            return True
        finally:
            os.close(handle)
    return False


def _folder() -> Path:
    found = paths.var("landing", "spool")
    found.mkdir(parents=True, exist_ok=True)
    return found


def _temporary() -> Path:
    handle, name = tempfile.mkstemp(dir=disk.incoming())
    os.close(handle)
    return Path(name)
