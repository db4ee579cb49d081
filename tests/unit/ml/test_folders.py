"""What the system refuses is told by the folder that is written, or by the file that is not read."""

from __future__ import annotations

from pathlib import Path

import pytest
from caregrid.errors import CareGridError

from ml import folders

pytestmark = pytest.mark.unit


def test_a_file_within_the_folder_is_told_as_not_written(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").mkdir()
    with pytest.raises(CareGridError, match="cannot be written") as refused, folders.writing(tmp_path):
        (tmp_path / "scores.csv").write_text("")
    assert refused.value.where == f"--out {tmp_path}"


def test_a_disk_that_is_full_is_told_as_not_written(tmp_path: Path) -> None:
    """Its error names no file."""
    with pytest.raises(CareGridError, match="cannot be written") as refused, folders.writing(tmp_path):
        Path("/dev/full").write_text("more")
    assert refused.value.where == f"--out {tmp_path}"


def test_a_file_elsewhere_is_told_by_its_own_name(tmp_path: Path) -> None:
    absent = tmp_path / "table.csv"
    with pytest.raises(CareGridError, match="cannot be read") as refused, folders.writing(tmp_path / "out"):
        absent.read_text()
    assert refused.value.where == str(absent)
    assert refused.value.fix
