"""The map of ml in docs/models.md is the code's own: every room is on it, none imports from a row below."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from caregrid.paths import ROOT

pytestmark = pytest.mark.unit
ML = ROOT / "ml"


def rows() -> list[list[str]]:
    """Return the rooms of each row of the map."""
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    told = text.split("## The rooms", 1)[1].split("\n## ", 1)[0]
    lines = [line.split("|")[1] for line in told.splitlines() if line.startswith("| `")]
    return [re.findall(r"`ml/(\w+)`", line) for line in lines]


def imported(file: Path) -> Iterator[str]:
    """Yield the room, or file beside the rooms, of every import of ours, those within functions too."""
    package = ["ml", *file.relative_to(ML).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module.split(".") if node.module else []
        if node.level:
            module = package[: len(package) - node.level + 1] + module
        if module[:1] == ["ml"]:
            yield from module[1:2] or [alias.name for alias in node.names]


def test_every_room_is_on_the_map() -> None:
    rooms = {path.parent.name for path in ML.glob("*/__init__.py")}
    assert len(rooms) > 5
    assert rooms == {room for row in rows() for room in row}


def test_no_room_imports_from_a_row_below_its_own() -> None:
    place = {room: number for number, row in enumerate(rows()) for room in row}
    above, below = {"training", "scoring", "reproduce", "due"}, len(place)
    seen, back = 0, []
    for file in ML.rglob("*.py"):
        parts = file.relative_to(ML).with_suffix("").parts
        # A file beside the rooms stands above them all, but for the jobs that gather them.
        own = place[parts[0]] if len(parts) > 1 else below if parts[0] in above else -1
        for other in imported(file):
            seen += 1
            if place.get(other, below if other in above else -1) > own:
                back.append(f"{file.relative_to(ROOT)} imports {other}")
    assert seen > 150
    assert back == []
