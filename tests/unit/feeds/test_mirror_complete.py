"""Every file of the mirror is read by a feed, or left out with a reason that data health shows."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
from caregrid.feeds import load_feeds
from caregrid.paths import feeds_base

BASE = feeds_base()
pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(
        not (BASE / "README.md").is_file(), reason="the mirror of the real feeds is not on this machine"
    ),
]

# What the mirror's own table calls scores, interface or allocation: no contract of a feed holds them.
_OTHER_KINDS = ("scores", "interface", "allocation")
# Documents beside the data.
_DOCUMENTS = ("*.md", "LIZENZ*", "LICENSE*", "SHA256SUMS.txt", "tableschema_*.json")


def data_sets() -> list[str]:
    """Return the folders that fit a contract, as the mirror's table says."""
    folders = []
    for line in (BASE / "README.md").read_text(encoding="utf-8").splitlines():
        cells = line.split("|")
        if line.startswith("| `") and not any(kind in cells[2] for kind in _OTHER_KINDS):
            folders += re.findall(r"`([^`]+)`", cells[1])
    return folders


def left_out() -> set[str]:
    """Return the words of everything that a feed leaves out: names and patterns of files among them."""
    entries = [entry["what"] for feed in load_feeds().values() for entry in feed.data.get("left_out", [])]
    return {word.strip(":,()") for entry in entries for word in re.split(r"[\s,]+", entry)}


def test_every_data_set_that_fits_a_contract_is_read() -> None:
    paths = [source.path or "" for feed in load_feeds().values() for source in feed.sources.values()]
    assert len(data_sets()) > 15
    assert set(data_sets()) <= {path.split("/")[0] for path in paths}


@pytest.mark.parametrize("folder", data_sets() if BASE.is_dir() else [])
def test_no_file_is_passed_over_in_silence(folder: str) -> None:
    paths = [source.path or "" for feed in load_feeds().values() for source in feed.sources.values()]
    words = left_out()
    silent = []
    for file in sorted((BASE / folder).rglob("*")):
        relative = file.relative_to(BASE)
        names = {file.name, file.name.split(".")[0], *Path(*relative.parts[1:-1]).parts}
        is_told = any(fnmatch(name, word) for name in names for word in words)
        is_read = any(fnmatch(str(relative), path) for path in paths)
        if file.is_file() and not (is_read or is_told or any(fnmatch(file.name, doc) for doc in _DOCUMENTS)):
            silent.append(str(relative))
    assert silent == []
