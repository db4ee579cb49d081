"""`caregrid simulate` says what it wrote, and what was wrong with its input."""

from __future__ import annotations

from pathlib import Path

import pytest
from caregrid.cli import main

pytestmark = pytest.mark.unit


def test_it_prints_files_records_and_planted_faults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(
        ["simulate", "--out", str(tmp_path), "--facilities", "4", "--days", "14", "--start", "2026-02-02"]
    )
    printed = capsys.readouterr().out
    assert code == 0
    assert "as of 2026-02-16T00:15:00" in printed
    assert "emergency" in printed
    assert "truncated × 1: one rejected file" in printed
    assert (tmp_path / "manifest.json").is_file()


def test_it_writes_below_var_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path))
    assert main(["simulate", "--facilities", "4", "--days", "14"]) == 0
    assert (tmp_path / "simulated" / "manifest.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [(["--start", "2.2.2026"], "2025-11-03"), (["--days", "3"], "--days 14")],
)
def test_wrong_input_is_told_with_its_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], fix: str
) -> None:
    assert main(["simulate", "--out", str(tmp_path / "none"), *arguments]) == 2
    assert fix in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
