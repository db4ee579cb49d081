"""From the roles of the columns to what a feed may say: outputs under the contracts, likeliest first."""

from __future__ import annotations

from typing import Any

from caregrid.contracts import codes
from caregrid.drafts.columns import Column
from caregrid.drafts.meanings import Figures, Guess, settle
from caregrid.drafts.roles import Roles
from caregrid.drafts.words import best_of

_BED_MEASURES = {
    "occupied",
    "free",
    "capacity",
    "staffed_capacity",
    "reserve",
    "closed_beds",
    "bed_days",
    "occupancy",
}
_DESCRIBED = 2  # fields beside the name that make a list of places a registry
_MOST_VALUES = 40


def outputs_of(roles: Roles, topic: str, figures: Figures) -> list[dict[str, Any]]:
    """Return the outputs to try: usage and facility, else quality, else the bare list of places.

    Args:
        topic: the sample's file name; its words tell the service where the headings do not.
        figures: the numbers of the sample; they tell the measure where a heading may mean several.
    """
    usage, facility = _usage(roles, topic, figures), _facility(roles)
    found = [output for output in (usage, facility if len(roles.fields) >= _DESCRIBED else None) if output]
    # The figures of a registry without a date describe its places; as indicators they would say nothing.
    is_registry = facility is not None and facility in found and not roles.period and not roles.long_value
    if not usage and not is_registry and (quality := _quality(roles)):
        found.insert(0, quality)
    return found or [output for output in (facility,) if output]


def _number(column: Column) -> dict[str, Any]:
    number: dict[str, Any] = {}
    if column.style.percent:
        number["percent"] = True
    if column.style.currency:
        number["currency"] = column.style.currency
    return {"number": number} if number else {}


def _period(roles: Roles) -> dict[str, Any]:
    return roles.period or {"published_at": True, "role": "label", "grain": "day"}


def _service(heading: str, measure: str, topic: str) -> str:
    service = best_of(heading, "services")[0] or best_of(topic, "services")[0]
    if service:
        return service
    return "bed" if measure in _BED_MEASURES else "hospital"


def _guesses(roles: Roles, topic: str, figures: Figures) -> list[Guess]:
    guesses = []
    for column in roles.figures:
        measure = best_of(column.name, "measures")[0]
        if measure is not None:
            service = _service(column.name, measure, topic)
            guesses.append(Guess(column.name, service, measure, is_per_cent=column.style.percent))
    settle(guesses, figures)
    return guesses


def _usage(roles: Roles, topic: str, figures: Figures) -> dict[str, Any] | None:
    values: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    columns = {column.name: column for column in roles.figures}
    for guess in _guesses(roles, topic, figures):
        column, measure, service = columns[guess.column], guess.measure, guess.service
        if (measure, service) in seen:  # two columns of one series: which is which only a person can say
            continue
        if guess.asked:
            roles.unsure[f"values.{column.name}"] = guess.asked
        seen.add((measure, service))
        known = codes.measures()[measure]
        values.append(
            {
                "column": column.name,
                "service_or_resource": service,
                "measure": measure,
                "statistic": known.statistics[0],
                "unit": known.unit,
                **_number(column),
            }
        )
    if not values:
        return None
    output = {
        "name": "figures",
        "contract": "usage",
        "source": "sample",
        "place": roles.place,
        "period": _period(roles),
        **({"dimensions": roles.dimensions} if roles.dimensions else {}),
        "values": values,
    }
    mapped = {value["column"] for value in values}
    roles.unused += [column.name for column in roles.figures if column.name not in mapped]
    return output


def _facility(roles: Roles) -> dict[str, Any] | None:
    code = roles.place["code"]
    if not isinstance(code, str):
        return None
    kept = {name: column for name, column in roles.fields.items() if column != code}
    return {
        "name": "places",
        "contract": "facility",
        "source": "sample",
        "place": roles.place,
        "on_conflict": "last",
        "fields": {"name": roles.place.get("name", code), **kept},
    }


def _quality(roles: Roles) -> dict[str, Any] | None:
    """Return figures without a known measure as indicators under the publisher's own words."""
    base = {
        "name": "indicators",
        "contract": "quality",
        "source": "sample",
        "place": roles.place,
        "period": _period(roles),
        **({"dimensions": roles.dimensions} if roles.dimensions else {}),
    }
    common = {
        "value_kind": {"constant": "score"},
        "unit": {"constant": "unknown"},
        "improvement_direction": {"constant": "none"},
    }
    if roles.long_measure and roles.long_value:
        return {**base, "fields": {"measure": roles.long_measure, "value": roles.long_value, **common}}
    if not roles.figures:
        return None
    values = [
        {
            "name": column.name,
            "fields": {
                "measure": {"constant": column.name},
                "value": {"column": column.name, **_number(column)} if _number(column) else column.name,
                **common,
            },
        }
        for column in roles.figures[:_MOST_VALUES]
    ]
    return {**base, "values": values}
