"""Which columns of a source the outputs of a feed need, and how to say that one is gone."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from caregrid.feeds.model import Feed, Output, Source
from caregrid.mapping.table import expression_columns

_CELL_KEYS = {"column", "status_column", "end_column"}


@dataclass(frozen=True)
class Need:
    """A column by its name and older names; `used_by` is the dotted path of the mapping that reads it."""

    names: tuple[str, ...]
    used_by: str
    optional: bool = False
    pattern: bool = False  # names holds a regular expression, or a prefix for slots


def needs_of_source(feed: Feed, source: Source) -> list[Need]:
    """Return every column that the outputs of a source, and its own times, read."""
    found = list(_walk(source.published_at, f"sources.{source.name}.published_at"))
    found += list(_walk(source.known_at, f"sources.{source.name}.known_at"))
    found += [Need((column,), f"sources.{source.name}.events") for column in source.events or ()]
    for output in feed.outputs_of(source.name):
        found += needs_of_output(output)
    return list(dict.fromkeys(found))


def needs_of_output(output: Output) -> list[Need]:
    """Return every column that one output reads."""
    found: list[Need] = []
    for key, value in output.spec.items():
        if key in ("name", "contract", "source", "on_conflict"):
            continue
        path = f"{output.name}.{key}"
        if key == "where":
            found += [Need((column,), path) for column in expression_columns(value)]
        elif key == "values":
            for index, entry in enumerate(value):
                found += _walk(entry, f"{path}[{index}]")
        elif key in (
            "fields",
            "identifiers",
            "dimensions",
            "period",
            "known_at",
            "observed_at",
            "total_over",
        ):
            found += _walk(value, path)
        elif key == "place":
            for part, spec in value.items():
                found += _plain(
                    spec, f"{path}.{part}", text_is_column=part in ("code", "name", "country_code")
                )
        else:
            found += _plain(value, path, text_is_column=key in ("reporting_units", "is_provisional"))
    return found


def _plain(spec: Any, path: str, text_is_column: bool) -> Iterator[Need]:
    if isinstance(spec, str):
        if text_is_column:
            yield Need((spec,), path)
    elif isinstance(spec, list):
        yield Need(tuple(spec), path)
    elif isinstance(spec, dict):
        yield from _walk(spec, path)


def _walk(spec: Any, path: str, optional: bool = False) -> Iterator[Need]:
    if isinstance(spec, list):
        for index, item in enumerate(spec):
            yield from _walk(item, f"{path}[{index}]", optional)
    if not isinstance(spec, dict):
        return
    optional = optional or bool(spec.get("optional"))
    for key, value in spec.items():
        here = f"{path}.{key}"
        if key in _CELL_KEYS:
            names = (value,) if isinstance(value, str) else tuple(value)
            if names != ("$column",):
                yield Need(names, path, optional)
        elif key == "columns" and isinstance(value, str):
            yield Need((value,), path, optional, pattern=True)
        elif key in ("expr", "where", "when") and isinstance(value, str):
            for column in expression_columns(value):
                if column != "$column":
                    yield Need((column,), here, optional)
        elif key in ("columns", "join") and isinstance(value, list):
            for part in value:
                yield Need((part,) if isinstance(part, str) else tuple(part), here, optional)
        elif key == "project":
            for axis in ("x", "y"):
                yield from _plain(value[axis], here, True)
        elif key == "slots":
            for part, prefix in value.items():
                if part != "order":
                    yield Need((re.escape(prefix) + r"\..*",), here, True, pattern=True)
        elif key == "fields":
            for name, field in value.items():
                if name == "extra":
                    for extra, inner in field.items():
                        yield from _plain(inner, f"{here}.extra.{extra}", True)
                else:
                    yield from _plain(field, f"{here}.{name}", True)
        elif _is_no_column(key, value, path):
            continue
        elif key in ("value", "valid_from", "valid_to", "reporting_units", "is_provisional") or path.endswith(
            (".fields", ".extra")
        ):
            if key == "extra":
                yield from _walk(value, here, optional)
            else:
                yield from _plain(value, here, True)
        elif (isinstance(value, dict) and key not in ("map", "status_map", "number")) or key in (
            "total_over",
        ):
            yield from _walk(value, here, optional)


def _is_no_column(key: str, value: Any, path: str) -> bool:
    """Say whether a text is a constant where elsewhere it would be a column: fixed times and days."""
    if key == "value":
        return path.endswith((".published_at", ".known_at", ".observed_at"))
    return key in ("valid_from", "valid_to") and isinstance(value, str) and ".identifiers" in path


def absent(needs: list[Need], columns: list[str]) -> list[Need]:
    """Return the needs that no column meets."""
    known = set(columns)
    return [
        need
        for need in needs
        if not need.optional
        and not (
            any(re.fullmatch(need.names[0], column) for column in columns)
            if need.pattern
            else known & set(need.names)
        )
    ]


def describe_absent(gone: list[Need], needs: list[Need], columns: list[str]) -> str:
    """Return the words for columns that are gone: which, what reads them, which are new, and what to do."""
    mentioned = {name for need in needs if not need.pattern for name in need.names}
    patterns = [need.names[0] for need in needs if need.pattern]
    new = [
        column
        for column in columns
        if column not in mentioned and not any(re.fullmatch(p, column) for p in patterns)
    ]
    words: list[str] = []
    first: dict[tuple[str, ...], str] = {}
    for need in gone:
        first.setdefault(need.names, need.used_by)
    for names, used_by in first.items():
        words.append(f"column {' / '.join(map(repr, names))} is gone (read by {used_by})")
    text = "; ".join(words)
    if new:
        wanted = " ".join(names[0] for names in first)
        ranked = sorted(
            new,
            key=lambda column: (
                -max(difflib.SequenceMatcher(None, column, name).ratio() for name in wanted.split(" "))
            ),
        )
        shown = ", ".join(map(repr, ranked[:12])) + (f" and {len(new) - 12} more" if len(new) > 12 else "")
        text += f"; columns that the feed does not mention: {shown}"
        fix = f"if it was renamed, list both names, for example column: [{ranked[0]}, {gone[0].names[0]}]"
    else:
        fix = "the file has no column the feed does not mention"
    return f"{text}; {fix}; if it may be absent, set optional: true"
