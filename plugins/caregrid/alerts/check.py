"""Checks a YAML file of alert rules or channels against a schema: file, line, field, what is wrong, fix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from caregrid.errors import CareGridError
from caregrid.feeds.document import BrokenYaml, Document, read_document
from caregrid.feeds.document import Path as DocumentPath
from caregrid.feeds.problems import Problem, dotted, nearest

_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
}
_FORMS = {
    "^[a-z][a-z0-9_]*$": "use lower_snake_case, for example stretchers_full",
    "^P(?=.)([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?)?$": "write an ISO 8601 duration, for example PT6H or P2D",
    "^CAREGRID_[A-Z0-9_]+$": "name an environment variable that begins with CAREGRID_",
    "^[A-Za-z0-9_.-]+$": "give a plain file name; it lies in var/outbox",
}


def read(file: Path) -> Document:
    """Return the file as data that remembers its lines.

    Raises:
        CareGridError: the file is absent or no YAML mapping.
    """
    try:
        return read_document(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CareGridError("there is no such file", where=str(file), fix="name one that exists") from None
    except BrokenYaml as error:
        raise CareGridError(error.message, where=f"{file}:{error.line}", fix="mend the YAML") from error


def schema_problems(
    file: Path, document: Document, schema: dict[str, Any], at: DocumentPath = (), value: Any = None
) -> list[Problem]:
    """Return every violation of `schema` in the value at path `at`, each with its line."""
    validator = Draft202012Validator(schema)
    checked = document.data if value is None else value
    return [
        problem
        for error in validator.iter_errors(checked)
        for problem in _problems(file, document, (*at, *error.absolute_path), error)
    ]


def as_error(problems: list[Problem]) -> CareGridError:
    """Return one error that tells every problem."""
    first, *others = sorted(problems)
    more = "".join(f"\n{problem}" for problem in others)
    return CareGridError(
        f"{first.field}: {first.message}", where=f"{first.file}:{first.line}", fix=f"{first.fix}{more}"
    )


def _problems(
    file: Path, document: Document, path: DocumentPath, error: ValidationError
) -> Iterator[Problem]:
    def problem(at: DocumentPath, message: str, fix: str) -> Problem:
        return Problem(file, document.line_of(at), dotted(at), message, fix)

    value, rule, schema = error.instance, error.validator_value, error.schema
    assert isinstance(schema, dict)
    shown = json.dumps(value, ensure_ascii=False)[:60]
    if error.validator == "additionalProperties":
        known = schema.get("properties", {})
        for key in [key for key in value if key not in known]:
            yield problem((*path, key), f"unknown key {key!r}", nearest(key, known))
    elif error.validator == "required":
        for key in [key for key in rule if key not in value and f"{key!r} is a required" in error.message]:
            yield problem((*path, key), f"key {key!r} is missing", f"add {key}: …")
    elif error.validator == "type":
        yield problem(path, f"{shown} is not what belongs here", f"give {_WORDS.get(str(rule), rule)}")
    elif error.validator in ("enum", "const"):
        choices = [str(choice) for choice in (rule if isinstance(rule, list) else [rule])]
        yield problem(path, f"{shown} is not allowed", nearest(str(value), choices))
    elif error.validator == "pattern":
        yield problem(path, f"{shown} has the wrong form", _FORMS.get(str(rule), f"it must match {rule}"))
    else:
        yield problem(path, error.message, f"the schema says {error.validator}: {rule}")
