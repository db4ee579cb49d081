"""Which column of a sample is the place, the period, a breakdown, a figure: by the words of its heading."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from caregrid.drafts.columns import Column
from caregrid.drafts.periods import period_of
from caregrid.drafts.words import best_of, is_rate, means, vocabulary, weight, words_of

_LEVELS = ("facility", "department", "organisation", "region", "country")
_MANY = 0.5  # a place that is missing in half the records is none


@dataclass
class Roles:
    """What the columns are taken for. `unsure` says per key of the YAML what a person must confirm."""

    place: dict[str, Any] = field(default_factory=dict)
    period: dict[str, Any] = field(default_factory=dict)
    dimensions: dict[str, Any] = field(default_factory=dict)
    figures: list[Column] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    long_measure: str | None = None
    long_value: str | None = None
    unsure: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)


def assign(columns: list[Column], country: str, system: str) -> Roles:
    """Return the roles of a sample's columns."""
    roles = Roles()
    usable = [column for column in columns if column.kind != "empty"]
    roles.period = period_of(usable, roles.unsure)
    taken = {value for value in roles.period.values() if isinstance(value, str)} | set(
        roles.period.get("join", [])
    )
    rest = [column for column in usable if column.name not in taken]
    roles.place = _place(rest, country, system, roles.unsure)
    taken |= {str(roles.place[key]) for key in ("code", "name") if isinstance(roles.place.get(key), str)}
    rest = [column for column in rest if column.name not in taken]
    for axis, phrases in vocabulary()["dimensions"].items():
        found = max(rest, key=lambda column: weight(column.name, phrases), default=None)
        if found and weight(found.name, phrases) and found.distinct <= 60 and _is_breakdown(found):
            roles.dimensions[axis] = {"column": found.name, "required": False}
            rest.remove(found)
    roles.fields = _fields(usable)
    described = {str(value) for value in roles.fields.values()}
    _long(rest, roles)
    roles.figures = [
        column
        for column in rest
        if column.kind == "number"
        and column.name not in described
        and column.name != roles.long_value
        and (not means(column.name, "period") or is_rate(column.name))
        and not (column.whole_numbers and _is_identifier(column))
    ]
    used = {column.name for column in roles.figures} | described | {roles.long_measure, roles.long_value}
    roles.unused = [column.name for column in rest if column.name not in used]
    return roles


def _is_identifier(column: Column) -> bool:
    """Say whether a number only names something: its heading ends in id, code, key."""
    words = words_of(column.name)
    if words and words[-1] in ("id", "ids", "code", "codes", "key", "codice", "codigo", "kennung", "nr"):
        return True
    return bool(means(column.name, "code")) and not best_of(column.name, "measures")[0]


def _is_breakdown(column: Column) -> bool:
    return column.kind != "number" or column.distinct <= 12


def _place(columns: list[Column], country: str, system: str, unsure: dict[str, str]) -> dict[str, Any]:
    by_level: dict[str, list[Column]] = {}
    for column in columns:
        level, weight_of_level = best_of(column.name, "place")
        measure, weight_of_measure = best_of(column.name, "measures")
        if level and column.filled >= _MANY and column.kind in ("text", "number", "time"):
            is_figure = column.kind == "number" and (
                not column.whole_numbers or (measure and weight_of_measure >= weight_of_level)
            )
            if not is_figure and not (column.kind == "number" and not means(column.name, "code")):
                by_level.setdefault(level, []).append(column)
    for level in _LEVELS:
        here = [column for column in by_level.get(level, []) if not _describes(column)]
        if not here or all(column.distinct < 2 for column in here):
            continue
        if level in ("region", "country") and (finer := _generic(columns, system, here)):
            unsure["place"] = f"what are the places with the codes of {finer['code']!r}?"
            return finer
        # Of several columns of a level the one that is a code, and of those the one with most values; a code
        # with far fewer values than the names beside it is of a kind of place, not of the place.
        most = max(column.distinct for column in here)
        code = max(
            (column for column in here if column.distinct * 2 >= most),
            key=lambda column: (
                bool(means(column.name, "code")),
                min(column.distinct, 1000),
                -len(column.name),
            ),
        )
        named = [
            column
            for column in columns
            if column is not code and column.kind == "text" and means(column.name, "name")
        ]
        named = [column for column in named if best_of(column.name, "place")[0] in (level, None)] or [
            column
            for column in here
            if column is not code and column.kind == "text" and not means(column.name, "code")
        ]
        place: dict[str, Any] = {"level": level, "system": system, "code": code.name}
        if named:
            place["name"] = max(named, key=lambda column: column.distinct).name
        unsure["place"] = f"what level is it, and whose codes are in {code.name!r}?"
        return place
    generic = [
        column
        for column in columns
        if column.kind in ("text", "number") and column.distinct > 1 and column.filled >= _MANY
    ]
    coded = [
        column
        for column in generic
        if means(column.name, "code") and (column.kind == "text" or column.whole_numbers)
    ]
    named = [column for column in generic if column.kind == "text" and means(column.name, "name")]
    if coded or named:
        first = (coded or named)[0]
        others = [
            repr(column.name) for column in [*coded, *(name for name in named if name not in coded)][1:]
        ]
        unsure["place"] = (
            f"{first.name!r} was taken for the place; {', '.join(others[:3])} might be it as well"
            if others
            else f"{first.name!r} is the only name or code there is: is it a place?"
        )
        place = {"level": "facility", "system": system, "code": first.name}
        return {**place, "name": named[0].name} if named and named[0] is not first else place
    unsure["place"] = "no column names a place: everything is about the whole country as it stands"
    return {"level": "country", "system": "iso_3166", "code": {"constant": country}}


def _generic(columns: list[Column], system: str, coarse: list[Column]) -> dict[str, Any] | None:
    """Return the place by columns called just `ID` and `Name`, if they tell far more than regions do."""
    least = 3 * max(column.distinct for column in coarse)
    told = {
        "code": ("id", "code", "number", "key"),
        "name": ("name", "title", "nom", "nombre", "bezeichnung"),
    }
    found = {
        key: next(
            (
                c.name
                for c in columns
                if words_of(c.name) in [(word,) for word in words] and c.distinct > least
            ),
            None,
        )
        for key, words in told.items()
    }
    code = found["code"] or found["name"]
    if code is None:
        return None
    named = {"name": found["name"]} if found["name"] not in (None, code) else {}
    return {"level": "facility", "system": system, "code": code, **named}


def _describes(column: Column) -> bool:
    """Say whether a column tells of a place what kind it is: a type or an owner is no place."""
    fields = vocabulary()["facility_fields"]
    level = best_of(column.name, "place")[1]
    others = (
        "address",
        "city",
        "postal_code",
        "latitude",
        "longitude",
        "phone",
        "facility_type",
        "ownership",
    )
    return any(
        weight(column.name, fields[name]) >= min(level, 4) and weight(column.name, fields[name])
        for name in others
    )


def _fields(columns: list[Column]) -> dict[str, Any]:
    """Return the fields of a facility that the columns fill, each column once."""
    found: dict[str, Any] = {}
    for name, phrases in vocabulary()["facility_fields"].items():
        free = [column for column in columns if column.name not in found.values()]
        if name in ("latitude", "longitude"):
            free = [
                column
                for column in free
                if column.kind == "number" and _is_degree(column, 90 if name == "latitude" else 180)
            ]
        elif name not in ("postal_code", "phone"):
            free = [column for column in free if column.kind == "text"]
        best = max(free, key=lambda column: weight(column.name, phrases), default=None)
        if best is not None and weight(best.name, phrases):
            found[name] = best.name
    return found


def _is_degree(column: Column, most: int) -> bool:
    try:
        return all(abs(float(value.replace(",", "."))) <= most for value in column.values)
    except ValueError:
        return False


def _long(columns: list[Column], roles: Roles) -> None:
    """Find the pair of columns of a long table: which figure, and its value."""
    named = [c for c in columns if c.kind == "text" and means(c.name, "long_measure") and c.distinct < 500]
    values = [c for c in columns if c.kind == "number" and means(c.name, "long_value")]
    if named and values:
        roles.long_measure = max(
            named, key=lambda column: (bool(means(column.name, "code")), column.distinct)
        ).name
        roles.long_value = max(values, key=lambda column: means(column.name, "long_value")).name
