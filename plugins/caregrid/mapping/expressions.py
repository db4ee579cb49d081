"""Checks of a feed that need polars: its SQL expressions, and its columns against a declared header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from caregrid.feeds.document import BrokenYaml, Document, decode_document, read_document
from caregrid.feeds.document import Path as DocumentPath
from caregrid.feeds.problems import Problem, dotted, nearest
from caregrid.feeds.spec import load_feed
from caregrid.feeds.xml_paths import split_path
from caregrid.mapping.columns import absent, needs_of_source
from caregrid.mapping.table import compiled, expression_columns

_CONDITIONS = ("where", "when")


def expression_problems(file: Path, is_sound: bool = True) -> list[Problem]:
    """Return every SQL expression of a feed's YAML that does not compile, with its line.

    Of a feed that has other mistakes (`is_sound` false) these alone are asked: its columns and its XPaths are
    known only when all else is right.
    """
    try:
        document = read_document(decode_document(file.read_bytes()))
    except BrokenYaml:
        return []
    problems: list[Problem] = []

    def visit(value: Any, path: DocumentPath) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                if key in ("expr", *_CONDITIONS) and isinstance(item, str):
                    numeric = key == "expr" and value.get("as") != "text" and _is_number(path)
                    fault = _fault(item, condition=key in _CONDITIONS, numeric=numeric)
                    if fault:
                        at = (*path, key)
                        problems.append(
                            Problem(
                                file,
                                document.line_of(at),
                                dotted(at),
                                f"{item!r}: {fault}",
                                "write SQL over the column names; put names with spaces in double quotes, "
                                "text in single quotes",
                            )
                        )
                else:
                    visit(item, (*path, key))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                visit(item, (*path, index))

    visit(document.data.get("outputs"), ("outputs",))
    if problems or not is_sound:
        return sorted(problems)
    return sorted([*_header_problems(file, document), *_xpath_problems(file, document)])


def _xpath_problems(file: Path, document: Document) -> list[Problem]:
    """Return the XPaths of a feed's XML sources that do not compile, or call what is not there."""
    from lxml import etree

    problems = []
    for source in load_feed(file).sources.values():
        form = source.format
        if form.type != "xml":
            continue
        at: DocumentPath = ("sources", source.name, "format")
        paths = {(*at, "records"): f"self::node(){split_path(form.records).condition}"}
        paths.update({(*at, "fields", field.name): field.at for field in form.fields})
        for where, xpath in paths.items():
            try:
                etree.XPath(xpath, namespaces=dict(form.namespaces) or None)(etree.Element("record"))
            except etree.XPathError as error:
                problems.append(
                    Problem(
                        file,
                        document.line_of(where),
                        dotted(where),
                        f"XPath {xpath!r}: {error}",
                        "write XPath 1.0 from the record, for example @id, beds/@open, ../../name",
                    )
                )
    return problems


def _header_problems(file: Path, document: Document) -> list[Problem]:
    """Return the columns that are read but not among those of a header that the feed itself declares."""
    feed = load_feed(file)
    problems = []
    for source in feed.sources.values():
        form = source.format
        header = [field.name for field in form.fields] if form.fields else form.header
        if isinstance(header, bool):
            continue
        key = "fields" if form.fields else "header"
        at: DocumentPath = ("sources", source.name, "format", key)
        for need in absent(needs_of_source(feed, source), list(header)):
            problems.append(
                Problem(
                    file,
                    document.line_of(at),
                    dotted(at),
                    f"{' / '.join(map(repr, need.names))} is read by {need.used_by} but not in the {key}",
                    nearest(need.names[0], header),
                )
            )
    return problems


def _is_number(path: DocumentPath) -> bool:
    """Say whether an expression at this path makes a number: a value of a measure, a numeric field."""
    numeric_fields = {"value", "numerator", "denominator", "benchmark", "latitude", "longitude", "quantile"}
    return path[-2:-1] == ("values",) or path[-1] in numeric_fields or path[-1] == "reporting_units"


def _fault(expression: str, *, condition: bool, numeric: bool) -> str:
    try:
        columns = expression_columns(expression)
        kind = pl.Float64 if numeric else pl.String
        frame = pl.DataFrame({name: pl.Series([None, None], dtype=kind) for name in columns or ("",)})
        result = frame.select(compiled(expression).alias("result"))["result"]
    except Exception as error:
        return f"it does not compile: {str(error).splitlines()[0]}"
    if columns and len(result) != frame.height:
        return "it makes one value of many records; a record knows only itself"
    if condition and result.dtype not in (pl.Boolean, pl.Null):
        return "it is no condition"
    if numeric and not (result.dtype.is_numeric() or result.dtype == pl.Null):
        return "it makes no number; its columns are numbers here (as: text takes them as text)"
    return ""
