"""Reads weekly service slots (weekday × part of day); a slot is no clock time, empty is not closed."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from caregrid.mapping.cells import Cell
from caregrid.mapping.table import Problem, Table, by_unique

PARTS = ("morning", "afternoon", "evening")


def slots_cell(table: Table, spec: dict[str, Any], name: str) -> Cell:
    """Return JSON {weekday 1-7: {part: open|closed}}, null where no slot is known.

    `slots` either names a nested column per part of the day (`morning.1` is Monday), or an array of rows in
    `order` (`array.0.6.yn` is Sunday morning; `field` names the key within an element).
    """
    cells = _slot_columns(table, spec)
    opens = {str(token) for token in spec.get("open", [])}
    closes = {str(token) for token in spec.get("closed", [])}
    words = {*table.source.missing, ""}
    if not cells:
        return Cell(table.repeat(None, pl.String))
    places = list(cells)

    def compute(*texts: str) -> tuple[str | None, str | None]:
        week: dict[str, dict[str, str]] = {}
        for (part, day), text in zip(places, texts, strict=True):
            if text in opens or text in closes:
                week.setdefault(day, {})[part] = "open" if text in opens else "closed"
            elif text not in words:
                return None, f"{text!r} ({part} of day {day}) is neither open nor closed"
        return (json.dumps(week, sort_keys=True) if week else None), None

    memo = table.context.state.setdefault(("slots", json.dumps(spec, sort_keys=True), str(places)), {})
    found = by_unique(list(cells.values()), compute, {"json": pl.String, "error": pl.String}, memo)
    bad = found["error"].is_not_null()
    problems = [Problem(bad, "unknown_code", name, "{value}", found["error"])] if bad.any() else []
    return Cell(found["json"], problems)


def _slot_columns(table: Table, spec: dict[str, Any]) -> dict[tuple[str, str], pl.Series]:
    slots, suffix = spec["slots"], f".{spec['field']}" if "field" in spec else ""
    first, last = (int(part) for part in str(spec.get("weekdays", "1-7")).split("-"))
    days = range(first, last + 1)
    names: dict[tuple[str, str], str] = {}
    if "array" in slots:
        for row, part in enumerate(slots.get("order", PARTS)):
            names.update({(part, str(day)): f"{slots['array']}.{row}.{day - first}{suffix}" for day in days})
    else:
        names = {
            (part, str(day)): f"{slots[part]}.{day}{suffix}"
            for part in PARTS
            if part in slots
            for day in days
        }
    present = set(table.frame.columns)
    return {place: table.text(name) for place, name in names.items() if name in present}
