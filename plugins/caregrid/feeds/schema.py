"""Checks a YAML document against a JSON schema and says each mistake in words: line, field, what, fix."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from caregrid.feeds.document import Document
from caregrid.feeds.document import Path as DocumentPath
from caregrid.feeds.problems import Problem, dotted, nearest

SCHEMA_FILE = Path(__file__).with_name("schema.json")
_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
# What to write where a text has not the form of a feed's schema.
_FORMS = {
    "^[A-Z]{2}$": "use the two capital letters of ISO 3166-1, for example CA",
    "^[a-z][a-z0-9]*(_[a-z0-9]+)*$": "use lower_snake_case, for example qc_emergency_hourly",
    "^[a-z][a-z0-9_]*$": "use lower_snake_case",
}


@lru_cache(maxsize=1)
def feed_schema() -> dict[str, Any]:
    """Return the schema of a feed's YAML."""
    return dict(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def schema_faults(
    file: Path,
    document: Document,
    schema: Mapping[str, Any],
    *,
    forms: Mapping[str, str] = _FORMS,
    page: str = "docs/feeds.md",
    at: DocumentPath = (),
    value: Any = None,
) -> list[tuple[DocumentPath, Problem]]:
    """Return every violation of a schema, with the path of the key at fault.

    Args:
        forms: pattern of the schema → what to write instead.
        page: where the keys are explained.
        at: path of the part that is checked; the whole document by default.
        value: that part.
    """
    checked = document.data if value is None else value
    return [
        fault
        for error in Draft202012Validator(schema).iter_errors(checked)
        for fault in _problems(file, document, (*at, *error.absolute_path), error, forms, page)
    ]


def _problems(
    file: Path,
    document: Document,
    path: DocumentPath,
    error: ValidationError,
    forms: Mapping[str, str],
    page: str,
) -> Iterator[tuple[DocumentPath, Problem]]:
    def problem(at: DocumentPath, message: str, fix: str) -> tuple[DocumentPath, Problem]:
        return at, Problem(file, document.line_of(at), dotted(at), message, fix)

    value, rule, schema = error.instance, error.validator_value, error.schema
    assert isinstance(schema, dict)
    if error.validator == "additionalProperties":
        known = schema.get("properties", {})
        for key in value:
            if key not in known:
                yield problem((*path, key), f"unknown key {key!r}", nearest(key, known))
    elif error.validator == "required":
        for key in rule:
            if key not in value and f"{key!r} is a required" in error.message:
                yield problem((*path, key), f"key {key!r} is missing", f"add {key}: …")
    elif error.validator == "type":
        wanted = [rule] if isinstance(rule, str) else rule
        yield problem(
            path,
            f"{_shown(value)} is not what belongs here",
            "give " + " or ".join(_WORDS[word] for word in wanted),
        )
    elif error.validator in ("enum", "const"):
        choices = rule if isinstance(rule, list) else [rule]
        yield problem(path, f"{_shown(value)} is not allowed", nearest(str(value), [str(c) for c in choices]))
    elif error.validator == "pattern":
        yield problem(path, f"{value!r} has the wrong form", forms.get(rule, f"it must match {rule}"))
    elif error.validator in ("minItems", "minLength", "minProperties"):
        yield problem(
            path,
            "it is empty" if not value else f"{_shown(value)} is too short",
            "fill it, or leave the key out",
        )
    else:
        yield problem(path, error.message, f"see {page}; the schema says {error.validator}: {rule}")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
