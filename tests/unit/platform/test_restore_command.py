"""`caregrid restore` of what is no backup: what is wrong, and which directory to name."""

from __future__ import annotations

from pathlib import Path

import pytest
from caregrid.cli import main

pytestmark = pytest.mark.unit


def test_a_directory_that_is_no_backup_is_told_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    assert main(["restore", str(gone)]) == 2
    told = capsys.readouterr().err
    assert f"{gone}: there is no such directory" in told
    assert "Errno" not in told
    assert "make backup" in told
    assert main(["restore", str(tmp_path)]) == 2
    assert "its manifest is missing" in capsys.readouterr().err
