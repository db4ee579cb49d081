"""The reference of the feed language names every key there is, and its example is sound."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from caregrid.contracts import Contract, contracts
from caregrid.feeds.check import check_text
from caregrid.feeds.checker import NAMED_FORMATS
from caregrid.feeds.schema import SCHEMA_FILE
from caregrid.mapping.types import UNREADABLE_CODES
from caregrid.paths import ROOT

pytestmark = pytest.mark.unit
REFERENCE = (ROOT / "docs" / "feeds.md").read_text(encoding="utf-8")


def keys_of(schema: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= set(schema.get("properties", {}))
        for part in schema.values():
            found |= keys_of(part)
    if isinstance(schema, list):
        for part in schema:
            found |= keys_of(part)
    return found


@pytest.mark.parametrize("key", sorted(keys_of(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))))
def test_every_key_is_explained(key: str) -> None:
    assert re.search(rf"(?<![\w]){re.escape(key)}(?![\w])", REFERENCE)


@pytest.mark.parametrize("word", sorted({*NAMED_FORMATS, *UNREADABLE_CODES}))
def test_every_format_and_code_is_named(word: str) -> None:
    assert f"`{word}`" in REFERENCE


def test_the_example_is_sound() -> None:
    (example,) = re.findall(r"```yaml\n(feed:.*?)```", REFERENCE, re.DOTALL)
    assert check_text(Path("north_beds.yml"), example) == []
    for form in re.findall(r"```yaml\n(format:.*?)```", REFERENCE, re.DOTALL):
        other = re.sub(r"    format: {type: csv.*\n", lambda _, text=form: indent(text, "    "), example)
        assert other != example
        assert check_text(Path("north_beds.yml"), other) == []


@pytest.mark.parametrize("contract", contracts().values(), ids=lambda contract: contract.name)
def test_every_contract_is_documented_as_it_is(contract: Contract) -> None:
    heading = f"### {contract.name} (version {contract.version})"
    assert heading in REFERENCE
    section = REFERENCE.split(heading)[1].split("\n## ")[0].split("\n### ")[0]
    for name, field in contract.fields.items():
        assert f"| `{name}` | {field.type}{', required' if field.required else ''}" in section
    for rule in contract.rules:
        assert f"{rule.message} (`{rule.code}`)" in section
