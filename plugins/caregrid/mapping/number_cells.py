"""Turns one mapping of the YAML into numbers with the status of what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import polars as pl

from caregrid.mapping.cells import Cell, mapped, normal, origin_text, statuses, tokens
from caregrid.mapping.numerals import NumberStyle, parse_numbers
from caregrid.mapping.project import projected
from caregrid.mapping.table import Problem, Table, expression_columns


def style_of(table: Table, spec: dict[str, Any]) -> NumberStyle:
    """Return how the numbers of a mapping are written: the source's format, overridden by `number:`."""
    form, own = table.source.format, spec.get("number", {})
    return NumberStyle(
        decimal=own.get("decimal", form.decimal),
        thousands=own.get("thousands", form.thousands),
        percent=own.get("percent", False),
        currency=own.get("currency"),
    )


def number_cell(table: Table, spec: Any, name: str) -> Cell:
    """Return Float64 with a status for each cell.

    What is neither a number nor a word the feed declares is a problem.
    """
    spec = normal(spec)
    if "constant" in spec:
        return Cell(table.repeat(float(spec["constant"]), pl.Float64), [], table.repeat("reported"))
    if "project" in spec:
        grid = spec["project"]
        x, y = (number_cell(table, grid[axis], f"{name} ({grid[axis]})") for axis in ("x", "y"))
        return projected(table, grid, x, y)
    if "expr" in spec and spec.get("as") != "text":
        cell = _expression(table, spec, name)
    else:
        cell = _read_numbers(table, spec, name)
    factor = spec.get("factor", spec.get("unit_factor"))
    if factor is not None:
        cell.series = cell.series * float(factor)
    if "status_column" in spec:
        _apply_flags(table, spec, cell, name)
    return cell


def _read_numbers(table: Table, spec: dict[str, Any], name: str) -> Cell:
    column = table.resolve(spec["column"]) if "column" in spec else None
    typed = table.typed(column) if column else None
    if typed is not None and typed.dtype.is_numeric() and "map" not in spec:
        numbers = typed.cast(pl.Float64)
        infinite = numbers.is_infinite().fill_null(False)
        numbers = numbers.set(~numbers.is_finite().fill_null(False), None)
        numbers = numbers.set((numbers == 0).fill_null(False), 0.0)  # -0 is 0
        text = table.text(column) if column else table.repeat("")
        status = statuses(text, tokens(table, spec), numbers).set(numbers.is_null(), "missing")
        problems = []
        if infinite.any():
            problems.append(Problem(infinite, "not_a_number", name, "{value} is no number", typed))
        return Cell(numbers.set(status != "reported", None), problems, status)
    raw = origin_text(table, spec)
    words = tokens(table, spec)
    text, problems = raw, []
    if "map" in spec:
        text, unknown = mapped(raw, statuses(raw, words) != "reported", spec)
        text = text.fill_null("")
        if unknown.any():
            problems.append(
                Problem(unknown, "unknown_code", name, "{value} is no code that the feed maps", raw)
            )
    numbers = parse_numbers(text, style_of(table, spec))
    status = statuses(text, words, numbers)
    reported = status == "reported"
    bad = reported & numbers.is_null()
    if bad.any():
        problems += _no_numbers(bad, text, raw, style_of(table, spec), name)
    return Cell(numbers.set(~reported, None), problems, status)


def _no_numbers(
    bad: pl.Series, text: pl.Series, raw: pl.Series, style: NumberStyle, name: str
) -> list[Problem]:
    """Return the problems of cells that are no numbers; each names what the feed would have to say, if so."""
    problems, left = [], bad
    for readings in _others(style):
        fits = left.clone()
        for other in readings.values():
            fits &= parse_numbers(text.set(~left, None), other).is_not_null()
        if fits.any():
            ways = " or ".join(readings)
            problems.append(
                Problem(
                    fits,
                    "not_a_number",
                    name,
                    f"{{value}} is no number as the feed writes them; it is one with {ways}",
                    raw,
                )
            )
            left &= ~fits
        if not left.any():
            return problems
    problems.append(Problem(left, "not_a_number", name, "{value} is no number as the feed writes them", raw))
    return problems


def _others(style: NumberStyle) -> Iterator[dict[str, NumberStyle]]:
    """Yield ways to write numbers beside a feed's own: first two that read a cell alike, then each alone."""
    single = {}
    for sign in (",", ".", " ", "'"):
        if sign != style.decimal and sign != style.thousands:
            single[f'thousands: "{sign}"'] = replace(style, thousands=sign)
    other = "," if style.decimal == "." else "."
    if other != style.thousands:
        own = style.thousands if style.thousands != other else None
        single[f'decimal: "{other}"'] = replace(style, decimal=other, thousands=own)
        grouped, mark = f'thousands: "{other}"', f'decimal: "{other}"'
        yield {grouped: single[grouped], mark: single[mark]}
    both = f'decimal: "{other}", thousands: "{style.decimal}"'
    single[both] = replace(style, decimal=other, thousands=style.decimal)
    if not style.percent:
        single["number: {percent: true}"] = replace(style, percent=True)
    for words, way in single.items():
        yield {words: way}


def _expression(table: Table, spec: dict[str, Any], name: str) -> Cell:
    parts = {
        column: _read_numbers(table, {**_words_only(spec), "column": column}, f"{name} ({column})")
        for column in expression_columns(spec["expr"])
    }
    numbers = table.evaluate(spec["expr"], {column: cell.series for column, cell in parts.items()}).cast(
        pl.Float64
    )
    infinite = ~numbers.is_finite().fill_null(True)
    numbers = numbers.set(infinite, None)
    status = pl.select(
        pl.when(numbers.is_null()).then(pl.lit("missing")).otherwise(pl.lit("reported"))
    ).to_series()
    if infinite.any():
        status = status.set(infinite, "not_applicable")
    for word in ("not_applicable", "suppressed"):
        for cell in parts.values():
            if cell.status is not None:
                status = status.set((cell.status == word) & numbers.is_null(), word)
    return Cell(numbers, [problem for cell in parts.values() for problem in cell.problems], status)


def _words_only(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: spec[key] for key in ("missing", "suppressed", "not_applicable", "number") if key in spec}


def _apply_flags(table: Table, spec: dict[str, Any], cell: Cell, name: str) -> None:
    """Let a flag column overrule the status.

    A flag the feed does not know is a problem, an empty one says nothing.
    """
    column = table.resolve(spec["status_column"])
    if column is None or cell.status is None:
        return
    flags = table.text(column)
    known = {str(key): value for key, value in spec["status_map"].items()}
    unknown = (flags != "") & ~flags.is_in(list(known))
    if unknown.any():
        cell.problems.append(
            Problem(
                unknown, "unknown_flag", name, f"the flag {{value}} in {column!r} is not in status_map", flags
            )
        )
    for flag, status in known.items():
        if status in ("missing", "suppressed", "not_applicable"):
            mask = flags == flag
            cell.status = cell.status.set(mask, status)
            cell.series = cell.series.set(mask, None)
            cell.problems = [
                Problem(problem.mask & ~mask, problem.code, problem.field, problem.message, problem.shown)
                if problem.code == "not_a_number"
                else problem
                for problem in cell.problems
            ]


def integer_cell(table: Table, spec: Any, name: str) -> Cell:
    """Return Int32; a fraction is a problem."""
    cell = number_cell(table, spec, name)
    whole = cell.series == cell.series.round(0)
    bad = ~whole.fill_null(True)
    if bad.any():
        cell.problems.append(Problem(bad, "not_whole", name, "{value} is no whole number", cell.series))
    return Cell(cell.series.set(bad, None).cast(pl.Int32, strict=False), cell.problems, cell.status)
