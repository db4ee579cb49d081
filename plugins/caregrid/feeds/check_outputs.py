"""Semantic checks of a feed's outputs: contract fields, codes, units, statistics, periods, columns."""

from __future__ import annotations

from typing import Any

from caregrid.contracts import Contract, codes, contracts
from caregrid.feeds.check_measures import (
    check_dimensions,
    check_known,
    check_measures,
    check_period,
    mapped_codes,
)
from caregrid.feeds.checker import Checker
from caregrid.feeds.document import Path
from caregrid.feeds.problems import nearest

_SERIES_KEYS = (
    "service_or_resource",
    "measure",
    "statistic",
    "unit",
    "subset_of",
    "total_over",
    "reporting_units",
)


def check_outputs(checker: Checker) -> None:
    """Check every output, and that their names are unique and their sources exist and are used."""
    names: dict[str, int] = {}
    used: set[str] = set()
    sources = checker.document.data["sources"]
    for index, output in enumerate(checker.document.data["outputs"]):
        path: Path = ("outputs", index)
        if checker.is_sound((*path, "name")):
            if output["name"] in names:
                checker.report(
                    (*path, "name"),
                    f"output {output['name']!r} stands twice",
                    "give each output its own name",
                )
            names[output["name"]] = index
        if checker.is_sound((*path, "source")):
            listed = [output["source"]] if isinstance(output["source"], str) else output["source"]
            for source in listed:
                if source not in sources:
                    checker.report(
                        (*path, "source"), f"source {source!r} is not declared", nearest(source, sources)
                    )
            used.update(listed)
        else:
            used.update(sources)  # it may mean any of them
        if _has_shape(checker, path):
            _check_output(checker, path, contracts()[output["contract"]])
    for source in sources:
        if source not in used:
            checker.report(
                ("sources", source),
                "no output takes records of this source",
                "add an output, or drop the source",
            )


def _has_shape(checker: Checker, path: Path) -> bool:
    """Say whether the schema holds for an output but for keys of single values, which are left out alone."""
    return all(
        len(fault) > 4 and fault[2] == "values"
        for fault in checker.faulty
        if fault[: len(path)] == path or path[: len(fault)] == fault
    )


def _check_output(checker: Checker, path: Path, contract: Contract) -> None:
    output = checker.at(path)
    _check_place(checker, (*path, "place"))
    for key in ("known_at", "observed_at"):
        if key in output:
            check_known(checker, (*path, key))
    if (
        contract.needs_period
        and "period" not in output
        and not all("period" in value for value in output.get("values", [{}]))
    ):
        checker.report(
            path, f"{contract.name} needs a period", "add period: {column: …, format: …, role: …, grain: …}"
        )
    if not contract.needs_period and "period" in output:
        checker.report(
            (*path, "period"), f"{contract.name} has no period", "drop it; use valid_from and valid_to"
        )
    if "period" in output:
        check_period(checker, (*path, "period"), needs_grain=contract.values == "measures")
    if "dimensions" in output:
        if not contract.has_dimensions:
            checker.report(
                (*path, "dimensions"),
                f"{contract.name} has no dimensions",
                "drop them, or put them under fields: extra:",
            )
        check_dimensions(checker, (*path, "dimensions"))
    if "identifiers" in output:
        if not contract.has_identifiers:
            checker.report((*path, "identifiers"), "identifiers belong to the contract facility", "drop them")
        for index in range(len(output["identifiers"])):
            for key in ("value", "valid_from", "valid_to"):
                checker.cell((*path, "identifiers", index, key))
    _check_fields(checker, (*path, "fields"), contract, output)
    if contract.values == "measures":
        check_measures(checker, path, contract)
        return
    for key in _SERIES_KEYS:
        if key in output:
            checker.report(
                (*path, key), f"{key} says nothing about {contract.name}", "drop it, or set it under fields:"
            )
    if "values" in output:
        if contract.values != "fields":
            checker.report((*path, "values"), f"{contract.name} makes one row per record", "drop values:")
        for index, value in enumerate(output["values"]):
            here = (*path, "values", index)
            if not checker.is_sound(here):
                continue
            for key in value:
                if key not in ("name", "where", "fields", "period", "dimensions"):
                    checker.report(
                        (*here, key), f"{key} says nothing about {contract.name}", "set it under fields:"
                    )
            _check_fields(checker, (*here, "fields"), contract, value, required=False)


def _check_place(checker: Checker, path: Path) -> None:
    place = checker.at(path)
    level = place["level"]
    levels = [level] if isinstance(level, str) else mapped_codes(level)
    for code in levels:
        if code is not None and code not in codes.PLACE_LEVELS:
            checker.report(
                (*path, "level"), f"{code!r} is no level of places", nearest(str(code), codes.PLACE_LEVELS)
            )
    for key in place:
        checker.cell((*path, key))


def _check_fields(
    checker: Checker, path: Path, contract: Contract, output: dict[str, Any], required: bool = True
) -> None:
    fields = output.get("fields", {})
    for name, spec in fields.items():
        if name == "extra" and contract.name in ("facility", "resource"):
            for key in spec:
                checker.cell((*path, "extra", key))
            continue
        if name.startswith("extra.") and contract.name in ("facility", "resource"):
            checker.cell((*path, name))
            continue
        if name not in contract.fields or (
            contract.values == "measures" and name in ("value", "value_status")
        ):
            known = [*contract.fields, *(["extra"] if contract.name in ("facility", "resource") else [])]
            checker.report((*path, name), f"{contract.name} has no field {name!r}", nearest(name, known))
            continue
        checker.cell((*path, name))
        _check_field_type(checker, (*path, name), contract, name, spec)
    if not required or contract.values == "measures" or not checker.is_sound((*path[:-1], "values")):
        return
    given = set(fields).union(*(value.get("fields", {}) for value in output.get("values", [])))
    for name, field in contract.fields.items():
        if field.required and name not in given:
            checker.report(
                path if fields else path[:-1],
                f"field {name!r} is required by {contract.name}",
                f"add fields: {name}: …",
            )


def _check_field_type(checker: Checker, path: Path, contract: Contract, name: str, spec: Any) -> None:
    field = contract.fields[name]
    if not isinstance(spec, dict):
        if field.type in ("date", "time") and not checker.has_typed_source():
            checker.report(
                path,
                f"{name} is a {field.type} and its format is missing",
                f'write {name}: {{column: …, format: "%Y-%m-%d"}}',
            )
        return
    if field.one_of:
        for code in mapped_codes(spec):
            if code is not None and str(code) not in field.one_of:
                checker.report(path, f"{code!r} is no {name}", nearest(str(code), field.one_of))
    untimed = "constant" not in spec and "format" not in spec and not checker.has_typed_source()
    if field.type in ("date", "time") and untimed:
        checker.report(
            path, f"{name} is a {field.type} and its format is missing", 'add format: "%Y-%m-%d" or the like'
        )
    for key, types in {
        "slots": ("slots",),
        "split": ("list",),
        "project": ("number",),
        "number": ("number", "integer"),
        "columns": ("list",),
        "unit_factor": ("number", "integer"),
        "status_column": ("number",),
    }.items():
        if key in spec and field.type not in types:
            checker.report((*path, key), f"{key} does not make a {field.type}", "drop it")
