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
        CareGridError: in place of the OSError.
    """
    try:
        yield
    except OSError as error:
        raise CareGridError(
            f"cannot be written: {error}",
            where=f"{option} {folder}",
            fix="see that the disk has room and that nothing of another kind has the place of a file",
        ) from error
