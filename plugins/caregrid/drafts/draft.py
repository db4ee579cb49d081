"""Drafts a feed from a sample: tries what its columns may mean and keeps what really maps its records."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from caregrid import paths
from caregrid.drafts.columns import Column, profile
from caregrid.drafts.look import Look, look
from caregrid.drafts.marks import style_of
from caregrid.drafts.meanings import Figures
from caregrid.drafts.plan import outputs_of
from caregrid.drafts.refusals import RENAME, misnamed, refuse_no_file
from caregrid.drafts.roles import Roles, assign
from caregrid.drafts.words import country_of, means, words_of
from caregrid.drafts.write import text_of
from caregrid.errors import CareGridError
from caregrid.feeds import CONFIRM, Feed
from caregrid.feeds.check import check_text
from caregrid.feeds.confirm import NO_COUNTRY, NO_OWNER
from caregrid.feeds.spec import parse_feed
from caregrid.mapping import UnreadableFile, inspect_file, map_batch, read
from caregrid.mapping.numerals import NumberStyle

_ZONES = {
    "DE": "Europe/Berlin", "FR": "Europe/Paris", "IT": "Europe/Rome", "ES": "Europe/Madrid",
    "TW": "Asia/Taipei", "CN": "Asia/Shanghai",
}  # fmt: skip
_COMMA_LANDS = ("DE", "FR", "IT", "ES")
_UNMISTAKABLE = 7
_DATED = re.compile(r"(?<!\d)(20\d{2}-\d{2}-\d{2}|20\d{6})(?!\d)")


@dataclass
class Draft:
    """A feed that passes the check, and how many rows of the sample each output mapped and rejected."""

    name: str
    text: str
    mapped: dict[str, int]
    rejected: dict[str, int]


def draft(sample: Path, name: str | None = None) -> Draft:
    """Return the draft of a feed for files like the sample.

    Raises CareGridError: the sample cannot be read, is about patients, or nothing in it can be mapped.
    """
    refuse_no_file(sample)
    name = feed_name(name, sample)
    seen = look(sample)
    patients = [heading for heading in seen.frame.columns if means(heading, "patient")]
    if patients:
        raise CareGridError(
            f"the records seem to be about single patients ({', '.join(map(repr, patients[:3]))})",
            where=str(sample),
            fix="no contract takes patients; name a sample of counts, places or indicators",
        )
    columns = profile(seen.frame, seen.lines)
    country = country_of(seen.frame.columns)
    roles = assign(columns, country or NO_COUNTRY, name)
    style, unsure = _style(seen, columns, country)
    seen.notes += unsure
    outputs = outputs_of(roles, sample.name, Figures(seen.frame, style))
    if not outputs:
        called, none = misnamed(sample), "no column could be taken for a place or a figure"
        raise CareGridError(
            f"{called}; {none}" if called else none,
            where=f"{sample}: {', '.join(seen.frame.columns[:12])}",
            fix=RENAME if called else "write the feed by hand from the example in docs/feeds.md",
        )
    sources = _sources(sample, seen, columns, style)
    return _first_that_maps(sample, name, seen, columns, country, roles, sources, outputs)


def feed_name(name: str | None, sample: Path) -> str:
    """Return the feed's name: as given, else of the file, without its date. Raises CareGridError."""
    if name is not None:
        if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
            raise CareGridError(
                f"{name!r} is no name of a feed", fix="use lower_snake_case, for example north_beds"
            )
        return name
    stem = _DATED.sub("", sample.name.split(".")[0])
    made = "_".join(word for word in words_of(stem) if word.isascii())
    return made if made[:1].isalpha() and len(made) <= 60 else f"feed_{made}"[:60].strip("_")


def _first_that_maps(
    sample: Path,
    name: str,
    seen: Look,
    columns: list[Column],
    country: str | None,
    roles: Roles,
    sources: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
) -> Draft:
    """Try each way to date a publication; keep the way that maps most, and the outputs that map anything."""
    best: tuple[int, Draft] | None = None
    for source in sources:
        feed = _feed(name, sample, country, source, outputs)
        mapped, rejected, repeated = _trial(sample, seen, feed)
        kept = [output for output in outputs if mapped[output["name"]]]
        if not kept or (best and sum(mapped.values()) <= best[0]):
            continue
        told = _told(sample, seen, roles, mapped, rejected, repeated)
        if "column" in roles.period and not any("period" in output for output in kept):
            told.append(
                f"{CONFIRM} {roles.period['column']!r} was taken for the period, but no output has one: "
                "no column was taken for a figure."
            )
        notes = [*seen.notes, *_missing_notes(columns)]
        text = text_of({**feed, "outputs": kept}, notes, roles.unsure, told)
        problems = check_text(Path(f"{name}.yml"), text)
        if problems:  # never written: a draft that does not pass would be a mistake of ours
            raise CareGridError(
                f"the draft does not pass the check: {problems[0]}",
                where=str(sample),
                fix="begin with the example in docs/feeds.md, and report this file's heading as a mistake",
            )
        names = [output["name"] for output in kept]
        best = (
            sum(mapped.values()),
            Draft(name, text, {key: mapped[key] for key in names}, {key: rejected[key] for key in names}),
        )
    if best is None:
        raise CareGridError(
            "what the headings seem to say maps no record of the sample",
            where=str(sample),
            fix="write the feed by hand from the example in docs/feeds.md",
        )
    return best[1]


def _sources(sample: Path, seen: Look, columns: list[Column], style: NumberStyle) -> list[dict[str, Any]]:
    """Return the sources to try: published on the day in the file's name, or when the file last changed."""
    form = dict(seen.form)
    if style.decimal != ".":
        form["decimal"] = style.decimal
    if style.thousands:
        form["thousands"] = style.thousands
    missing = _missing(columns)
    suppressed = sorted({word for column in columns for word in column.suppressed if column.kind == "number"})
    base: dict[str, Any] = {"path": _path(sample)}
    if seen.member:
        base["member"] = seen.member
    base |= {"format": form, "missing": ["", *(word for word in missing if word not in suppressed)]}
    if suppressed:
        base["suppressed"] = suppressed
    ways: list[dict[str, Any]] = [{"last_modified": True, "assumed": True}]
    dated = _DATED.search(sample.name)
    if dated:
        pattern, form_of_day = (
            (r"(\d{4}-\d{2}-\d{2})", "%Y-%m-%d") if "-" in dated[0] else (r"(20\d{6})", "%Y%m%d")
        )
        ways.insert(0, {"file_name": pattern, "format": form_of_day, "plus": "P1D", "assumed": True})
    return [{**base, "published_at": way} for way in ways]


def _style(seen: Look, columns: list[Column], country: str | None) -> tuple[NumberStyle, list[str]]:
    """Return the one way in which the file writes numbers, and what to confirm of it."""
    return style_of(
        ((column.name, column.written) for column in columns if column.kind == "number"),
        is_free_text=seen.form["type"] in ("csv", "tsv"),
        is_comma_land=country in _COMMA_LANDS or seen.form.get("delimiter") == ";",
    )


def _path(sample: Path) -> str:
    """Return the pattern for files like the sample: below the feeds' directory, else from the root."""
    absolute, base = sample.resolve(), paths.feeds_base().resolve()
    shown = absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else absolute.as_uri()
    directory, _, last = shown.rpartition("/")
    last = _DATED.sub("*", re.sub(r"([\[?])", "[\\1]", last))
    return f"{directory}/{last}" if directory else last


def _feed(
    name: str, sample: Path, country: str | None, source: dict[str, Any], outputs: list[dict[str, Any]]
) -> dict[str, Any]:
    title = name.replace("_", " ").capitalize()
    return {
        "feed": name,
        "name": {"en": title, "zh": title},
        "owner": {"id": NO_OWNER, "name": "Unknown"},
        "visibility": "owner",
        "country": country or NO_COUNTRY,
        "timezone": _ZONES.get(country or "", "UTC"),
        "schedule": None,
        "expected_every": None,
        "lateness_tolerance": None,
        "licence": "unknown",
        "provenance": f"drafted from the sample {sample.name}; no document of the publisher was read",
        "sources": {"sample": source},
        "outputs": outputs,
    }


def _trial(sample: Path, seen: Look, feed: dict[str, Any]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Map the sample's first records as the product does; count rows, rejects and rows with a key twice."""
    parsed: Feed = parse_feed(Path(f"{feed['feed']}.yml"), text_of(feed, [], {}, []))
    (source,) = parsed.sources.values()
    mapped: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    repeated: Counter[str] = Counter()
    modified = datetime.fromtimestamp(sample.stat().st_mtime, UTC)
    try:
        member = _member(source, sample)
        context = inspect_file(
            parsed,
            source,
            sample,
            file_name=Path(member).name or sample.name,
            member=member,
            last_modified=modified,
        )
        batch = next(read(source, sample, member=member))
    except UnreadableFile as error:
        raise CareGridError(
            f"the sample cannot be read as drafted: {error.reason}",
            where=str(sample),
            fix="give a whole file as the publisher sends it, or begin with the example in docs/feeds.md",
        ) from error
    for output in parsed.outputs:
        result = map_batch(parsed, output, batch, context)
        mapped[output.name] = result.rows.height
        rejected[output.name] = len(result.rejects)
        if output.contract in ("usage", "quality"):
            key = [
                c
                for c in ("code", "service_or_resource", "measure", "dimensions", "period_start")
                if c in result.rows.columns
            ]
            repeated[output.name] = result.rows.height - result.rows.select(key).n_unique()
    return mapped, rejected, repeated


def _member(source: Any, sample: Path) -> str:
    from caregrid.mapping import members

    return next(iter(members(source, sample)), "")


def _missing_notes(columns: list[Column]) -> list[str]:
    suppressed = {word for column in columns for word in column.suppressed if column.kind == "number"}
    words = sorted({*_missing(columns), *suppressed})
    return (
        [f"missing, suppressed: the words for no figure in the sample are {', '.join(words)}"]
        if words
        else []
    )


def _missing(columns: list[Column]) -> list[str]:
    """Return the words for nothing; in text only unmistakable ones: NC is a state, and - may be a name."""
    return sorted(
        {
            word
            for column in columns
            for word in column.missing
            if column.kind != "text" or len(word) >= _UNMISTAKABLE
        }
    )


def _told(
    sample: Path,
    seen: Look,
    roles: Roles,
    mapped: Counter[str],
    rejected: Counter[str],
    repeated: Counter[str],
) -> list[str]:
    """Return what the sample showed and what a person has to do, for the top of the file."""
    lines = [
        f"Drafted by `caregrid feeds new` from {sample.name}: {seen.rows:,} records"
        f"{'' if seen.whole else ' (only these were looked at)'}, {len(seen.frame.columns)} columns.",
        f"Guesses, not knowledge: read every line marked {CONFIRM}, and the publisher's own description,",
        "before the first load; then `caregrid feeds check` and `caregrid feeds try` with this feed's name.",
    ]
    for name in mapped:
        lines.append(
            f"Output {name}: {mapped[name]:,} rows of the sample map, {rejected[name]:,} are rejected."
        )
        if repeated[name]:
            lines.append(
                f"{CONFIRM} {repeated[name]:,} rows of {name} repeat a place, period and figure: "
                "a column that tells them apart belongs under dimensions, or under where."
            )
    if seen.unread:
        lines.append(f"{CONFIRM} {seen.unread:,} records cannot be read, the first: {seen.first_unread}")
    if roles.unused:
        lines.append(f"{CONFIRM} columns that nothing reads yet: {', '.join(dict.fromkeys(roles.unused))}")
    return lines
