"""Data show on the terminal and never steer it: cells, paths and messages, through every command."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from caregrid import paths, terminal
from caregrid.cli import main
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

FEED = """\
feed: steering
name: {en: "Steering", zh: "操控"}
owner: {id: someone, name: "Someone"}
visibility: public
country: CA
timezone: America/Toronto
schedule: null
expected_every: null
lateness_tolerance: null
licence: "none"
provenance: "invented"
sources:
  beds:
    path: beds.csv
    format: {type: csv}
    published_at: {value: "2024-01-05", assumed: true}
    known_at: {period_end_plus: P1D}
outputs:
  - name: taken
    contract: usage
    source: beds
    place: {level: facility, system: typed, code: id, name: who}
    period: {column: day, format: "%Y-%m-%d", grain: day}
    service_or_resource: bed
    values: [{column: n, measure: occupied, statistic: snapshot}]
"""
# Clears the screen, sets the window's title, turns the direction of writing.
HOSTILE = "\x1b[2J\x1b]0;mine\x07\u202e"
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAREGRID_FEEDS_BASE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    rows = f"A1,人民医院{HOSTILE},2024-01-01,7\nA2,Ward,2024-01-01,{HOSTILE}\n"
    (tmp_path / "beds.csv").write_text(f"id,who,day,n\n{rows}", encoding="utf-8")
    file = tmp_path / "steering.yml"
    file.write_text(FEED, encoding="utf-8")
    return file


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_that_steers_is_left_and_nothing_else_is_changed(text: str) -> None:
    shown = terminal.visible(text)
    assert not STEERS.search(shown)
    assert len(shown) == len(text)
    assert [after for before, after in zip(text, shown, strict=True) if not STEERS.match(before)] == [
        before for before in text if not STEERS.match(before)
    ]


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_json_keeps_the_value_and_steers_nothing(text: str) -> None:
    written = terminal.as_json({"cell": text})
    assert not STEERS.search(written)
    assert json.loads(written) == {"cell": text}


def test_cells_of_accepted_and_rejected_rows_show_but_do_not_steer(
    feed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["feeds", "try", str(feed)]) == 0
    printed = capsys.readouterr().out
    assert not STEERS.search(printed)
    assert printed.count("␛]0;mine␇") == 2, "the accepted and the rejected cell"


def test_colours_on_a_terminal_are_ours_alone(
    feed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["feeds", "try", str(feed)]) == 0
    printed = capsys.readouterr().out
    assert "\x1b[" in printed
    assert not STEERS.search(re.sub(r"\x1b\[[0-9;]*m", "", printed))


def test_what_was_typed_is_told_without_being_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["feeds", "try", f"{HOSTILE}\udcff"]) == 2
    told = capsys.readouterr().err
    assert "␛[2J" in told
    assert not STEERS.search(told)


@pytest.mark.parametrize("action", [["try"], ["check"], ["try", "us_hifld_hospitals", "--file"]])
@pytest.mark.parametrize("ending", ["", ".yml"])
def test_a_path_too_long_is_told_in_two_lines(
    action: list[str], ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["feeds", *action, "a" * 5000 + ending]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "too long" in first
    assert len(first) < 200
    assert second.startswith("  fix: ")


def test_a_line_that_is_written_over_steers_with_our_own_characters_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    with terminal.guarded():
        terminal.begin_line(f"building {HOSTILE}")
        print(f"\n{HOSTILE}")
    start = "\r\x1b[K"
    assert stream.getvalue().startswith(start)
    assert not STEERS.search(stream.getvalue().removeprefix(start))


def test_every_table_goes_through_the_guarded_console() -> None:
    files = [file for package in ("plugins", "ml") for file in (paths.ROOT / package).rglob("*.py")]
    assert len(files) > 100
    assert [
        file.name
        for file in files
        if re.search(r"\bConsole\(", file.read_text(encoding="utf-8")) and file.name != "terminal.py"
    ] == []
