"""A folder that a command is to write: made and tried before the work begins, not after hours of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caregrid.errors import CareGridError


def made(folder: Path, option: str = "--out") -> Path:
    """Make a folder if it is not there, and try whether a file can be written into it.

    Raises:
        CareGridError: it is a file, lies under one, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CareGridError(
            f"nothing can be written there: {error.strerror or error}",
            where=f"{option} {folder}",
            fix="name a folder that may be written, or one that can be made",
        ) from error
    return folder


@contextmanager
def writing(folder: Path, option: str = "--out") -> Iterator[None]:
    """Tell of what the system refuses while a folder is written (a full disk, a folder in a file's place).

    Raises:
        CareGridError: in place of the OSError; of a file that lies elsewhere it names that file.
    """
    try:
        yield
    except OSError as error:
        named = error.filename
        if isinstance(named, str | Path) and not Path(named).resolve().is_relative_to(folder.resolve()):
            raise unread(error, str(named)) from error
        raise CareGridError(
            f"cannot be written: {error}",
            where=f"{option} {folder}",
            fix="see that the disk has room and that nothing of another kind has the place of a file",
        ) from error


def unread(error: OSError, place: str) -> CareGridError:
    """Return what the system refused where something was to be read, as an error that names the place."""
    return CareGridError(
        f"cannot be read: {error.strerror or error}",
        where=str(error.filename or place),
        fix="see that it is there, that it may be read, and that nothing of another kind has its place",
    )
