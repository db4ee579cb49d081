"""What the values of an output are: each with what it inherits, columns found by a pattern included."""

from __future__ import annotations

import re
from typing import Any

from caregrid.feeds.check_measures import value_name
from caregrid.feeds.model import Output

_SERIES = (
    "service_or_resource",
    "measure",
    "statistic",
    "unit",
    "dimensions",
    "total_over",
    "subset_of",
    "period",
    "known_at",
    "observed_at",
    "reporting_units",
    "is_provisional",
)


def expand_values(output: Output, columns: list[str]) -> list[dict[str, Any]]:
    """Return the values of an output with what they inherit from it.

    A regex over the header becomes one per column.
    """
    found: list[dict[str, Any]] = []
    for index, value in enumerate(output.spec["values"]):
        if "columns" not in value:
            found.append(_merged(output, {**value, "name": value_name(value, index)}))
            continue
        for column in columns:
            if match := re.fullmatch(value["columns"], column):
                text = match[1] if match.re.groups else column
                own = _substitute(
                    {key: item for key, item in value.items() if key != "columns"}, column, text
                )
                found.append(_merged(output, {**own, "column": column, "name": column}))
    return found


def _substitute(item: Any, column: str, text: str) -> Any:
    """Put the header's text where the YAML says column: $column."""
    if isinstance(item, dict):
        if item.get("column") == "$column":
            return {**{key: part for key, part in item.items() if key != "column"}, "constant": text}
        return {key: _substitute(part, column, text) for key, part in item.items()}
    if isinstance(item, list):
        return [_substitute(part, column, text) for part in item]
    return column if item == "$column" else item


_PERIOD_ORIGINS = ("column", "constant", "file_name", "join", "published_at")


def _merged(output: Output, value: dict[str, Any]) -> dict[str, Any]:
    merged = {key: output.spec[key] for key in _SERIES if key in output.spec}
    merged.update({key: item for key, item in value.items() if key not in ("dimensions", "period")})
    merged["dimensions"] = {**output.spec.get("dimensions", {}), **value.get("dimensions", {})}
    base, own = dict(output.spec.get("period", {})), value.get("period", {})
    if any(key in own for key in _PERIOD_ORIGINS):
        base = {
            key: item
            for key, item in base.items()
            if key in ("fiscal_start", "ambiguous", "week_starts", "grain", "role")
        }
    merged["period"] = {**base, **own}
    if "grain" in value:
        merged["period"]["grain"] = value["grain"]
        if merged["period"].get("role") == "instant" and value["grain"] != "instant":
            merged["period"]["role"] = "label"
    return merged
