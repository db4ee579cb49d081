"""The map in CONTRIBUTING.md is the code's own: every room is on it, none imports from a row below."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from caregrid.paths import ROOT

pytestmark = pytest.mark.unit

LIBRARY = ROOT / "plugins" / "caregrid"


def rows() -> list[list[str]]:
    """Return the rooms of each row of the map, by the name they are imported by."""
    table = [
        line.split("|")[1]
        for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    return [[Path(name).name for name in re.findall(r"`([^`]+)`", row)] for row in table]


ROW = {room: number for number, row in enumerate(rows()) for room in row}


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, room) for every import of one of our rooms, those within functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            first, *rest = name.split(".")
            room = rest[0] if first == "caregrid" and rest else first
            if room in ROW and (first == "caregrid" or first in ("ml", "expectations")):
                yield node.lineno, room


def files() -> list[tuple[Path, str]]:
    """Return every file of every room with the name of its room; files beside the rooms have none."""
    found = [(file, file.relative_to(LIBRARY).parts[0]) for file in LIBRARY.rglob("*.py")]
    for room in ("ml", "expectations", "dags"):
        found += [(file, room) for file in (ROOT / room).rglob("*.py")]
    return found


def test_every_room_is_on_the_map() -> None:
    rooms = {path.name for path in LIBRARY.iterdir() if (path / "__init__.py").is_file()}
    assert len(rooms) > 10
    assert rooms | {"ml", "expectations", "dags", "dbt"} == set(ROW)


def test_no_room_imports_from_a_row_below_its_own() -> None:
    seen = 0
    back = []
    for file, room in files():
        for line, other in imports(file):
            seen += 1
            # A file beside the rooms stands above them all; the command line gathers them and stands below.
            row = ROW.get(room, -1 if room != "cli.py" else len(ROW))
            if ROW[other] > row:
                back.append(f"{file.relative_to(ROOT)}:{line} imports {other}")
    assert seen > 200
    assert back == []
