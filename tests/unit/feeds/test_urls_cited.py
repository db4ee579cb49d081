"""A feed names an address on the web only with the public document that shows it; else it says: not found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from caregrid.feeds import feed_files, load_feed

pytestmark = pytest.mark.unit

REAL = [file for file in feed_files() if load_feed(file).data.get("base") != "simulated"]


def test_there_are_feeds_to_fetch() -> None:
    urls = [source.url for file in REAL for source in load_feed(file).sources.values() if source.url]
    assert urls
    assert all(url.startswith("https://") for url in urls)


@pytest.mark.parametrize("file", REAL, ids=lambda file: file.stem)
def test_an_address_is_cited_and_its_absence_is_said(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    found = [number for number, line in enumerate(lines) if re.match(r"\s+url:", line)]
    assert len(found) == len(load_feed(file).sources)
    for number in found:
        if "null" in lines[number]:
            assert "# not found" in lines[number], f"{file}:{number + 1}"
            continue
        cited = ""
        for line in reversed(lines[:number]):
            if not line.strip().startswith("#"):
                break
            cited = line + cited
        assert re.search(r"\.(md|yml|html|pdf)\b|https?://", cited), f"{file}:{number + 1} cites no document"
