"""Semantic checks of values, codes, units, dimensions and periods."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from caregrid.contracts import Contract, codes
from caregrid.feeds.check_moments import check_moment
from caregrid.feeds.checker import Checker
from caregrid.feeds.document import Path
from caregrid.feeds.problems import nearest
from caregrid.feeds.times import parse_duration

_PERIOD_ORIGINS = ("column", "constant", "file_name", "join", "published_at")


def check_measures(checker: Checker, path: Path, contract: Contract) -> None:
    """Check the values of a usage or forecast output."""
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
        if not checker.is_sound(here):
            continue
        _check_value(checker, here, {**output, **value}, value, contract)
        name = value_name(value, index)
        if name in names:
            checker.report(here, f"two values are called {name!r}", "add name: to one of them")
        names.add(name)
        statistic = {**output, **value}.get("statistic")
        if output.get("on_conflict") == "sum" and statistic not in ("count", "sum"):
            checker.report(
                (*path, "on_conflict"),
                f"{name!r} is no count: its values cannot be added up",
                "use reject or last",
            )


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
    """Return what a value is called in rejects and counts.

    Its name, else its column, else expr and number.
    """
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
    if "extract" in value:
        checker.regex((*path, "extract"), groups=1)
    if "period" in value:
        check_period(checker, (*path, "period"), needs_grain="period" not in checker.at(path[:2]))
    for key in ("service_or_resource", "measure", "reporting_units", "is_provisional"):
        checker.cell((*path, key))
    for key in ("known_at", "observed_at"):
        if key in value:
            check_known(checker, (*path, key))
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
    axes = check_dimensions(checker, (*path, "dimensions")) | set(checker.at((*path[:2], "dimensions")) or {})
    _check_total_over(checker, path, merged, axes)
    spec = merged.get("measure", {})
    for code in [spec] if isinstance(spec, str) else mapped_codes(spec):
        if code in codes.measures():
            _check_measure(checker, path, merged, codes.measures()[code])
    known = value.get("known_at") or merged.get("known_at") or {}
    if "period_end_plus" in known and parse_duration(known["period_end_plus"]).total_seconds() <= 0:
        checker.report(
            path,
            "a count would be known no later than its period's end",
            "give the publication lag, for example P4D",
        )


def _written(checker: Checker, path: Path, key: str) -> Path:
    """Return where a value's key stands: on the value, else on its output, which all its values share."""
    return (*path, key) if key in (checker.at(path) or {}) else (*path[:2], key)


def _check_measure(checker: Checker, path: Path, merged: dict[str, Any], measure: codes.Measure) -> None:
    statistic = merged.get("statistic")
    if statistic is not None and statistic not in measure.statistics:
        checker.report(
            _written(checker, path, "statistic"),
            f"{measure.code} is not published as {statistic!r}",
            nearest(statistic, measure.statistics),
        )
    unit = merged.get("unit")
    if unit is not None and unit != measure.unit:
        checker.report(
            _written(checker, path, "unit"),
            f"{measure.code} is counted in {measure.unit}, not in {unit}",
            f"write unit: {measure.unit}; convert with factor:",
        )


def _check_codes(
    checker: Checker, path: Path, key: str, merged: dict[str, Any], known: Iterable[str]
) -> None:
    spec = merged.get(key)
    if spec is None:
        checker.report(path, f"{key} is missing", f"set {key}: on the value or on the output")
        return
    where = _written(checker, path, key)
    for code in [spec] if isinstance(spec, str) else mapped_codes(spec):
        if code is not None and code not in known:
            checker.report(
                where,
                f"{code!r} is no code of {key}",
                nearest(str(code), known) + f" (dbt/seeds/{key}.csv)",
            )


def check_dimensions(checker: Checker, path: Path) -> set[str]:
    """Check the axes of a breakdown; return them."""
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


def check_period(checker: Checker, path: Path, needs_grain: bool) -> None:
    """Check a period; a value's own is checked as merged over its output's."""
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
    _check_precision(checker, path, inherited.get("format"), grain)
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


_PRECISION = {1: "mbB", 2: "dj", 3: "HIMST"}


def _check_precision(checker: Checker, path: Path, formats: Any, grain: str | None) -> None:
    """Report a format without the parts the grain needs: a month would be taken for its first day."""
    if grain not in ("instant", "hour", "day", "week"):
        return
    for form in [formats] if isinstance(formats, str) else formats or []:
        written = set(re.findall(r"%(.)", form))
        finest = max((level for level, letters in _PRECISION.items() if set(letters) & written), default=0)
        if "%" in form and finest < (2 if grain in ("day", "week") else 3):
            checker.report(
                (*path, "format"),
                f"{form!r} is too coarse for the grain {grain}",
                "name the parts of the time down to the grain",
            )


def check_known(checker: Checker, path: Path) -> None:
    """Check a known_at or observed_at that stands on an output or a value."""
    check_moment(checker, path, ("value", "column", "file_name", "published_at", "period_end_plus"))
