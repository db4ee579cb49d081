"""The suites: one per contract and per mart, every expectation with a name, a severity and two languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from caregrid.gates import engine
from caregrid.gates.landing_profile import PROFILES
from caregrid.paths import ROOT

engine.prepare_environment()

import great_expectations as gx  # noqa: E402

from expectations import contracts, landing, marts  # noqa: E402
from expectations.building import between, suite  # noqa: E402

pytestmark = pytest.mark.unit

ALL = {
    **{f"landing_{about}": build for about, build in landing.SUITES.items()},
    **{f"mart_{name}": build for name, build in marts.MARTS.items()},
    "every_table": marts.every_table,
}


@pytest.mark.parametrize("name", ALL)
def test_suite_says_what_it_means(name: str) -> None:
    built: gx.ExpectationSuite = ALL[name]()
    assert built.expectations
    for expectation in built.expectations:
        assert expectation.meta
        assert re.fullmatch(r"[a-z][a-z0-9_]*", expectation.meta["name"])
        english, _, chinese = expectation.meta["means"].partition(" · ")
        assert re.fullmatch(r"[\x20-\x7e]+", english), english
        assert re.search(r"[\u4e00-\u9fff]", chinese), english
        assert expectation.severity.value in ("critical", "warning")


@pytest.mark.parametrize("name", [name for name in ALL if name != "every_table"])
def test_suite_looks_only_at_columns_of_its_profile(name: str) -> None:
    profile = (PROFILES / f"{name}.sql").read_text()
    for expectation in ALL[name]().expectations:
        column = (expectation.meta or {}).get("column")
        if column is not None:
            assert re.search(rf"\b{column}\b", profile), column


def test_every_contract_has_a_suite() -> None:
    names = {file.stem for file in Path(ROOT, "plugins/caregrid/contracts").glob("*.yml")}
    assert names
    assert set(landing.SUITES) == {"load"} | names
    assert set(contracts.KEYS) == set(landing.SUITES)


def test_every_mart_has_a_suite() -> None:
    names = {file.stem for file in Path(ROOT, "dbt/models/marts").rglob("*.sql")}
    assert names
    assert set(marts.MARTS) == names


def test_two_expectations_of_one_name_are_refused() -> None:
    one = between("a", "warning", "x", "某", low=1)
    with pytest.raises(ValueError, match="stands twice"):
        suite("double", [one, between("a", "critical", "y", "某", low=2)])
