"""`caregrid feeds check`, `try` and `list` as a person types them: what they print and how they exit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from caregrid.cli import main
from caregrid.feeds import spec

pytestmark = pytest.mark.unit
FEED = """\
feed: typed
name: {en: "Typed", zh: "输入"}
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
    path: beds_*.csv
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
  - name: sites
    contract: facility
    source: beds
    place: {level: facility, system: typed, code: id}
    fields: {name: who}
"""


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAREGRID_FEEDS_BASE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "beds_1.csv").write_text(
        "id,who,day,n\nA1,人民医院,2024-01-01,7\nA2,[b]Ward,2024-01-01,many\nA3\n", encoding="utf-8"
    )
    file = tmp_path / "typed.yml"
    file.write_text(FEED, encoding="utf-8")
    return file


def test_check_exits_2_and_tells_every_mistake(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["feeds", "check", str(feed)]) == 0
    assert "1 feed checked, 0 mistakes" in capsys.readouterr().out
    feed.write_text(
        FEED.replace("measure: occupied", "measure: ocupied").replace("country: CA", "country: ca")
    )
    assert main(["feeds", "check", str(feed)]) == 2
    out = capsys.readouterr().out
    assert f"{feed}:5: country" in out
    feed.write_text(FEED.replace("measure: occupied", "measure: ocupied"))
    assert main(["feeds", "try", str(feed)]) == 2
    out = capsys.readouterr().out
    assert f"{feed}:25: outputs[0].values[0].measure" in out
    assert "did you mean occupied?" in out


def test_check_tells_the_mistakes_of_both_stages_at_once(
    feed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of what the form is right for the meaning is asked, whatever else is wrong in the file."""
    two = FEED.replace(
        "values: [{column: n, measure: occupied, statistic: snapshot}]",
        'where: "n >"\n    values:\n'
        "      - {column: n, measure: ocupied, statistic: snapshot}\n"
        "      - {column: m, measure: capacity, statistic: sum}\n"
        "      - {column: l, measure: occupied, statistic: count, flavour: sweet}\n"
        "      - {column: k, measure: free, statistic: cumulative}",
    )
    feed.write_text(two.replace("country: CA", "country: ca").replace("feed: typed", "feed: typd"))
    assert main(["feeds", "check", str(feed)]) == 2
    out = capsys.readouterr().out
    told = [line.split(": ")[1] for line in out.splitlines() if line.startswith(str(feed))]
    assert told == [
        "feed",
        "country",
        "outputs[0].where",
        "outputs[0].values[0].measure",
        "outputs[0].values[1].statistic",
        "outputs[0].values[2].flavour",
        "outputs[0].values[3].statistic",
    ]
    assert "1 feed checked, 7 mistakes" in out


def test_try_shows_rows_rejects_and_what_cannot_be_read(
    feed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["feeds", "try", str(feed), "--rows", "3"]) == 0
    out = capsys.readouterr().out
    assert "taken → usage: 1 rows, 1 rejected, 0 filtered" in out
    assert "人民医院" in out
    assert "[b]Ward" in out
    assert "'many' is no number" in out
    assert "1 fields where the heading has 4" in out
    assert "sites → facility: 2 rows, 0 rejected" in out
    assert "repeat or contradict each other is found when they are loaded" in out


def test_what_goes_to_a_pipe_is_not_cut(
    feed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    long = " ".join(f"word{number}" for number in range(25))
    feed.with_name("beds_1.csv").write_text(f"id,who,day,n\nA1,{long},2024-01-01,many\n", encoding="utf-8")
    assert main(["feeds", "try", str(feed)]) == 0
    out = capsys.readouterr().out
    assert sum(long in line for line in out.splitlines()) >= 2  # the reject's record, and the site's name
    assert all(len(line) < 400 for line in out.splitlines() if long not in line)


def test_try_of_a_file_that_is_no_data_fails(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = feed.with_name("page.csv")
    page.write_text("<!doctype html>\n<html></html>\n")
    assert main(["feeds", "try", str(feed), "--file", str(page)]) == 1
    assert "(html)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--source", "bed"], "there are: beds"),
        (["--output", "x"], "there are: taken, sites"),
    ],
)
def test_try_of_what_is_not_there(
    feed: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["feeds", "try", str(feed), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_feed_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["feeds", "check", "no_such_feed"]) == 2
    assert "caregrid feeds list" in capsys.readouterr().err


def test_no_file_matches(feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    feed.with_name("beds_1.csv").unlink()
    assert main(["feeds", "try", str(feed)]) == 2
    assert "CAREGRID_FEEDS_BASE" in capsys.readouterr().err
    text = feed.read_text(encoding="utf-8")
    feed.write_text(text.replace("path: beds_", f"path: {tmp_path.as_uri()}/beds_"), encoding="utf-8")
    assert main(["feeds", "try", str(feed)]) == 2
    told = capsys.readouterr().err
    assert "correct the path" in told
    assert "CAREGRID_FEEDS_BASE" not in told


@pytest.mark.parametrize("command", [["alerts", "read"], ["feeds", "loads"]])
@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_count_is_at_least_one(command: list[str], count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, f"--count={count}"])
    assert ended.value.code == 2
    assert "--count" in capsys.readouterr().err


def test_list_names_every_feed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["feeds", "list"]) == 0
    out = capsys.readouterr().out
    from caregrid.feeds import feed_files

    assert all(file.stem in out for file in feed_files())


def test_one_broken_file_hides_no_other_feed(
    feed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = feed.with_name("broken.yml")
    broken.write_text("feed: [broken", encoding="utf-8")
    monkeypatch.setattr(spec.sound_feeds, "__defaults__", (feed.parent,))
    assert main(["feeds", "list"]) == 1
    out = capsys.readouterr().out
    assert "Typed 输入" in out
    assert out.index("Typed") < out.index(f"{broken}:1: ")
    assert "fix: " in out


def test_a_file_that_is_not_there_and_a_count_below_zero_are_told(
    feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in (tmp_path / "none.csv", tmp_path):
        assert main(["feeds", "try", str(feed), "--file", str(wrong)]) == 2
        assert "there is no such file" in capsys.readouterr().err
    for command in (["try", str(feed), "--rows", "-1"], ["loads", "--count", "-1"]):
        with pytest.raises(SystemExit) as left:
            main(["feeds", *command])
        assert left.value.code == 2
        assert "whole number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            psycopg.OperationalError("the connection is lost\nDETAIL: a patient"),
            "the database broke off: the conn",
        ),
        (PermissionError(13, "Permission denied", "/data/beds.csv"), "/data/beds.csv: Permission denied"),
    ],
)
def test_database_and_system_errors_are_words_not_tracebacks(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr("caregrid.loading.accounting.newest_loads", fail)
    assert main(["feeds", "loads"]) == 1
    told = capsys.readouterr().err
    assert words in told
    assert "fix: " in told
    assert "patient" not in told


def test_a_var_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file, no directory")
    environment = {**os.environ, "CAREGRID_VAR": str(tmp_path / "var" / "below")}
    command = [sys.executable, "-m", "caregrid.cli", "feeds", "loads"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "Not a directory" in ran.stderr
    assert "Traceback" not in ran.stderr
