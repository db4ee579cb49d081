"""The place a row is about: level, system, code, name and country."""

from __future__ import annotations

import polars as pl

from caregrid.contracts import codes
from caregrid.feeds.model import Output
from caregrid.mapping.cells import key_cell, text_cell
from caregrid.mapping.table import Problem, Table, any_of


def place_cells(table: Table, output: Output) -> tuple[list[pl.Series], list[Problem]]:
    """Return id_system, place_level, code, place_name and country_code, and what is wrong with them."""
    if "place" in table.cache:
        return table.cache["place"]
    spec = output.spec["place"]
    level = key_cell(table, spec["level"], "place.level", plain="constant")
    system = key_cell(table, spec["system"], "place.system", plain="constant")
    code = key_cell(table, spec["code"], "place.code", identifier=True)
    name = text_cell(table, spec["name"], "place.name") if "name" in spec else None
    country = text_cell(table, spec["country_code"], "place.country_code") if "country_code" in spec else None
    problems: list[Problem] = []
    for field, cell in (("level", level), ("system", system), ("code", code)):
        problems += cell.problems
        silent = cell.series.is_null() & ~any_of((problem.mask for problem in cell.problems), table.height)
        if silent.any():
            problems.append(
                Problem(silent, "no_key", f"place.{field}", f"the {field} of the place is missing")
            )
    unknown = ~level.series.is_in(list(codes.PLACE_LEVELS)).fill_null(True)
    if unknown.any():
        problems.append(
            Problem(unknown, "unknown_code", "place.level", "{value} is no level of places", level.series)
        )
    columns = [
        system.series.rename("id_system"),
        level.series.rename("place_level"),
        code.series.rename("code"),
        (name.series if name else table.repeat(None, pl.String)).rename("place_name"),
        (
            country.series.fill_null(table.feed.country) if country else table.repeat(table.feed.country)
        ).rename("country_code"),
    ]
    for optional in (name, country):
        problems += optional.problems if optional else []
    table.cache["place"] = (columns, problems)
    return columns, problems
