"""Reads a YAML file of alert rules or channels and checks it, as the files of feeds are checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from caregrid.errors import CareGridError
from caregrid.feeds.document import BrokenYaml, Document, read_document
from caregrid.feeds.document import Path as DocumentPath
from caregrid.feeds.problems import Problem
from caregrid.feeds.schema import schema_faults

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


def problems_of(
    file: Path, document: Document, schema: dict[str, Any], at: DocumentPath = (), value: Any = None
) -> list[Problem]:
    """Return every violation of `schema` in the value at path `at`, each with its line."""
    faults = schema_faults(file, document, schema, forms=_FORMS, page="docs/alerts.md", at=at, value=value)
    return [problem for _, problem in faults]


def as_error(problems: list[Problem]) -> CareGridError:
    """Return one error that tells every problem."""
    first, *others = sorted(problems)
    more = "".join(f"\n{problem}" for problem in others)
    return CareGridError(
        f"{first.field}: {first.message}", where=f"{first.file}:{first.line}", fix=f"{first.fix}{more}"
    )
