"""What a value is a value of: service, measure, statistic, unit, dimensions, and the axes it sums over."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from caregrid.contracts import codes
from caregrid.mapping.cells import Cell, is_fixed, key_cell, text_cell
from caregrid.mapping.table import Problem, Table, by_unique


def code_cell(table: Table, spec: Any, name: str) -> Cell:
    """Return a code of service_or_resource or measure; one that no seed holds is a problem."""
    cell = text_cell(table, spec, name, plain="constant")
    if isinstance(spec, str) or is_fixed(spec):
        return cell
    known = codes.measures() if name == "measure" else codes.services_and_resources()
    empty = cell.series.is_null()
    unknown = ~empty & ~cell.series.is_in(list(known))
    if unknown.any():
        cell.problems.append(
            Problem(unknown, "unknown_code", name, f"{{value}} is no code of {name}", cell.series)
        )
    silent = empty & ~_masked(cell.problems, table)
    if silent.any():
        cell.problems.append(Problem(silent, "required", name, f"{name} is missing"))
    return cell


def _masked(problems: list[Problem], table: Table) -> pl.Series:
    mask = table.repeat(False, pl.Boolean)
    for problem in problems:
        mask = mask | problem.mask
    return mask


def statistics_of(value: dict[str, Any], measure: Any) -> pl.Expr | pl.Series:
    """Return the statistic: as the feed says, else the first that the measure allows."""
    if value.get("statistic"):
        return pl.lit(value["statistic"])
    usual = {code: known.statistics[0] for code, known in codes.measures().items()}
    if isinstance(value["measure"], str):
        return pl.lit(usual[value["measure"]])
    return measure.replace_strict(usual, default=None, return_dtype=pl.String)


def units_of(table: Table, value: dict[str, Any], measure: Any) -> pl.Expr | pl.Series:
    """Return the unit: as the feed says, else the measure's."""
    if value.get("unit"):
        return pl.lit(value["unit"])
    units = {code: known.unit for code, known in codes.measures().items()}
    return (
        pl.lit(units[value["measure"]])
        if isinstance(value["measure"], str)
        else measure.replace_strict(units, default=None, return_dtype=pl.String)
    )


def is_flow(table: Table, value: dict[str, Any], measure: Any) -> pl.Expr | pl.Series:
    """Return whether the measure is counted over a period, not seen at a moment."""
    flows = [code for code, known in codes.measures().items() if known.kind == "flow"]
    return (
        pl.lit(value["measure"] in flows)
        if isinstance(value["measure"], str)
        else measure.is_in(flows).fill_null(False)
    )


def is_assumed(table: Table, own: dict[str, Any] | None) -> bool:
    """Say whether known_at is assumed: by a lag, by the feed, or with the publication."""
    spec = own or table.source.known_at
    if "period_end_plus" in spec or spec.get("assumed"):
        return True
    return "published_at" in spec and table.context.published_at_is_assumed


def dimension_cell(table: Table, spec: dict[str, Any]) -> Cell:
    """Return the dimensions of each record as JSON with sorted keys.

    An axis without a value is a problem unless required: false.
    """
    fixed = {axis: str(cell["constant"]) for axis, cell in spec.items() if is_fixed(cell)}
    varying = {
        axis: key_cell(table, cell, f"dimensions.{axis}")
        for axis, cell in sorted(spec.items())
        if axis not in fixed
    }
    problems = [problem for cell in varying.values() for problem in cell.problems]
    for axis, cell in varying.items():
        silent = cell.series.is_null() & ~_masked(cell.problems, table)
        if spec[axis].get("required", True) and silent.any():
            problems.append(Problem(silent, "required", f"dimensions.{axis}", f"the {axis} is missing"))
    if not varying:
        return Cell(table.repeat(json.dumps(fixed, sort_keys=True, ensure_ascii=False)), problems)

    def compute(*cells: str | None) -> tuple[str]:
        own = {axis: text for axis, text in zip(varying, cells, strict=True) if text is not None}
        return (json.dumps({**fixed, **own}, sort_keys=True, ensure_ascii=False),)

    memo = table.context.state.setdefault(("dimensions", json.dumps([fixed, list(varying)])), {})
    return Cell(
        by_unique([cell.series for cell in varying.values()], compute, {"json": pl.String}, memo)["json"],
        problems,
    )


def total_over_cell(table: Table, spec: list[Any]) -> pl.Series:
    """Return the axes each record already sums over, sorted."""
    fixed = [entry for entry in spec if isinstance(entry, str)]
    conditional = [entry for entry in spec if isinstance(entry, dict)]
    masks = [table.evaluate(entry["when"]).fill_null(False).cast(pl.Boolean) for entry in conditional]
    if not masks:
        return pl.Series([sorted(set(fixed))], dtype=pl.List(pl.String)).new_from_index(0, table.height)

    def compute(*met: bool) -> tuple[list[str]]:
        return (
            sorted(
                {*fixed, *(entry["axis"] for entry, holds in zip(conditional, met, strict=True) if holds)}
            ),
        )

    return by_unique(masks, compute, {"axes": pl.List(pl.String)}, {})["axes"]
