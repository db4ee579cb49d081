"""Gives each row its period and the time it was known, repeated local hours told apart by their order."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import polars as pl

from caregrid.feeds.model import Output
from caregrid.feeds.times import parse_duration
from caregrid.mapping.cells import Cell, microseconds, moment_cell
from caregrid.mapping.periods import Bounds, TimeProblem, period_bounds
from caregrid.mapping.table import Problem, Table, by_unique
from caregrid.mapping.types import UTC_TIME

_SCHEMA: dict[str, Any] = {
    "period_start": UTC_TIME,
    "period_end": UTC_TIME,
    "grain": pl.String,
    "week_ends_on": pl.Int16,
    "second_start": UTC_TIME,
    "second_end": UTC_TIME,
    "code": pl.String,
    "error": pl.String,
}


def period_cells(table: Table, output: Output, spec: dict[str, Any]) -> tuple[list[pl.Series], list[Problem]]:
    """Return period_start, period_end, grain, week_ends_on, time_is_ambiguous, and their problems."""
    found = _bounds(table, spec)
    problems = []
    for code in found["code"].drop_nulls().unique().to_list():
        mask = (found["code"] == code).fill_null(False)
        problems.append(Problem(mask, code, "period", "{value}", found["error"]))
    ambiguous = found["second_start"].is_not_null()
    if spec.get("ambiguous") == "in_order" and ambiguous.any():
        found, ambiguous = _in_order(table, output, spec, found, ambiguous)
    columns = [
        found["period_start"],
        found["period_end"],
        found["grain"],
        found["week_ends_on"],
        ambiguous.rename("time_is_ambiguous"),
    ]
    return columns, problems


def _bounds(table: Table, spec: dict[str, Any]) -> pl.DataFrame:
    text, formats = period_text(table, spec)
    end = _end_text(table, spec)
    check = table.repeat("")
    agrees = dict(spec.get("agrees_with", {}))
    if agrees:
        column = table.resolve(agrees["column"])
        check = table.text(column) if column else check
        typed = table.typed(column) if column else None
        agrees["format"] = (
            ["iso8601"] if typed is not None else _listed(agrees.get("format", spec.get("format", "iso8601")))
        )
    full = {**spec, "format": formats, **({"agrees_with": agrees} if agrees else {})}
    zone = table.zone

    def compute(start_text: str, end_text: str, check_text: str) -> tuple[Any, ...]:
        if not start_text:
            return (None, None, None, None, None, None, "no_key", "the period is missing")
        try:
            return _row(period_bounds(start_text, end_text, check_text, full, zone))
        except TimeProblem as error:
            return (None, None, None, None, None, None, error.code, str(error))
        except (ValueError, OverflowError) as error:
            return (None, None, None, None, None, None, "unparseable_time", f"{start_text!r}: {error}")

    memo = table.context.state.setdefault(
        ("period", table.feed.timezone, json.dumps(full, sort_keys=True)), {}
    )
    return by_unique([text, end, check], compute, _SCHEMA, memo)


def _row(bounds: Bounds) -> tuple[Any, ...]:
    second_start = microseconds(bounds.second_start) if bounds.second_start else None
    second_end = microseconds(bounds.second_end) if bounds.second_end else None
    return (
        microseconds(bounds.start),
        microseconds(bounds.end),
        bounds.grain,
        bounds.week_ends_on,
        second_start,
        second_end,
        None,
        None,
    )


def _listed(formats: Any) -> list[str]:
    return [formats] if isinstance(formats, str) else list(formats)


def period_text(table: Table, spec: dict[str, Any]) -> tuple[pl.Series, list[str]]:
    """Return the text that names each record's period, '' where missing, and the formats to try."""
    formats = _listed(spec.get("format", "iso8601"))
    if "column" in spec:
        name = table.resolve(spec["column"])
        if name is None:
            return table.repeat(""), formats
        text = table.text(name)
        words = [word for word in table.source.missing if word]
        if words and text.is_in(words).any():
            text = text.replace(words, [""] * len(words))
        return text, ["iso8601"] if table.typed(name) is not None else formats
    if "join" in spec:
        parts = pl.DataFrame(
            [
                table.text(table.resolve(part) or part).alias(str(index))
                for index, part in enumerate(spec["join"])
            ]
        )
        joined = parts.select(pl.concat_str(pl.all(), separator=spec.get("separator", " "))).to_series()
        return joined.zip_with(
            ~parts.select(pl.any_horizontal(pl.all() == "")).to_series(), table.repeat("")
        ), formats
    if "file_name" in spec:
        match = re.search(spec["file_name"], table.context.file_name)
        return table.repeat(match[1] if match else ""), formats
    if "published_at" in spec:
        return table.repeat(table.context.published_at.isoformat()), ["iso8601"]
    return table.repeat(str(spec["constant"])), formats


def _end_text(table: Table, spec: dict[str, Any]) -> pl.Series:
    if "end_column" in spec:
        name = table.resolve(spec["end_column"])
        return table.text(name) if name else table.repeat("")
    return table.repeat(str(spec.get("end_constant", "")))


def hours_key(output: Output, spec: dict[str, Any]) -> str:
    """Return the name under which the repeated hours of one output's period are counted."""
    return output.name + json.dumps(spec, sort_keys=True)


def repeated_hour_keys(
    table: Table, output: Output, spec: dict[str, Any], found: pl.DataFrame | None = None
) -> pl.Series:
    """Return, per record, the text that names whose repeated hour it is; null where the hour is not repeated.

    Two records with one key are the first and the second passing of that hour. The key holds the place and
    every column that tells series apart, so that several rows of one site and hour (by measure, by age) do
    not mix.
    """
    found = _bounds(table, spec) if found is None else found
    text, _ = period_text(table, spec)
    names = _key_columns(output)
    parts = [table.text(name) for name in (table.resolve(name) for name in names) if name is not None]
    frame = pl.DataFrame([column.alias(str(index)) for index, column in enumerate([text, *parts])])
    keys = frame.select(pl.concat_str(pl.all(), separator="\x1f")).to_series()
    return keys.zip_with(found["second_start"].is_not_null(), table.repeat(None, pl.String))


def _key_columns(output: Output) -> list[str]:
    from caregrid.mapping.columns import needs_of_output

    kept = (".place.level", ".place.system", ".place.code", ".dimensions", ".service_or_resource", ".measure")
    found = [
        need.names[0]
        for need in needs_of_output(output)
        if need.used_by.removeprefix(output.name).startswith(kept)
    ]
    return sorted(set(found))


def _in_order(
    table: Table,
    output: Output,
    spec: dict[str, Any],
    found: pl.DataFrame,
    ambiguous: pl.Series,
) -> tuple[pl.DataFrame, pl.Series]:
    """Give the first record of a repeated hour the earlier reading and the later ones the later.

    A lone one stays marked.
    """
    state = table.context.state
    key_of_spec = hours_key(output, spec)
    seen: dict[str, int] = state.setdefault(("seen_hours", key_of_spec), {})
    totals: dict[str, int] = state.get(("repeated_hours", key_of_spec), {})
    keys = repeated_hour_keys(table, output, spec, found).to_list()
    later, alone = [False] * len(keys), [False] * len(keys)
    for row, key in enumerate(keys):
        if key is None:
            continue
        seen[key] = seen.get(key, 0) + 1
        later[row] = seen[key] > 1
        alone[row] = totals.get(key, seen[key]) < 2
    mask = pl.Series(later, dtype=pl.Boolean)
    return found.with_columns(
        pl.when(mask).then("second_start").otherwise("period_start").alias("period_start"),
        pl.when(mask).then("second_end").otherwise("period_end").alias("period_end"),
    ), ambiguous & pl.Series(alone, dtype=pl.Boolean)


def known_at_cell(table: Table, own: dict[str, Any] | None, period: list[pl.Series] | None) -> Cell:
    """Return when each row was known, in UTC: as the output says, else as its source does."""
    spec = own or dict(table.source.known_at)
    if (
        "period_end_plus" in spec and period is None
    ):  # a contract without periods is known when it is published
        spec = {"published_at": True}
    if "period_end_plus" in spec:
        assert period is not None
        lag = parse_duration(spec["period_end_plus"])
        return Cell((period[1] + lag).rename("known_at"))
    if "published_at" in spec:
        moment = table.context.published_at + (
            parse_duration(spec["plus"]) if "plus" in spec else parse_duration("PT0S")
        )
        return Cell(table.repeat(microseconds(moment), pl.Int64).cast(UTC_TIME))
    if "value" in spec:
        return moment_cell(table, {**spec, "constant": spec["value"]}, "known_at")
    cell = moment_cell(table, spec, "known_at")
    silent = cell.series.is_null()
    for problem in cell.problems:
        silent = silent & ~problem.mask
    if silent.any():
        cell.problems.append(Problem(silent, "no_key", "known_at", "the time it was known is missing"))
    return cell


def utc(moment: datetime) -> datetime:
    """Return an aware moment in UTC."""
    return moment.astimezone(UTC)
