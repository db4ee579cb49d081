"""Checks of a source's `format`: keys that say nothing about it, keys that it needs, encodings."""

from __future__ import annotations

import io

from caregrid.feeds.checker import Checker
from caregrid.feeds.document import Path as DocumentPath
from caregrid.feeds.formats import COMMON_KEYS, FORMATS


def check_format(checker: Checker, path: DocumentPath) -> None:
    """Report what is wrong with the `format` at a path; the schema holds already."""
    form = checker.at(path)
    kind = FORMATS[form["type"]]
    for key in form:
        if key not in (*COMMON_KEYS, *kind.keys):
            others = [name for name, other in FORMATS.items() if key in other.keys]
            checker.report(
                (*path, key),
                f"{key} says nothing about {form['type']}, only about {', '.join(others)}",
                "drop it",
            )
    for key in kind.required:
        if not form.get(key):
            checker.report(path, f"{form['type']} cannot be read without {key}", f"give format: {key}")
    if not _is_text_encoding(form.get("encoding", "utf-8")):
        checker.report(
            (*path, "encoding"),
            f"encoding {form['encoding']!r} is unknown",
            "use utf-8, utf-16, cp1252, latin-1, big5 …",
        )
    if form.get("header") is False:
        checker.report(
            (*path, "header"), "without a header the columns have no names", "give header: [name, …]"
        )
    if isinstance(form.get("header"), list) and "header_rows" in form:
        checker.report(
            (*path, "header_rows"),
            "the columns have their names from header already",
            "drop it, and count the rows of the heading into skip_rows",
        )
    if form.get("thousands") is not None and form.get("thousands") == form.get("decimal", "."):
        checker.report(
            (*path, "thousands"), "thousands and decimal are the same character", "correct one of them"
        )


def _is_text_encoding(name: str) -> bool:
    """Return whether the name is of bytes to text: Python also calls base64 and rot13 encodings."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)
    except (LookupError, ValueError):
        return False
    return True
