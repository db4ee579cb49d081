"""Reads the contracts beside this file: fields, types and row rules of each canonical table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from caregrid.contracts import codes

CONTRACTS_DIR = Path(__file__).parent
FIELD_TYPES = {"text", "identifier", "code", "number", "integer", "boolean", "date", "time", "list", "slots"}


@dataclass(frozen=True)
class ContractField:
    """One field.

    type: one of FIELD_TYPES. one_of: allowed codes, () when any. has_status: carries `<name>_status`.
    """

    name: str
    type: str
    required: bool
    one_of: tuple[str, ...]
    has_status: bool
    meaning: str


@dataclass(frozen=True)
class Rule:
    """A condition every row must meet: SQL over the mapped row; null counts as met."""

    code: str
    field: str
    holds: str
    message: str


@dataclass(frozen=True)
class Contract:
    """One contract. values: 'measures' (columns become rows), 'fields' (rows of fields) or '' (one row)."""

    name: str
    version: int
    grain: str
    key: tuple[str, ...]
    fields: Mapping[str, ContractField]
    rules: tuple[Rule, ...]
    values: str
    needs_period: bool
    has_dimensions: bool
    has_identifiers: bool


@lru_cache(maxsize=1)
def contracts() -> Mapping[str, Contract]:
    """Return every contract by name."""
    found = [_contract(path) for path in sorted(CONTRACTS_DIR.glob("*.yml"))]
    return {contract.name: contract for contract in found}


def contract_versions() -> dict[str, int]:
    """Return the version of every contract; part of each load's mapping version."""
    return {name: contract.version for name, contract in contracts().items()}


def _contract(path: Path) -> Contract:
    data: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    values = data.get("values", "")
    return Contract(
        name=data["contract"],
        version=data["version"],
        grain=data["grain"],
        key=tuple(data["key"]),
        fields={name: _field(name, field) for name, field in data["fields"].items()},
        rules=tuple(Rule(**rule) for rule in data["rules"]),
        values="measures" if values is True else str(values),
        needs_period=data["period"] == "required",
        has_dimensions=data.get("dimensions", False),
        has_identifiers=data.get("identifiers", False),
    )


def _field(name: str, data: dict[str, Any]) -> ContractField:
    if data["type"] not in FIELD_TYPES:
        raise ValueError(f"contract field {name}: unknown type {data['type']!r}")
    one_of = data.get("one_of", ())
    if one_of == "service_or_resource":
        one_of = tuple(codes.services_and_resources())
    return ContractField(
        name=name,
        type=data["type"],
        required=data.get("required", False),
        one_of=tuple(one_of),
        has_status=data.get("status", False),
        meaning=data["meaning"],
    )
