"""Maps records to usage values and published forecasts: columns become rows of one series each."""

from __future__ import annotations

import json
import re
from typing import Any

import polars as pl

from caregrid.contracts import Contract
from caregrid.feeds import codes
from caregrid.feeds.check_outputs import value_name
from caregrid.feeds.model import Output
from caregrid.mapping.cells import Cell, flag_cell, integer_cell, moment_cell, number_cell, text_cell
from caregrid.mapping.places import place_cells
from caregrid.mapping.result import Candidate
from caregrid.mapping.table import Problem, Table, by_unique
from caregrid.mapping.times import known_at_cell, period_cells

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
_STEPS = {
    "instant": 1 / 24,
    "hour": 1 / 24,
    "day": 1,
    "week": 7,
    "month": 30.4375,
    "quarter": 91.3125,
    "year": 365.25,
    "interval": 1,
}


def expand_values(output: Output, columns: list[str]) -> list[dict[str, Any]]:
    """Return the values of an output with what they inherit from it; a regex over the header becomes one per column."""
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


def measure_candidates(table: Table, output: Output, contract: Contract) -> list[Candidate]:
    """Return one candidate frame per value: every record's row, and the problems found in it."""
    key = ("values", output.name)
    values = table.context.state.get(key)
    if values is None:
        values = table.context.state[key] = [
            value
            for value in expand_values(output, table.context.columns)
            if not (value.get("optional") and "column" in value and table.resolve(value["column"]) is None)
        ]
    place, place_problems = place_cells(table, output)
    return [_candidate(table, output, contract, value, place, place_problems) for value in values]


def _candidate(
    table: Table,
    output: Output,
    contract: Contract,
    value: dict[str, Any],
    place: list[pl.Series],
    place_problems: list[Problem],
) -> Candidate:
    problems = list(place_problems)

    def shared(kind: str, spec: Any, make: Any) -> Any:
        """Work out once what several values of an output have in common."""
        cache_key = (kind, json.dumps(spec, sort_keys=True, ensure_ascii=False))
        if cache_key not in table.cache:
            table.cache[cache_key] = make()
        return table.cache[cache_key]

    period, period_problems = shared(
        "period", value["period"], lambda: period_cells(table, output, value["period"])
    )
    problems += period_problems
    known: Cell = shared(
        "known",
        [value.get("known_at"), value["period"]],
        lambda: known_at_cell(table, value.get("known_at"), period),
    )
    problems += known.problems
    number = number_cell(table, value, value["name"])
    problems += number.problems
    assert number.status is not None
    series: dict[str, pl.Series | pl.Expr] = {}
    for field in ("service_or_resource", "measure"):
        cell: Cell = shared(field, value[field], lambda field=field: _code_cell(table, value[field], field))  # type: ignore[misc]
        problems += cell.problems
        series[field] = cell.series
    dimensions: Cell = shared(
        "dimensions", value["dimensions"], lambda: dimension_cell(table, value["dimensions"])
    )
    problems += dimensions.problems
    measure = codes.measures().get(str(value["measure"])) if isinstance(value["measure"], str) else None
    series["statistic"] = pl.lit(value.get("statistic") or (measure.statistics[0] if measure else "count"))
    series["unit"] = _units(table, value, series["measure"])
    total_over: pl.Series = shared(
        "total_over", value.get("total_over", []), lambda: _total_over(table, value.get("total_over", []))
    )
    frame = pl.DataFrame(
        [table.lines.rename("line"), *place, *period, known.series.rename("known_at")]
    ).with_columns(
        pl.lit(value["name"]).alias("value_name"),
        pl.lit(table.feed.timezone).alias("timezone"),
        *(column.alias(name) for name, column in series.items()),
        dimensions.series.alias("dimensions"),
        total_over.alias("total_over"),
        pl.lit(value.get("subset_of"), pl.String).alias("subset_of"),
        pl.lit(_is_assumed(table, value.get("known_at"))).alias("known_at_is_assumed"),
        number.series.alias("value"),
        _is_flow(table, value, series["measure"]).alias("flow"),
    )
    if contract.name == "usage":
        frame, extra_problems = _usage_columns(table, value, frame, number)
    else:
        frame, extra_problems = _forecast_columns(table, output, value, frame, number)
    return Candidate(
        value["name"], frame, problems + extra_problems, _filtered(table, value, frame, contract)
    )


def _usage_columns(
    table: Table, value: dict[str, Any], frame: pl.DataFrame, number: Cell
) -> tuple[pl.DataFrame, list[Problem]]:
    problems: list[Problem] = []
    units = (
        integer_cell(table, value["reporting_units"], "reporting_units")
        if "reporting_units" in value
        else None
    )
    provisional = flag_cell(table, value.get("is_provisional", False), "is_provisional")
    observed = moment_cell(table, value["observed_at"], "observed_at") if "observed_at" in value else None
    for cell in (units, provisional, observed):
        problems += cell.problems if cell else []
    is_provisional = provisional.series
    if "provisional" in value.get("status_map", {}).values():
        column = table.resolve(value["status_column"])
        flags = [flag for flag, status in value["status_map"].items() if status == "provisional"]
        if column:
            is_provisional = is_provisional | table.text(column).is_in(flags)
    instant = pl.when(pl.col("grain") == "instant").then(pl.col("period_start")).otherwise(None)
    return frame.with_columns(
        number.status.alias("value_status")
        if number.status is not None
        else pl.lit("reported").alias("value_status"),
        (observed.series.alias("observed_at") if observed else instant.alias("observed_at")),
        (units.series if units else pl.lit(None, pl.Int32)).alias("reporting_units"),
        is_provisional.alias("is_provisional"),
    ), problems


def _forecast_columns(
    table: Table,
    output: Output,
    value: dict[str, Any],
    frame: pl.DataFrame,
    number: Cell,
) -> tuple[pl.DataFrame, list[Problem]]:
    fields = {**output.spec.get("fields", {}), **value.get("fields", {})}
    problems: list[Problem] = []
    team = text_cell(table, fields["team"], "team")
    made_spec = fields["made_at"] if isinstance(fields["made_at"], dict) else {"column": fields["made_at"]}
    made_at = moment_cell(table, made_spec, "made_at")
    quantile = (
        Cell(table.repeat(float(value["quantile"]), pl.Float64))
        if "quantile" in value
        else number_cell(table, fields["quantile"], "quantile")
    )
    horizon = integer_cell(table, fields["horizon"], "horizon") if "horizon" in fields else None
    for cell in (team, made_at, quantile, horizon):
        problems += cell.problems if cell else []
    for name, series in (("team", team.series), ("made_at", made_at.series), ("quantile", quantile.series)):
        if series.is_null().any():
            problems.append(Problem(series.is_null(), "required", name, f"{name} is missing"))
    if number.status is not None:
        silent = number.status != "reported"
        if silent.any():
            problems.append(Problem(silent, "required", "value", "a forecast without a value says nothing"))
    days = pl.col("grain").replace_strict(_STEPS, default=1.0, return_dtype=pl.Float64)
    steps = (
        ((pl.col("period_start") - made_at.series).dt.total_seconds() / 86_400 / days)
        .round(0)
        .cast(pl.Int32, strict=False)
    )
    return frame.with_columns(
        team.series.alias("team"),
        made_at.series.alias("made_at"),
        quantile.series.alias("quantile"),
        (horizon.series if horizon else steps).alias("horizon"),
    ), problems


def _filtered(table: Table, value: dict[str, Any], frame: pl.DataFrame, contract: Contract) -> pl.Series:
    """Return which rows the feed does not mean: those the value's own filter leaves out, and silent future periods."""
    mask = table.repeat(False, pl.Boolean)
    if "where" in value:
        mask = ~table.evaluate(value["where"]).fill_null(False)
    if contract.name == "usage":
        future = frame.select(
            (
                (pl.col("value_status") == "missing")
                & (
                    (pl.col("period_start") >= pl.col("known_at")) & (pl.col("grain") != "instant")
                    | (pl.col("period_start") > pl.col("known_at"))
                    | (pl.col("period_start") > table.context.published_at)
                )
            ).fill_null(False)
        ).to_series()
        mask = mask | future
    return mask


def _code_cell(table: Table, spec: Any, name: str) -> Cell:
    cell = text_cell(table, spec, name, plain="constant")
    if isinstance(spec, str) or "constant" in spec:
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


def _units(table: Table, value: dict[str, Any], measure: Any) -> pl.Expr | pl.Series:
    if value.get("unit"):
        return pl.lit(value["unit"])
    units = {code: known.unit for code, known in codes.measures().items()}
    return (
        pl.lit(units[value["measure"]])
        if isinstance(value["measure"], str)
        else measure.replace_strict(units, default=None, return_dtype=pl.String)
    )


def _is_flow(table: Table, value: dict[str, Any], measure: Any) -> pl.Expr | pl.Series:
    flows = [code for code, known in codes.measures().items() if known.kind == "flow"]
    return (
        pl.lit(value["measure"] in flows)
        if isinstance(value["measure"], str)
        else measure.is_in(flows).fill_null(False)
    )


def _is_assumed(table: Table, own: dict[str, Any] | None) -> bool:
    spec = own or table.source.known_at
    if "period_end_plus" in spec or spec.get("assumed"):
        return True
    return "published_at" in spec and table.context.published_at_is_assumed


def dimension_cell(table: Table, spec: dict[str, Any]) -> Cell:
    """Return the dimensions of each record as JSON with sorted keys; an axis without a value is a problem unless required: false."""
    fixed = {axis: str(cell["constant"]) for axis, cell in spec.items() if "constant" in cell}
    varying = {
        axis: text_cell(table, cell, f"dimensions.{axis}")
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


def _total_over(table: Table, spec: list[Any]) -> pl.Series:
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
