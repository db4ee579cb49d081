"""Who reads the served tables is declared whole: by the code that reads them, and by the page's questions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from caregrid.paths import ROOT

pytestmark = pytest.mark.unit

MODELS = ROOT / "dbt" / "models"
EXPOSURES: dict[str, dict[str, Any]] = {
    exposure["name"]: exposure
    for exposure in yaml.safe_load((MODELS / "marts" / "exposures.yml").read_text(encoding="utf-8"))[
        "exposures"
    ]
}
SERVED = {path.stem for schema in ("core", "marts") for path in (MODELS / schema).rglob("*.sql")}


def depends_on(name: str) -> set[str]:
    return set(re.findall(r"ref\('(\w+)'\)", " ".join(EXPOSURES[name]["depends_on"])))


def read_by(path: Path) -> set[str]:
    """Served tables that the queries of a file, or of all files of a room, name."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    assert files
    found = {
        table
        for file in files
        for table in re.findall(r"\b(?:core|marts)\.([a-z_]+)", file.read_text(encoding="utf-8"))
    }
    return found & SERVED


def test_every_mart_has_a_reader() -> None:
    marts = {path.stem for path in (MODELS / "marts").rglob("*.sql")}
    assert marts <= set().union(*map(depends_on, EXPOSURES))


READ = {name: said["config"]["meta"]["reads"] for name, said in EXPOSURES.items() if "config" in said}


@pytest.mark.parametrize("name", READ)
def test_an_exposure_depends_on_what_its_code_reads(name: str) -> None:
    assert depends_on(name) == read_by(ROOT / READ[name]) != set()


def test_the_page_asks_only_what_is_declared_to_be_read() -> None:
    page = ROOT / "docs" / "marts.md"
    queries = " ".join(re.findall(r"```sql\n(.+?)\n```", page.read_text(encoding="utf-8"), flags=re.S))
    asked = set(re.findall(r"\b(?:core|marts)\.([a-z_]+)", queries))
    declared = set().union(*(depends_on(name) for name in EXPOSURES if name.startswith("bi_")))
    assert asked == declared


def test_whoever_is_named_can_be_reached() -> None:
    for exposure in EXPOSURES.values():
        assert exposure["owner"]["name"]
        assert exposure["owner"]["email"].endswith("@caregrid.invalid")
        assert len(exposure["description"]) > 20
