"""Landed bytes on this disk: written beside, synced, then renamed into place, and never changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from caregrid import faults, paths
from caregrid.landing import contents


def incoming() -> Path:
    """Return the directory of half-received files, which a crash may leave there."""
    found = paths.var("landing", "incoming")
    found.mkdir(parents=True, exist_ok=True)
    return found


def path_of(sha256: str) -> Path:
    """Return where content with this digest lies: var/landing/ab/cd/<sha256>."""
    return paths.var("landing", sha256[:2], sha256[2:4], sha256)


@dataclass(frozen=True)
class Disk:
    """The room below var/landing; see `store.Room` for what each function is to do."""

    @property
    def where(self) -> str:
        """The place, for messages."""
        return str(paths.var("landing"))

    def size(self, sha256: str) -> int | None:
        """Return how many bytes are kept."""
        path = path_of(sha256)
        return path.stat().st_size if path.is_file() else None

    def take(self, temporary: Path, sha256: str, size: int) -> None:
        """Move a file of this disk into place."""
        target = path_of(sha256)
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        faults.point("landing:before_rename")
        temporary.replace(target)
        _sync_directory(target.parent)

    @contextmanager
    def opened(self, sha256: str) -> Iterator[Path]:
        """Give the file itself."""
        path = path_of(sha256)
        if not path.is_file():
            raise contents.gone(sha256, str(path))
        if contents.digest(path) != sha256:
            raise contents.damaged(sha256, str(path))
        yield path

    def copy_to(self, sha256: str, target: Path) -> None:
        """Copy the file."""
        path = path_of(sha256)
        try:
            shutil.copyfile(path, target)
        except FileNotFoundError:
            raise contents.gone(sha256, str(path)) from None
        if contents.digest(target) != sha256:
            target.unlink()
            raise contents.damaged(sha256, str(path))

    def mend(self, path: Path, sha256: str, size: int) -> None:
        """Put a copy in place of what may lie there."""
        temporary = incoming() / f"{sha256}.mend"
        shutil.copyfile(path, temporary)
        temporary.chmod(0o440)
        target = path_of(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(target)
        _sync_directory(target.parent)

    def kept(self) -> Iterator[tuple[str, datetime]]:
        """Yield what lies there, and since when."""
        for path in paths.var("landing").glob("??/??/*"):
            yield path.name, datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def remove(self, sha256: str) -> None:
        """Remove a file."""
        path_of(sha256).unlink(missing_ok=True)

    def drop_unfinished(self, before: datetime) -> int:
        """Nothing is begun here but in the directory of half-received files, which is swept for all rooms."""
        return 0


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
