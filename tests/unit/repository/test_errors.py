"""Every error that a person is meant to read says what to do about it."""

from __future__ import annotations

import ast

import pytest
from caregrid.paths import ROOT

pytestmark = pytest.mark.unit

LIBRARY = ROOT / "plugins" / "caregrid"
# Whoever reads the SQL of many models catches these, and tells of the file that one is in.
CAUGHT = {"lineage/columns.py"}


def test_every_error_names_a_fix() -> None:
    calls = [
        (file.relative_to(LIBRARY).as_posix(), call)
        for file in LIBRARY.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "CareGridError"
    ]
    assert len(calls) > 100
    without = [
        f"{file}:{call.lineno}"
        for file, call in calls
        if not any(keyword.arg == "fix" for keyword in call.keywords) and file not in CAUGHT
    ]
    assert without == []
