"""MLflow's artifacts for backup and restore: on this disk, or in the bucket that CAREGRID_ARTIFACTS names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from caregrid import paths

if TYPE_CHECKING:
    from caregrid.platform.artifacts_bucket import Bucket

SETTING = "CAREGRID_ARTIFACTS"


class Room(Protocol):
    """Where artifacts lie; a name is a path below it, as experiment/run/artifacts/file."""

    @property
    def uri(self) -> str:
        """What MLflow's addresses of artifacts begin with, without a slash at the end."""

    def names(self) -> Iterator[str]:
        """Yield the name of everything there is."""

    def copy_to(self, name: str, target: Path) -> bool:
        """Copy an artifact to a new file; return whether it is there."""


def room() -> Disk | Bucket:
    """Return where MLflow's artifacts lie now.

    Raises:
        CareGridError: the setting is no address of a bucket, or the object store's keys cannot be read.
    """
    setting = os.environ.get(SETTING, "").strip()
    if not setting:
        return Disk(paths.var("mlflow", "artifacts"))
    from caregrid.platform import artifacts_bucket  # boto3 is slow to import

    return artifacts_bucket.Bucket.of(setting)


@dataclass(frozen=True)
class Disk:
    """The room below var/mlflow/artifacts."""

    root: Path

    @property
    def uri(self) -> str:
        """The directory as an address."""
        return self.root.resolve().as_uri()

    def names(self) -> Iterator[str]:
        """Yield every file."""
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                yield path.relative_to(self.root).as_posix()

    def copy_to(self, name: str, target: Path) -> bool:
        """Copy a file."""
        try:
            shutil.copyfile(self.root / name, target)
        except FileNotFoundError:
            return False
        return True
