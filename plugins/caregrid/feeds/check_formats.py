"""Checks of a source's `format`: keys that say nothing about it, keys that it needs, encodings."""

from __future__ import annotations

import io

from caregrid.feeds.checker import Checker
from caregrid.feeds.document import Path as DocumentPath
from caregrid.feeds.formats import COMMON_KEYS, FORMATS, span
from caregrid.feeds.xml_paths import fault_of_field, prefixes, split_path


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
    if form["type"] == "xml" and not any(key not in form for key in kind.required):
        _check_xml(checker, path)
    if form["type"] == "fixed":
        _check_positions(checker, path)
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


def _check_xml(checker: Checker, path: DocumentPath) -> None:
    form = checker.at(path)
    paths: dict[tuple[str, ...], str] = {("records",): form["records"]}
    for name, field in form["fields"].items():
        paths["fields", name] = field["xpath"] if isinstance(field, dict) else str(field)
    for at, xpath in paths.items():
        try:
            fault = ""
            if at == ("records",):
                split_path(xpath)
            else:
                fault = fault_of_field(xpath)
        except ValueError as error:
            fault = str(error)
        if fault:
            checker.report(
                (*path, *at), f"XPath {xpath!r}: {fault}", "write a path that the reader can follow"
            )
        for prefix in sorted(prefixes(xpath) - set(form.get("namespaces", {}))):
            checker.report(
                (*path, *at),
                f"XPath {xpath!r}: no namespace is given for the prefix {prefix!r}",
                f'give format: namespaces: {{{prefix}: "…"}} as the document declares it',
            )


def _check_positions(checker: Checker, path: DocumentPath) -> None:
    form = checker.at(path)
    if form.get("positions") == "bytes" and form.get("encoding", "").lower().startswith(("utf-16", "utf-32")):
        checker.report(
            (*path, "positions"), f"{form['encoding']} is counted in characters", "drop positions: bytes"
        )
    for name, field in form.get("fields", {}).items():
        try:
            span("" if isinstance(field, dict) else str(field))
        except ValueError:
            checker.report(
                (*path, "fields", name),
                f"{field!r} are no positions in a line",
                'write the first and the last, counted from 1, for example "1-8"',
            )


def _is_text_encoding(name: str) -> bool:
    """Return whether the name is of bytes to text: Python also calls base64 and rot13 encodings."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)
    except (LookupError, ValueError):
        return False
    return True
