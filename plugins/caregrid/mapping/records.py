"""Maps records to facility, resource, quality and improvement_action: one row each, or several."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import polars as pl

from caregrid.contracts import Contract, ContractField
from caregrid.feeds.model import Output
from caregrid.mapping.cells import Cell, date_cell, flag_cell, key_cell, moment_cell, normal, text_cell
from caregrid.mapping.number_cells import integer_cell, number_cell
from caregrid.mapping.places import place_cells
from caregrid.mapping.result import Candidate
from caregrid.mapping.series import dimension_cell
from caregrid.mapping.slots import slots_cell
from caregrid.mapping.table import Problem, Table, any_of, by_unique
from caregrid.mapping.times import known_at_cell, period_cells
from caregrid.mapping.types import ROW_COLUMNS


def record_candidates(table: Table, output: Output, contract: Contract) -> list[Candidate]:
    """Return one candidate per entry of `values:` (quality), or the one that each record is."""
    entries = output.spec.get("values") or [{}]
    return [_candidate(table, output, contract, entry, index) for index, entry in enumerate(entries)]


def _candidate(
    table: Table, output: Output, contract: Contract, entry: dict[str, Any], index: int
) -> Candidate:
    name = entry.get("name") or (f"value_{index + 1}" if "values" in output.spec else "")
    place, problems = place_cells(table, output)
    problems = list(problems)
    specs, extra = _split_extra({**output.spec.get("fields", {}), **entry.get("fields", {})})
    columns: list[pl.Series] = [table.lines.rename("line"), *place]
    literals: list[pl.Expr] = [
        pl.lit(name).alias("value_name"),
        pl.lit(table.feed.timezone).alias("timezone"),
    ]
    period_spec = entry.get("period") or output.spec.get("period")
    period: list[pl.Series] | None = None
    if contract.needs_period and period_spec:
        period, period_problems = period_cells(
            table,
            output,
            {
                "grain": "label"
                if "end_column" not in period_spec and "end_constant" not in period_spec
                else "interval",
                **period_spec,
            },
        )
        problems += period_problems
        columns += period[:2]
        literals.append(pl.lit(_period_source(period_spec)).alias("period_source"))
    known = known_at_cell(table, output.spec.get("known_at"), period)
    problems += known.problems
    columns.append(known.series.rename("known_at"))
    for field in contract.fields.values():
        cell = _field_cell(table, field, specs.get(field.name))
        problems += cell.problems
        columns.append(cell.series.rename(field.name))
        if field.has_status:
            columns.append(
                (cell.status if cell.status is not None else table.repeat("missing")).rename(
                    f"{field.name}_status"
                )
            )
        problems += _required(table, field, cell)
    wanted = ROW_COLUMNS[contract.name]
    if "extra" in wanted:
        json_cell = _json_cell(table, extra)
        problems += json_cell.problems
        columns.append(json_cell.series.rename("extra"))
    if "dimensions" in wanted:
        dimensions = dimension_cell(
            table, {**output.spec.get("dimensions", {}), **entry.get("dimensions", {})}
        )
        problems += dimensions.problems
        columns.append(dimensions.series.rename("dimensions"))
    if "identifiers" in wanted:
        identifiers = _identifiers(table, output)
        problems += identifiers.problems
        columns.append(identifiers.series.rename("identifiers"))
    if "country_code" in contract.fields:  # of the facility; the place has its own, which stands in
        columns = _one_country(columns, specs)
    frame = pl.DataFrame(columns).with_columns(
        *literals,
        pl.lit(table.context.published_at).alias("published_at"),
        pl.lit(_known_is_assumed(table, output)).alias("known_at_is_assumed"),
    )
    filtered = (
        ~table.evaluate(entry["where"]).fill_null(False)
        if "where" in entry
        else table.repeat(False, pl.Boolean)
    )
    return Candidate(name, frame, problems, filtered)


def _one_country(columns: list[pl.Series], specs: dict[str, Any]) -> list[pl.Series]:
    of_place, of_facility = (column for column in columns if column.name == "country_code")
    chosen = of_facility.fill_null(of_place) if "country_code" in specs else of_place
    return [*(column for column in columns if column.name != "country_code"), chosen]


def _known_is_assumed(table: Table, output: Output) -> bool:
    spec = output.spec.get("known_at") or table.source.known_at
    if "period_end_plus" in spec and "period" in output.spec:
        return True
    return bool(spec.get("assumed")) or (
        bool({"published_at", "period_end_plus"} & set(spec)) and table.context.published_at_is_assumed
    )


def _period_source(spec: dict[str, Any]) -> str:
    if "column" in spec or "join" in spec:
        return "column"
    return "yaml" if "constant" in spec else "file"


def _split_extra(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    extra = dict(fields.get("extra", {}))
    extra.update(
        {name.removeprefix("extra."): spec for name, spec in fields.items() if name.startswith("extra.")}
    )
    return {
        name: spec for name, spec in fields.items() if name != "extra" and not name.startswith("extra.")
    }, extra


def _field_cell(table: Table, field: ContractField, spec: Any) -> Cell:
    """Return the column of one field by its type; a field the feed does not map is null all over."""
    empty: dict[str, Any] = {
        "number": pl.Float64,
        "integer": pl.Int32,
        "boolean": pl.Boolean,
        "date": pl.Date,
        "list": pl.List(pl.String),
    }
    if spec is None:
        return Cell(pl.repeat(None, table.height, dtype=empty.get(field.type, pl.String), eager=True))
    if field.type == "number":
        return number_cell(table, spec, field.name)
    if field.type == "integer":
        return integer_cell(table, spec, field.name)
    if field.type == "boolean":
        return flag_cell(table, spec, field.name)
    if field.type == "date":
        return date_cell(table, spec, field.name)
    if field.type == "time":
        return moment_cell(table, normal(spec), field.name)
    if field.type == "list":
        return list_cell(table, spec, field.name)
    if field.type == "slots":
        return slots_cell(table, spec, field.name)
    cell = text_cell(table, spec, field.name, identifier=field.type == "identifier")
    if field.one_of:
        unknown = ~cell.series.is_in(list(field.one_of)).fill_null(True)
        if unknown.any():
            cell.problems.append(
                Problem(unknown, "unknown_code", field.name, f"{{value}} is no {field.name}", cell.series)
            )
    return cell


def _required(table: Table, field: ContractField, cell: Cell) -> list[Problem]:
    if not field.required:
        return []
    silent = cell.series.is_null() & ~any_of((problem.mask for problem in cell.problems), table.height)
    return [Problem(silent, "required", field.name, f"{field.name} is missing")] if silent.any() else []


def list_cell(table: Table, spec: Any, name: str) -> Cell:
    """Return a list of text.

    One or several columns, each split at `split`, parts stripped, empty ones dropped.
    """
    spec = normal(spec)
    names = spec.get("columns", None)
    cells = (
        [
            text_cell(
                table,
                {**{key: item for key, item in spec.items() if key != "columns"}, "column": column},
                name,
            )
            for column in names
        ]
        if names
        else [text_cell(table, spec, name)]
    )

    def compute(*texts: str | None) -> tuple[list[str] | None]:
        parts = [
            part.strip()
            for text in texts
            if text is not None
            for part in (text.split(spec["split"]) if "split" in spec else [text])
        ]
        kept = list(dict.fromkeys(part for part in parts if part))
        return (kept or None,)

    found = by_unique([cell.series for cell in cells], compute, {"list": pl.List(pl.String)}, {})
    return Cell(found["list"], [problem for cell in cells for problem in cell.problems])


def _json_cell(table: Table, specs: dict[str, Any]) -> Cell:
    """Return a JSON object of text per record, keys sorted, missing ones left out; `split` makes a list."""
    problems: list[Problem] = []
    columns: dict[str, pl.Series] = {}
    splits: dict[str, str] = {}
    for name, spec in sorted(specs.items()):
        long = normal(spec)
        if "format" in long:
            cell = date_cell(table, long, f"extra.{name}")
            cell.series = cell.series.cast(pl.String)
        else:
            cell = text_cell(table, long, f"extra.{name}")
        columns[name] = cell.series
        problems += cell.problems
        if "split" in long:
            splits[name] = long["split"]

    def compute(*cells: str | None) -> tuple[str]:
        found: dict[str, Any] = {
            name: text for name, text in zip(columns, cells, strict=True) if text is not None
        }
        for name, separator in splits.items():
            if name in found:
                found[name] = [part.strip() for part in found[name].split(separator) if part.strip()]
        return (json.dumps(found, sort_keys=True, ensure_ascii=False),)

    if not columns:
        return Cell(table.repeat("{}"))
    return Cell(by_unique(list(columns.values()), compute, {"json": pl.String}, {})["json"], problems)


def _identifiers(table: Table, output: Output) -> Cell:
    """Return a JSON array of the other identifiers of the place, with their days of validity."""
    entries = output.spec.get("identifiers", [])
    problems: list[Problem] = []
    columns: list[pl.Series] = []
    for index, entry in enumerate(entries):
        cell = key_cell(table, entry["value"], f"identifiers[{index}]", identifier=True)
        columns.append(cell.series)
        problems += cell.problems
        for key in ("valid_from", "valid_to"):
            day = (
                date_cell(table, normal(entry[key], "constant"), f"identifiers[{index}].{key}")
                if key in entry
                else Cell(table.repeat(None, pl.Date))
            )
            columns.append(day.series)
            problems += day.problems

    def compute(*cells: Any) -> tuple[str]:
        found: list[dict[str, str]] = []
        for index, entry in enumerate(entries):
            value, start, end = cells[3 * index : 3 * index + 3]
            if value is None:
                continue
            item = {"system": entry["system"], "value": value}
            item.update(
                {
                    key: day.isoformat()
                    for key, day in (("valid_from", start), ("valid_to", end))
                    if isinstance(day, date)
                }
            )
            found.append(item)
        return (json.dumps(found, sort_keys=True, ensure_ascii=False),)

    if not entries:
        return Cell(table.repeat("[]"))
    return Cell(by_unique(columns, compute, {"json": pl.String}, {})["json"], problems)
