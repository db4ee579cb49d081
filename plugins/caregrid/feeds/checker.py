"""Collects a feed's problems by path, and checks one cell mapping; all semantic checks build on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from caregrid.feeds.document import Document
from caregrid.feeds.document import Path as DocumentPath
from caregrid.feeds.problems import Problem, dotted
from caregrid.feeds.times import parse_duration

ORIGINS = ("column", "columns", "constant", "expr", "join", "file_name", "project", "slots")
NAMED_FORMATS = {
    "iso_week",
    "epi_week",
    "dhis2",
    "dhis2_week",
    "quarter",
    "roc_date",
    "roc_month",
    "iso8601",
    "unix_seconds",
    "unix_milliseconds",
    "excel_days",
    "YYYY",
    "YYYYQn",
}
_DIRECTIVES = set("YmdHMSfybBpIjzZT%")


class Checker:
    """Collects problems of one document. Every method takes the path of the key it is about.

    faulty: paths where the schema does not hold; what stands there cannot be asked what it means.
    """

    def __init__(self, file: Path, document: Document, faulty: Iterable[DocumentPath] = ()) -> None:
        self.faulty = frozenset(faulty)
        self.file = file
        self.document = document
        self.problems: list[Problem] = []

    def report(self, path: DocumentPath, message: str, fix: str) -> None:
        """Add one problem at the line of a path."""
        self.problems.append(Problem(self.file, self.document.line_of(path), dotted(path), message, fix))

    def at(self, path: DocumentPath) -> Any:
        """Return the value at a path, None when it is absent."""
        value: Any = self.document.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def is_sound(self, path: DocumentPath) -> bool:
        """Say whether the schema holds at a path, below it and above it."""
        return not any(fault[: len(path)] == path or (path[: len(fault)] == fault) for fault in self.faulty)

    def has_typed_source(self) -> bool:
        """Say whether a source holds typed columns (Parquet), whose times need no format, or may do so."""
        return any(
            self.at(("sources", name, "format", "type")) == "parquet" or not self.is_sound(("sources", name))
            for name in self.document.data["sources"]
        )

    def one_of(
        self, path: DocumentPath, mapping: Mapping[str, Any], keys: Iterable[str], what: str
    ) -> str | None:
        """Return the one key present of several, or report that none or more than one is."""
        present = [key for key in keys if key in mapping]
        if len(present) == 1:
            return present[0]
        if present:
            self.report(path, f"{what} has {' and '.join(present)}", f"keep one of {', '.join(present)}")
        else:
            self.report(path, f"{what} says nowhere where it comes from", f"give one of {', '.join(keys)}")
        return None

    def pattern(self, path: DocumentPath, text: str) -> None:
        """Check a word between slashes that stands for many words."""
        try:
            re.compile(text)
        except re.error as error:
            self.report(
                path, f"/{text}/ is no regular expression: {error}", "correct it, for example '/<\\d+/'"
            )

    def regex(self, path: DocumentPath, groups: int | None = None) -> None:
        """Check a regular expression, and that it has the groups it needs."""
        text = self.at(path)
        try:
            compiled = re.compile(text)
        except re.error as error:
            self.report(
                path,
                f"{text!r} is no regular expression: {error}",
                "correct it, for example 'er_(\\d{4}-\\d{2})'",
            )
            return
        if groups is not None and compiled.groups != groups:
            self.report(
                path,
                f"{text!r} has {compiled.groups} groups, {groups} needed",
                "put brackets round the part that is the value",
            )

    def duration(self, path: DocumentPath) -> None:
        """Check an ISO 8601 duration."""
        text = self.at(path)
        if text is None:
            return
        try:
            parse_duration(text)
        except ValueError as error:
            self.report(path, str(error), "write for example PT1H, P1D, P4D, P1M")

    def formats(self, path: DocumentPath) -> None:
        """Check that each time format is a named one or has only directives that are understood."""
        value = self.at(path)
        for index, text in enumerate([value] if isinstance(value, str) else value or []):
            here = path if isinstance(value, str) else (*path, index)
            if text in NAMED_FORMATS:
                continue
            if "%" not in text:
                self.report(
                    here,
                    f"{text!r} is no time format",
                    f"write one like %Y-%m-%d, or one of {', '.join(sorted(NAMED_FORMATS))}",
                )
                continue
            for directive in re.findall(r"%(.|$)", text):
                if directive not in _DIRECTIVES:
                    self.report(
                        here,
                        f"%{directive} is no directive that is understood",
                        "use %Y %y %m %d %j %H %I %p %M %S %f %b %B %z %Z",
                    )

    def cell(self, path: DocumentPath, allow_text: str = "column") -> None:
        """Check one mapping of a cell: text is a column (or a constant), a mapping has exactly one origin."""
        spec = self.at(path)
        if spec == []:
            self.report(path, "no column is listed", "name one, or leave the key out")
        if not isinstance(spec, dict):
            return
        origin = self.one_of(path, spec, ORIGINS, "this mapping")
        if "otherwise" in spec and "map" not in spec:
            self.report((*path, "otherwise"), "otherwise stands without a map", "add map:, or drop otherwise")
        if "status_map" in spec and "status_column" not in spec:
            self.report(
                (*path, "status_map"), "status_map stands without status_column", "add status_column:"
            )
        if "status_column" in spec and "status_map" not in spec:
            self.report(
                (*path, "status_column"),
                "status_column stands without status_map",
                "add status_map: {flag: suppressed, …}",
            )
        if "extract" in spec:
            self.regex((*path, "extract"), groups=1)
        if origin == "file_name":
            self.regex((*path, "file_name"), groups=1)
        if "format" in spec:
            self.formats((*path, "format"))
        if "plus" in spec:
            self.duration((*path, "plus"))
        if origin == "slots" and not ({"open", "closed"} & set(spec)):
            self.report(
                path, "slots say neither what is open nor what is closed", "add open: [V] or closed: [N]"
            )
        if origin == "project":
            code = spec["project"].get("from", "")
            if not re.fullmatch(r"EPSG:\d+", str(code)):
                self.report(
                    (*path, "project", "from"), f"{code!r} is no EPSG code", "write for example EPSG:27700"
                )
