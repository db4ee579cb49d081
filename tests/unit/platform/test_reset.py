"""`make reset` asks before it deletes, and deletes nothing but what runs have written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from caregrid.cli import main

pytestmark = pytest.mark.unit


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A var directory with something in it, beside a file that is none of ours."""
    var = tmp_path / "var"
    (var / "landing").mkdir(parents=True)
    (var / "landing" / "file").write_bytes(b"landed")
    (tmp_path / "theirs").write_bytes(b"not ours")
    monkeypatch.setenv("CAREGRID_VAR", str(var))
    return var


def answering(monkeypatch: pytest.MonkeyPatch, answer: str, *, terminal: bool = True) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: answer)


@pytest.mark.parametrize(("answer", "terminal"), [("no", True), ("", True), ("y", True), ("yes", False)])
def test_without_a_yes_at_the_terminal_nothing_is_deleted(
    written: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    terminal: bool,
) -> None:
    answering(monkeypatch, answer, terminal=terminal)
    assert main(["reset"]) == 1
    said = capsys.readouterr().out
    assert str(written) in said
    assert "nothing was deleted" in said
    assert (written / "landing" / "file").read_bytes() == b"landed"


@pytest.mark.parametrize("arguments", [["reset"], ["reset", "--yes"]])
def test_a_yes_deletes_what_runs_have_written_and_nothing_else(
    written: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    answering(monkeypatch, "yes", terminal="--yes" not in arguments)
    assert main(arguments) == 0
    assert not written.exists()
    assert (written.parent / "theirs").read_bytes() == b"not ours"
