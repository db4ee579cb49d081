"""Semantic checks of a feed: what the schema cannot see, from the cron line to the publication times."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from caregrid.feeds.check_events import check_events
from caregrid.feeds.check_formats import check_format
from caregrid.feeds.check_moments import check_moment
from caregrid.feeds.check_outputs import check_outputs
from caregrid.feeds.check_transports import check_transport
from caregrid.feeds.checker import Checker
from caregrid.feeds.confirm import check_confirmed
from caregrid.feeds.document import BrokenYaml, Document, read_document
from caregrid.feeds.document import Path as DocumentPath
from caregrid.feeds.problems import Problem, dotted
from caregrid.feeds.schema import feed_schema, schema_faults
from caregrid.feeds.times import check_cron

_PUBLISHED = ("value", "file_name", "last_modified", "column")
_KNOWN = ("value", "column", "file_name", "published_at", "period_end_plus")


def check_text(file: Path, text: str) -> list[Problem]:
    """Return every mistake in a feed's YAML, in order of line.

    The semantic checks look only at what the schema holds for: of the rest they would repeat its findings.
    """
    return check_and_read(file, text)[0]


def check_and_read(file: Path, text: str) -> tuple[list[Problem], dict[str, Any]]:
    """Return every mistake in a feed's YAML, and its data, from one reading of the text."""
    try:
        document = read_document(text)
    except BrokenYaml as error:
        return [broken(file, error)], {}
    return _check(file, document, text), document.data


def broken(file: Path, error: BrokenYaml) -> Problem:
    """Return the mistake of a file that is no YAML mapping at all."""
    return Problem(
        file, error.line, dotted(error.field), f"this is no YAML mapping: {error.message}", error.fix
    )


def _check(file: Path, document: Document, text: str) -> list[Problem]:
    faults = schema_faults(file, document, feed_schema())
    checker = Checker(file, document, [path for path, _ in faults])
    _check_head(checker)
    check_confirmed(checker, text)
    if checker.at(("sources",)) is not None and ("sources",) not in checker.faulty:
        for name in document.data["sources"]:
            if checker.is_sound(("sources", name)):
                _check_source(checker, ("sources", name))
        if ("outputs",) not in checker.faulty:
            check_outputs(checker)
        if checker.is_sound(("sources",)) and checker.is_sound(("outputs",)):
            check_events(checker)
    problems = {*(problem for _, problem in faults), *checker.problems}
    return sorted(problems, key=lambda problem: (problem.line, problem.field))


def _check_head(checker: Checker) -> None:
    data = {key: value for key, value in checker.document.data.items() if checker.is_sound((key,))}
    if checker.file.suffix != ".yml":
        checker.report(
            (),
            f"feeds are files that end in .yml, not in {checker.file.suffix!r}",
            f"call it {data.get('feed', checker.file.stem)}.yml",
        )
    if data.get("feed", checker.file.stem) != checker.file.stem:
        checker.report(
            ("feed",),
            f"the feed is called {data['feed']!r}, its file {checker.file.name!r}",
            f"write feed: {checker.file.stem}, or call the file {data['feed']}.yml",
        )
    try:
        ZoneInfo(data.get("timezone", "UTC"))
    except (ValueError, OSError, KeyError):
        checker.report(
            ("timezone",),
            f"{data['timezone']!r} is no time zone",
            "use an IANA name, for example America/Toronto",
        )
    if data.get("schedule") is not None:
        try:
            check_cron(data["schedule"])
        except ValueError as error:
            checker.report(("schedule",), str(error), 'write five fields, for example "10 * * * *", or null')
    for key in ("expected_every", "lateness_tolerance"):
        if key in data:
            checker.duration((key,))
    if not {"expected_every", "lateness_tolerance"} <= set(data):
        return
    if data["expected_every"] is None and data["lateness_tolerance"] is not None:
        checker.report(
            ("lateness_tolerance",),
            "a one-off publication cannot be late",
            "set it to null, or give expected_every",
        )
    if data["expected_every"] is not None and data["lateness_tolerance"] is None:
        checker.report(
            ("lateness_tolerance",), "a feed that is expected has no tolerance", "give for example PT2H"
        )


def _check_source(checker: Checker, path: DocumentPath) -> None:
    source = checker.at(path)
    check_transport(checker, path)
    check_format(checker, (*path, "format"))
    seen: dict[str, str] = {}
    for key in ("missing", "suppressed", "not_applicable"):
        for token in source.get(key, []):
            if len(str(token)) > 2 and str(token).startswith("/") and str(token).endswith("/"):
                checker.pattern((*path, key), str(token)[1:-1])
            if str(token) in seen:
                checker.report(
                    (*path, key),
                    f"{token!r} stands under {seen[str(token)]} and {key}",
                    "keep it under one of them",
                )
            seen[str(token)] = key
    if "published_at" not in source:
        checker.report(
            path,
            "published_at is missing: nobody could tell when the file was published",
            "add published_at: {file_name: …, format: …}, {column: …}, {last_modified: true} "
            "or {value: …, assumed: true}",
        )
    else:
        check_moment(checker, (*path, "published_at"), _PUBLISHED)
    if "known_at" in source:
        check_moment(checker, (*path, "known_at"), _KNOWN)
