"""The rooms of the warehouse and their doors: who may read whom, and what every table says of itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from caregrid.paths import ROOT

pytestmark = pytest.mark.unit

MODELS = ROOT / "dbt" / "models"
ROOMS = ("staging", "intermediate", "core", "marts")
SQL = {path.stem: path for path in sorted(MODELS.rglob("*.sql"))}


def room(path: Path) -> str:
    return path.relative_to(MODELS).parts[0]


def refs(name: str) -> set[str]:
    return set(re.findall(r"ref\('(\w+)'\)", SQL[name].read_text()))


def described() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(MODELS.rglob("*.yml")):
        for model in yaml.safe_load(file.read_text()).get("models", []):
            assert model["name"] not in found, f"{model['name']} is described twice"
            found[model["name"]] = model
    return found


DESCRIBED = described()


def test_there_are_models_in_every_room() -> None:
    assert {room(path) for path in SQL.values()} == set(ROOMS)
    assert len(SQL) > 60


@pytest.mark.parametrize("name", SQL)
def test_only_staging_reads_sources(name: str) -> None:
    reads_source = "source(" in SQL[name].read_text()
    assert not reads_source or room(SQL[name]) == "staging"


@pytest.mark.parametrize("name", [name for name, path in SQL.items() if room(path) == "marts"])
def test_marts_read_core_only(name: str) -> None:
    assert refs(name)
    assert {other: room(SQL[other]) for other in refs(name)} == dict.fromkeys(refs(name), "core")


@pytest.mark.parametrize("name", SQL)
def test_served_tables_are_read_only_where_touched_keys_are_found(name: str) -> None:
    """core.x by its served name would escape the order of the graph."""
    if re.search(r"\b(core|marts)\.\w+", SQL[name].read_text()):
        assert room(SQL[name]) == "intermediate"
        assert "builds_delta(" in SQL[name].read_text()


@pytest.mark.parametrize("name", SQL)
def test_names_follow_the_rooms(name: str) -> None:
    prefixes = {
        "staging": ("stg_",),
        "intermediate": ("int_",),
        "core": ("dim_", "fct_"),
        "marts": (f"{SQL[name].parent.name}_",),
    }
    assert name.startswith(prefixes[room(SQL[name])])


@pytest.mark.parametrize("name", SQL)
def test_every_model_states_its_grain_and_key(name: str) -> None:
    model = DESCRIBED[name]
    meta = model["config"]["meta"]
    assert "Grain: one row per" in model["description"]
    assert meta["grain"].startswith("one row per")
    if room(SQL[name]) != "staging":
        assert meta["key"]
    columns = [column["name"] for column in model.get("columns", [])]
    if columns:
        assert set(meta["key"]) <= set(columns)


def keys_tested(described: dict[str, Any]) -> list[list[str]]:
    return [
        test["unique_key"]["arguments"]["columns"]
        for test in described.get("data_tests", [])
        if isinstance(test, dict) and "unique_key" in test
    ]


def test_the_key_of_what_is_served_as_a_view_is_that_of_its_source() -> None:
    """A position in an array is told apart by itself; what is tested is the key of the row it stands in."""
    views = {
        name
        for name, path in SQL.items()
        if room(path) in ("core", "marts")
        and "materialized='view'" in path.read_text()
        and "delta" not in DESCRIBED[name]["config"]["meta"]
    }
    assert views == {name for name, model in DESCRIBED.items() if "unnested" in model["config"]["meta"]}
    sources = yaml.safe_load((MODELS / "staging" / "sources.yml").read_text())["sources"]
    tables = {table["name"]: table for source in sources for table in source["tables"]}
    assert views
    for name in views:
        meta = DESCRIBED[name]["config"]["meta"]
        of, number = meta["unnested"]["source"], meta["unnested"]["number"]
        assert "with ordinality" in SQL[name].read_text()
        assert [*keys_tested(tables[of])[0], number] == meta["key"]


# A view that unnests has the key of its source, which the test above looks at.
KEYED = [
    name
    for name, path in SQL.items()
    if room(path) != "staging" and "unnested" not in DESCRIBED[name]["config"]["meta"]
]


@pytest.mark.parametrize("name", KEYED)
def test_every_key_is_tested(name: str) -> None:
    """By a test of its own and a unique index; a fact built by touched keys by those of its rebuilt rows."""
    meta = DESCRIBED[name]["config"]["meta"]
    delta = meta.get("delta")
    tested = DESCRIBED[delta["rows"] if delta else name]
    # The first is the key; others may tell rows apart as well.
    assert keys_tested(tested)[:1] == [meta["key"]]
    text = SQL[tested["name"]].read_text()
    index = re.search(r"'columns': \[([^\]]+)\],\s*'unique': True", text)
    assert index is not None
    assert re.findall(r"'(\w+)'", index[1]) == meta["key"]


@pytest.mark.parametrize("name", [name for name, path in SQL.items() if room(path) == "marts"])
def test_every_moment_of_a_mart_is_told_in_local_time_too(name: str) -> None:
    kinds = {column["name"]: column["data_type"] for column in DESCRIBED[name]["columns"]}
    moments = {column for column, kind in kinds.items() if kind == "timestamp with time zone"}
    local = {column for column, kind in kinds.items() if kind == "timestamp without time zone"}
    assert local == {f"{column}_local" for column in moments}
    assert not local or kinds["timezone"] == "text"


@pytest.mark.parametrize("name", [name for name, path in SQL.items() if room(path) == "marts"])
def test_the_page_of_marts_tells_grain_and_key(name: str) -> None:
    page = (ROOT / "docs" / "marts.md").read_text()
    section = page.split(f"## {name}\n", 1)[1].split("\n## ", 1)[0]
    meta = DESCRIBED[name]["config"]["meta"]
    assert f"Grain: {meta['grain']}" in section
    assert f"Key: `{', '.join(meta['key'])}`" in section


def test_the_page_of_marts_lists_no_other() -> None:
    page = (ROOT / "docs" / "marts.md").read_text()
    sections = set(re.findall(r"^## (\w+_\w+)$", page, flags=re.M))
    assert sections == {name for name, path in SQL.items() if room(path) == "marts"}


def test_every_source_says_when_it_is_stale() -> None:
    described = yaml.safe_load((MODELS / "staging" / "sources.yml").read_text())["sources"]
    assert len(described) > 6
    for source in described:
        assert source["config"]["freshness"]["warn_after"]["count"], source["name"]
        for table in source["tables"]:
            assert {"loaded_at_field", "loaded_at_query"} & set(table["config"]), table["name"]


def test_nothing_comes_from_a_hub_of_packages() -> None:
    """It cannot be reached; the macros and tests are our own."""
    assert [name for name in ("packages.yml", "dependencies.yml") if (MODELS.parent / name).exists()] == []


def test_no_secret_stands_in_the_profile() -> None:
    profile = (ROOT / "dbt" / "profiles.yml").read_text()
    passwords = re.findall(r"password: (.+)", profile)
    assert passwords == ["\"{{ env_var('DBT_ENV_SECRET_CAREGRID_PASSWORD', '') }}\""]
