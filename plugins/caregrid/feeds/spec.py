"""Loads feeds: a YAML file, checked, as a Feed. Light: the DAG files import it at every parse."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from caregrid.errors import CareGridError
from caregrid.feeds.check import broken, check_and_read, check_text
from caregrid.feeds.document import BrokenYaml, decode_document
from caregrid.feeds.model import Feed, Format, FormatField, Output, Source
from caregrid.feeds.problems import Problem
from caregrid.paths import FEEDS_DIR


def feed_files(directory: Path = FEEDS_DIR) -> list[Path]:
    """Return every feed's YAML file, sorted by name; *.yaml too, so that the check tells of the ending."""
    return sorted(
        path for path in directory.glob("*.y*ml") if path.suffix in (".yml", ".yaml") and path.is_file()
    )


def load_feed(file: str | Path) -> Feed:
    """Return the feed of a YAML file, or of a name in dags/feeds. Raises CareGridError with every mistake."""
    path = Path(file)
    if path.suffix not in (".yml", ".yaml"):
        path = FEEDS_DIR / f"{file}.yml"
    if not path.is_file():
        names = ", ".join(found.stem for found in feed_files()) or "none yet"
        raise CareGridError(
            f"there is no feed {str(file)!r}", where=str(path), fix=f"feeds there are: {names}"
        )
    return _load(path, path.stat().st_mtime_ns)


def load_feeds(directory: Path = FEEDS_DIR) -> dict[str, Feed]:
    """Return every feed of a directory by name. Raises CareGridError with every mistake of every file."""
    feeds, problems = sound_feeds(directory)
    if problems:
        raise _error(problems)
    return feeds


def sound_feeds(directory: Path = FEEDS_DIR) -> tuple[dict[str, Feed], list[Problem]]:
    """Return the feeds of a directory that are without mistake, by name, and the mistakes of the others."""
    feeds: dict[str, Feed] = {}
    problems: list[Problem] = []
    for file in feed_files(directory):
        try:
            feeds[file.stem] = load_feed(file)
        except CareGridError:
            problems += check_file(file)
    return feeds, problems


def check_file(file: Path) -> list[Problem]:
    """Return every mistake in one file; SQL expressions are left to caregrid.mapping.expressions."""
    try:
        return check_text(file, decode_document(file.read_bytes()))
    except BrokenYaml as error:
        return [broken(file, error)]


def parse_feed(file: Path, text: str) -> Feed:
    """Return the feed of a YAML text that would stand in `file`. Raises CareGridError with every mistake."""
    problems, data = check_and_read(file, text)
    if problems:
        raise _error(problems)
    return _build(file, data)


@lru_cache(maxsize=256)
def _load(path: Path, _modified: int) -> Feed:
    try:
        return parse_feed(path, decode_document(path.read_bytes()))
    except BrokenYaml as error:
        raise _error([broken(path, error)]) from error


def _error(problems: list[Problem]) -> CareGridError:
    first, *others = problems
    more = "".join(f"\n{problem}" for problem in others)
    return CareGridError(
        f"{first.field}: {first.message}" if first.field else first.message,
        where=f"{first.file}:{first.line}",
        fix=f"{first.fix}{more}",
    )


def _build(file: Path, data: dict[str, Any]) -> Feed:
    return Feed(
        name=data["feed"],
        file=file,
        title=data["name"],
        owner_id=data["owner"]["id"],
        owner_name=data["owner"]["name"],
        visibility=data["visibility"],
        country=data["country"],
        timezone=data["timezone"],
        schedule=data["schedule"],
        expected_every=data["expected_every"],
        lateness_tolerance=data["lateness_tolerance"],
        licence=data["licence"],
        provenance=data["provenance"],
        tags=tuple(data.get("tags", ())),
        sources={name: build_source(data["feed"], name, source) for name, source in data["sources"].items()},
        outputs=tuple(_output(output) for output in data["outputs"]),
        left_out=tuple(data.get("left_out", ())),
        constants_checked=tuple(data.get("constants_checked", ())),
        data=data,
    )


def build_source(feed: str, name: str, data: dict[str, Any]) -> Source:
    """Return a source from its validated YAML, as a feed or the ledger of loads holds it."""
    return Source(
        feed=feed,
        name=name,
        path=data.get("path"),
        url=data.get("url"),
        member=data.get("member"),
        format=_format(data["format"]),
        missing=tuple(str(token) for token in data.get("missing", [""])) or ("",),
        suppressed=tuple(str(token) for token in data.get("suppressed", [])),
        not_applicable=tuple(str(token) for token in data.get("not_applicable", [])),
        published_at=data["published_at"],
        known_at=data.get("known_at", {"published_at": True}),
        complete=data.get("complete", False),
        query=data.get("query"),
        connection=data.get("connection"),
        paging=data.get("paging"),
        events=_events(data.get("events", False)),
    )


def _events(data: Any) -> tuple[str, ...] | None:
    if isinstance(data, dict):
        return (data["id"],) if isinstance(data["id"], str) else tuple(data["id"])
    return () if data else None


def _format(data: dict[str, Any]) -> Format:
    header = data.get("header", True)
    return Format(
        type=data["type"],
        delimiter=data.get("delimiter", "\t" if data["type"] == "tsv" else ","),
        encoding=data.get("encoding", "" if data["type"] == "xml" else "utf-8"),
        decimal=data.get("decimal", "."),
        thousands=data.get("thousands"),
        quote=data.get("quote", '"') or None,
        skip_rows=data.get("skip_rows", 0),
        header=tuple(header) if isinstance(header, list) else True,
        records=data.get("records", ""),
        fields=tuple(
            FormatField(name, field["xpath"], field.get("separator"))
            if isinstance(field, dict)
            else FormatField(name, str(field))
            for name, field in data.get("fields", {}).items()
        ),
        namespaces=tuple(data.get("namespaces", {}).items()),
        short_lines=data.get("short_lines", False),
        positions=data.get("positions", "characters"),
        resolve=tuple(data.get("resolve", ())),
        sheet=data.get("sheet"),
        header_rows=data.get("header_rows", 1),
    )


def _output(data: dict[str, Any]) -> Output:
    sources = (data["source"],) if isinstance(data["source"], str) else tuple(data["source"])
    return Output(name=data["name"], contract=data["contract"], sources=sources, spec=data)
