"""The lock holds every dependency, by hash, and says nothing of where it came from."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from caregrid.paths import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
# What servers install: without the tools of development, with Celery and FAB.
SCALE = (ROOT / "requirements-scale.lock").read_text(encoding="utf-8")
ENTRIES = re.split(r"\n(?=\S)", LOCK.strip())
SCALE_ENTRIES = re.split(r"\n(?=\S)", SCALE.strip())


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


@pytest.mark.unit
def test_every_entry_is_pinned_and_hashed() -> None:
    assert len(ENTRIES) > 100
    assert len(SCALE_ENTRIES) > 100
    for entry in ENTRIES + SCALE_ENTRIES:
        assert re.match(r"\S+==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.unit
def test_lock_names_no_index() -> None:
    named = r"https?://|file://|--(extra-)?index-url|--find-links|--trusted-host"
    assert not re.search(named, LOCK + SCALE)


@pytest.mark.unit
def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    locked = {_name(entry) for entry in ENTRIES}
    assert {_name(requirement) for requirement in declared} <= locked


@pytest.mark.unit
def test_servers_get_the_same_versions_and_what_they_alone_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    locked = {_name(entry) for entry in SCALE_ENTRIES}
    declared = project["project"]["dependencies"] + groups["scale"]
    assert {_name(requirement) for requirement in declared} <= locked
    assert not {"pytest", "mypy"} & locked
    assert not {_name(requirement) for requirement in groups["scale"]} & {_name(entry) for entry in ENTRIES}
    here, there = ({entry.splitlines()[0] for entry in entries} for entries in (ENTRIES, SCALE_ENTRIES))
    names = {_name(entry) for entry in ENTRIES}
    assert {line for line in there - here if _name(line) in names} == set()


@pytest.mark.unit
def test_every_import_is_declared() -> None:
    """What another package brings along today it may leave out tomorrow."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = {_name(requirement) for requirement in project["project"]["dependencies"]}
    brought_by = packages_distributions()
    own = {"caregrid", "ml", "expectations"}
    seen = set()
    for folder in ("plugins", "ml", "expectations", "dags"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    seen |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                    seen.add(node.module.split(".")[0])
    outside = seen - own - set(sys.stdlib_module_names)
    assert len(outside) > 15
    assert {
        name for name in outside if not {_name(brought) for brought in brought_by.get(name, [])} & declared
    } == set()
