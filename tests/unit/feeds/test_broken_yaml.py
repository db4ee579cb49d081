"""Files that are no YAML mapping at all are told with file, line and fix; nothing ends in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from caregrid.cli import main
from caregrid.errors import CareGridError
from caregrid.feeds import check_file, load_feed

pytestmark = pytest.mark.unit
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"feed: x\nname: R\xe9gie\n", 2, "save it as UTF-8"),
        ("feed: x\n".encode("utf-16"), 1, "save it as UTF-8"),
        (b"", 1, "the file is empty"),
        (b"# nothing yet\n", 1, "copy the example"),
        (b"feed: x\nowner:\n\tid: y\n", 3, "indent with spaces"),
        (b"feed: x\nschedule: @daily\n", 2, "in quotes"),
        (b"feed: x\npath: *.csv\n", 2, "in quotes"),
        (b"feed: x\nlicence: of: 2025\n", 2, "in quotes"),
        (b"feed: x\nfeed: y\n", 2, "feed: this is no YAML mapping: key 'feed' stands twice\n  fix: keep one"),
        (b"feed: x\n---\nfeed: y\n", 2, "one file is one feed"),
        (b"- feed\n", 1, "begin with feed:"),
        (b"feed: &a [*a]\n", 1, "nested without end"),
        (b"feed: " + b"[" * 3000 + b"]" * 3000, 1, "nested too deep"),
        (BOMB.encode(), 1, "nested without end"),
    ],
)
def test_a_broken_file_is_one_mistake_with_its_line_and_fix(
    tmp_path: Path, content: bytes, line: int, words: str
) -> None:
    file = tmp_path / "x.yml"
    file.write_bytes(content)
    (problem,) = check_file(file)
    assert (problem.line, words in str(problem)) == (line, True), str(problem)
    with pytest.raises(CareGridError):
        load_feed(file)


def test_a_directory_is_all_its_feeds_and_another_ending_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["feeds", "check", str(tmp_path)]) == 2
    (tmp_path / "odd.yml").mkdir()
    (tmp_path / "a.yml").write_text("")
    (tmp_path / "b.yaml").write_text("")
    assert main(["feeds", "check", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert "no feed lies in this directory" in told.err
    assert "2 feeds checked, 2 mistakes" in told.out
    data = tmp_path / "beds.csv"
    data.write_text("a\n")
    assert main(["feeds", "check", str(data)]) == 2
    assert "this is no feed" in capsys.readouterr().err
