"""Semantic checks of a feed's outputs: contract fields, codes, units, statistics, periods, columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from caregrid.contracts import Contract, contracts
from caregrid.feeds import codes
from caregrid.feeds.checker import Checker
from caregrid.feeds.document import Path
from caregrid.feeds.problems import nearest
from caregrid.feeds.times import parse_duration

_PERIOD_ORIGINS = ("column", "constant", "file_name", "join", "published_at")
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
        if output["name"] in names:
            checker.report(
                (*path, "name"), f"output {output['name']!r} stands twice", "give each output its own name"
            )
        names[output["name"]] = index
        listed = [output["source"]] if isinstance(output["source"], str) else output["source"]
        for source in listed:
            if source not in sources:
                checker.report(
                    (*path, "source"), f"source {source!r} is not declared", nearest(source, sources)
                )
        used.update(listed)
        _check_output(checker, path, contracts()[output["contract"]])
    for source in sources:
        if source not in used:
            checker.report(
                ("sources", source),
                "no output takes records of this source",
                "add an output, or drop the source",
            )


def _check_output(checker: Checker, path: Path, contract: Contract) -> None:
    output = checker.at(path)
    _check_place(checker, (*path, "place"))
    for key in ("known_at", "observed_at"):
        if key in output:
            _moment(checker, (*path, key))
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
        _check_period(checker, (*path, "period"), needs_grain=contract.values == "measures")
    if "dimensions" in output:
        if not contract.has_dimensions:
            checker.report(
                (*path, "dimensions"),
                f"{contract.name} has no dimensions",
                "drop them, or put them under fields: extra:",
            )
        _check_dimensions(checker, (*path, "dimensions"))
    if "identifiers" in output:
        if not contract.has_identifiers:
            checker.report((*path, "identifiers"), "identifiers belong to the contract facility", "drop them")
        for index in range(len(output["identifiers"])):
            for key in ("value", "valid_from", "valid_to"):
                checker.cell((*path, "identifiers", index, key))
    _check_fields(checker, (*path, "fields"), contract, output)
    if contract.values == "measures":
        _check_measures(checker, path, contract)
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
    if not required or contract.values == "measures":
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
        if field.type in ("date", "time"):
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
    if field.type in ("date", "time") and "constant" not in spec and "format" not in spec:
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


def _check_measures(checker: Checker, path: Path, contract: Contract) -> None:
    output = checker.at(path)
    values = output.get("values")
    if not values:
        checker.report(
            path, f"{contract.name} has no values", "add values: [{column: …, measure: …, statistic: …}]"
        )
        return
    for key in ("service_or_resource", "measure", "reporting_units", "is_provisional"):
        if key in output:
            checker.cell((*path, key))
    names: set[str] = set()
    for index, value in enumerate(values):
        here = (*path, "values", index)
        _check_value(checker, here, {**output, **value}, value, contract)
        name = value_name(value, index)
        if name in names:
            checker.report(here, f"two values are called {name!r}", "add name: to one of them")
        names.add(name)


def mapped_codes(spec: dict[str, Any]) -> list[Any]:
    """Return the codes a mapping can make, as far as its YAML says."""
    if "constant" in spec:
        return [spec["constant"]]
    otherwise = spec.get("otherwise", "reject")
    return [
        *spec.get("map", {}).values(),
        *([] if otherwise in ("reject", "keep", "missing") else [otherwise]),
    ]


def value_name(value: dict[str, Any], index: int) -> str:
    """Return what a value is called in rejects and counts: its name, else its column, else expr and number."""
    for key in ("name", "column", "columns"):
        if key in value:
            return str(value[key] if isinstance(value[key], str) else value[key][0])
    return f"value_{index + 1}"


def _check_value(
    checker: Checker, path: Path, merged: dict[str, Any], value: dict[str, Any], contract: Contract
) -> None:
    checker.one_of(path, value, ("column", "columns", "expr", "constant"), "this value")
    if "columns" in value:
        checker.regex((*path, "columns"))
    if "period" in value:
        _check_period(checker, (*path, "period"), needs_grain="period" not in checker.at(path[:2]))
    for key in ("service_or_resource", "reporting_units", "is_provisional"):
        checker.cell((*path, key))
    for key in ("known_at", "observed_at"):
        if key in value:
            _moment(checker, (*path, key))
    if ("status_map" in value) != ("status_column" in value):
        checker.report(path, "status_column and status_map belong together", "give both, or neither")
    if (
        "quantile" not in value
        and contract.name == "external_forecast"
        and "quantile" not in merged.get("fields", {})
    ):
        checker.report(path, "the quantile is missing", "add quantile: 0.5")
    _check_codes(checker, path, "service_or_resource", merged, codes.services_and_resources())
    _check_codes(checker, path, "measure", merged, codes.measures())
    axes = _check_dimensions(checker, (*path, "dimensions")) | set(
        checker.at((*path[:2], "dimensions")) or {}
    )
    _check_total_over(checker, path, merged, axes)
    measure = codes.measures().get(merged["measure"]) if isinstance(merged.get("measure"), str) else None
    if measure is None:
        return
    statistic = merged.get("statistic")
    if statistic is not None and statistic not in measure.statistics:
        checker.report(
            (*path, "statistic"),
            f"{measure.code} is not published as {statistic!r}",
            nearest(statistic, measure.statistics),
        )
    unit = merged.get("unit")
    if unit is not None and unit != measure.unit:
        checker.report(
            (*path, "unit"),
            f"{measure.code} is counted in {measure.unit}, not in {unit}",
            f"write unit: {measure.unit}; convert with factor:",
        )
    known = value.get("known_at") or merged.get("known_at") or {}
    if "period_end_plus" in known and parse_duration(known["period_end_plus"]).total_seconds() <= 0:
        checker.report(
            path,
            "a count would be known no later than its period's end",
            "give the publication lag, for example P4D",
        )


def _check_codes(
    checker: Checker, path: Path, key: str, merged: dict[str, Any], known: Iterable[str]
) -> None:
    spec = merged.get(key)
    if spec is None:
        checker.report(path, f"{key} is missing", f"set {key}: on the value or on the output")
        return
    for code in [spec] if isinstance(spec, str) else mapped_codes(spec):
        if code is not None and code not in known:
            checker.report(
                (*path, key),
                f"{code!r} is no code of {key}",
                nearest(str(code), known) + f" (dbt/seeds/{key}.csv)",
            )


def _check_dimensions(checker: Checker, path: Path) -> set[str]:
    axes = checker.at(path) or {}
    for axis in axes:
        if axis not in codes.dimensions():
            checker.report(
                (*path, axis),
                f"{axis!r} is no dimension",
                nearest(axis, codes.dimensions()) + " (dbt/seeds/dimension.csv)",
            )
        checker.cell((*path, axis))
    return set(axes)


def _check_total_over(checker: Checker, path: Path, merged: dict[str, Any], axes: set[str]) -> None:
    for entry in merged.get("total_over", []):
        axis = entry if isinstance(entry, str) else entry["axis"]
        if axis != "place" and axis not in codes.dimensions():
            checker.report(
                (*path, "total_over"), f"{axis!r} is no axis", nearest(axis, [*codes.dimensions(), "place"])
            )


def _check_period(checker: Checker, path: Path, needs_grain: bool) -> None:
    period = checker.at(path)
    base = dict(checker.at((*path[:2], "period")) or {})
    if set(period) & set(_PERIOD_ORIGINS):
        base = {key: value for key, value in base.items() if key not in _PERIOD_ORIGINS}
    inherited = {**base, **period}
    checker.one_of(path, inherited, _PERIOD_ORIGINS, "the period")
    if (
        "format" not in inherited
        and not {"constant", "published_at"} & set(inherited)
        and not checker.has_typed_source()
    ):
        checker.report(path, "the format of the period is missing", 'add format: "%Y-%m-%d" or the like')
    checker.formats((*path, "format"))
    if "file_name" in period:
        checker.regex((*path, "file_name"), groups=1)
    grain = inherited.get("grain") or (
        "interval" if "end_column" in inherited or "end_constant" in inherited else None
    )
    if needs_grain and grain is None:
        checker.report(path, "the grain is missing", f"add grain: one of {', '.join(codes.USAGE_GRAINS)}")
    if grain == "interval" and not {"end_column", "end_constant", "length"} & set(inherited):
        checker.report(path, "an interval has no end", "add end_column:, end_constant: or length: P30D")
    if (
        (inherited.get("role") == "instant") != (grain == "instant")
        and "role" in inherited
        and grain is not None
    ):
        checker.report(
            path, "role instant and grain instant belong together", "set both to instant, or neither"
        )
    checker.duration((*path, "length"))
    if "shift" in period:
        checker.duration((*path, "shift"))
    if "agrees_with" in period:
        checker.formats((*path, "agrees_with", "format"))


def _moment(checker: Checker, path: Path) -> None:
    from caregrid.feeds.check import check_moment

    check_moment(checker, path, ("value", "column", "file_name", "published_at", "period_end_plus"))
