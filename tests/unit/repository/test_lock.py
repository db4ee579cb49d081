"""The lock holds every dependency, by hash, and says nothing of where it came from."""

from __future__ import annotations

import re
import tomllib

import pytest
from caregrid.paths import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRIES = re.split(r"\n(?=\S)", LOCK.strip())


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


@pytest.mark.unit
def test_every_entry_is_pinned_and_hashed() -> None:
    assert len(ENTRIES) > 100
    for entry in ENTRIES:
        assert re.match(r"\S+==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.unit
def test_lock_names_no_index() -> None:
    assert not re.search(r"https?://|file://|--(extra-)?index-url|--find-links|--trusted-host", LOCK)


@pytest.mark.unit
def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    locked = {_name(entry) for entry in ENTRIES}
    assert {_name(requirement) for requirement in declared} <= locked
