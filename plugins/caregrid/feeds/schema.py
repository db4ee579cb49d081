"""Checks a feed's YAML against schema.json and says each mistake in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
_PATTERNS = {
    "^[A-Z]{2}$": "use the two capital letters of ISO 3166-1, for example CA",
    "^[a-z][a-z0-9]*(_[a-z0-9]+)*$": "use lower_snake_case, for example qc_emergency_hourly",
    "^[a-z][a-z0-9_]*$": "use lower_snake_case",
}


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def schema_problems(file: Path, document: Document) -> list[Problem]:
    """Return every violation of the schema, with its line."""
    return [
        problem
        for error in _validator().iter_errors(document.data)
        for problem in _problems(file, document, error)
    ]


def _problems(file: Path, document: Document, error: ValidationError) -> Iterator[Problem]:
    path: DocumentPath = tuple(error.absolute_path)

    def problem(at: DocumentPath, message: str, fix: str) -> Problem:
        return Problem(file, document.line_of(at), dotted(at), message, fix)

    value, rule, schema = error.instance, error.validator_value, error.schema
    if error.validator == "additionalProperties":
        known = schema.get("properties", {})
        for key in value:
            if key not in known:
                yield problem((*path, key), f"unknown key {key!r}", nearest(key, known))
    elif error.validator == "required":
        for key in rule:
            if key not in value and f"{key!r} is a required" in error.message:
                yield problem(path, f"key {key!r} is missing", f"add {key}: …")
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
        yield problem(path, f"{value!r} has the wrong form", _PATTERNS.get(rule, f"it must match {rule}"))
    elif error.validator in ("minItems", "minLength", "minProperties"):
        yield problem(
            path,
            "it is empty" if not value else f"{_shown(value)} is too short",
            "fill it, or leave the key out",
        )
    else:
        yield problem(path, error.message, f"see docs/feeds.md; the schema says {error.validator}: {rule}")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
