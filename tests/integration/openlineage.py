"""Reads OpenLineage events with the classes that the OpenLineage project generates from its JSON schema.

Strict where the library is lenient: no unknown field, every field of its type, every facet of the schema
that it names.
"""

from __future__ import annotations

import enum
import importlib
import pkgutil
import types
import typing
import uuid
from typing import Any

import attr
from openlineage.client import generated
from openlineage.client.generated import base


def facet_classes() -> dict[str, type]:
    """Return every class of a facet by the address of its schema."""
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        for one in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).values():
            if isinstance(one, type) and issubclass(one, base.BaseFacet):
                found[one._get_schema()] = one
    return found


FACETS = facet_classes()


def read_event(event: dict[str, Any]) -> base.RunEvent:
    """Return an event of a run as the library's own object; fail where it departs from the schema."""
    assert event["schemaURL"] == base.RunEvent._get_schema()
    found = _structured(base.RunEvent, event, "event")
    uuid.UUID(event["run"]["runId"])
    return found


def _structured(wanted: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            assert type(None) in arguments, where
            return None
        (wanted,) = (one for one in arguments if one is not type(None))
        return _structured(wanted, value, where)
    if origin is list:
        assert isinstance(value, list), where
        return [_structured(arguments[0], one, f"{where}[{n}]") for n, one in enumerate(value)]
    if origin is dict:
        assert isinstance(value, dict), where
        return {key: _structured(arguments[1], one, f"{where}.{key}") for key, one in value.items()}
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return wanted(value)
    if attr.has(wanted):
        return _object(wanted, value, where)
    if wanted is not Any:
        assert isinstance(value, wanted), f"{where}: {value!r} is no {wanted.__name__}"
    return value


def _object(wanted: type, value: Any, where: str) -> Any:
    assert isinstance(value, dict), where
    extra = {}
    if issubclass(wanted, base.BaseFacet):
        assert value["_producer"], where
        is_ours = where.rpartition(".")[2].startswith("caregrid_")
        found = FACETS[value["_schemaURL"]]
        assert found is base.BaseFacet if is_ours else issubclass(found, wanted), f"{where}: {found}"
        wanted = found
        # The base facet may hold anything besides.
        extra = {key: one for key, one in value.items() if is_ours and not key.startswith("_")}
    hints = typing.get_type_hints(wanted)
    known = {field.name: field for field in attr.fields(wanted)}
    assert set(value) - set(extra) <= set(known), f"{where}: {set(value) - set(known)} is not in the schema"
    given = {
        field.alias: _structured(hints[name], value[name], f"{where}.{name}")
        for name, field in known.items()
        if name in value and field.init
    }
    made = wanted(**given)
    for name in ("schemaURL", "_schemaURL"):
        assert value.get(name, getattr(made, name, None)) == getattr(made, name, None), f"{where}.{name}"
    return made
