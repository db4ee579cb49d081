"""Maps records to usage values and published forecasts: columns become rows of one series each."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from caregrid.contracts import Contract
from caregrid.feeds.model import Output
from caregrid.mapping.cells import Cell, flag_cell, moment_cell, text_cell
from caregrid.mapping.number_cells import integer_cell, number_cell
from caregrid.mapping.places import place_cells
from caregrid.mapping.result import Candidate
from caregrid.mapping.series import (
    code_cell,
    dimension_cell,
    is_assumed,
    is_flow,
    statistics_of,
    total_over_cell,
    units_of,
)
from caregrid.mapping.table import Problem, Table
from caregrid.mapping.times import known_at_cell, period_cells
from caregrid.mapping.values import expand_values

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
        cell: Cell = shared(field, value[field], lambda field=field: code_cell(table, value[field], field))
        problems += cell.problems
        series[field] = cell.series
    dimensions: Cell = shared(
        "dimensions", value["dimensions"], lambda: dimension_cell(table, value["dimensions"])
    )
    problems += dimensions.problems
    series["statistic"] = statistics_of(value, series["measure"])
    series["unit"] = units_of(table, value, series["measure"])
    total_over: pl.Series = shared(
        "total_over", value.get("total_over", []), lambda: total_over_cell(table, value.get("total_over", []))
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
        pl.lit(is_assumed(table, value.get("known_at"))).alias("known_at_is_assumed"),
        number.series.alias("value"),
        is_flow(table, value, series["measure"]).alias("flow"),
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
    """Return which rows the feed does not mean.

    Those the value's own filter leaves out, and silent future periods.
    """
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
