"""The rules: YAML files, checked against the schema and against each other, as objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from caregrid.alerts.check import as_error, problems_of, read
from caregrid.alerts.names import codes
from caregrid.errors import CareGridError
from caregrid.feeds.document import Document
from caregrid.feeds.problems import Problem, nearest

RULES_DIR = Path(__file__).parent / "rules"
_SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("schema.json").read_text(encoding="utf-8"))
KINDS = ("observed", "forecast", "risk", "stale_feed", "failed_gate")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")


@dataclass(frozen=True)
class Rule:
    """One rule. What its kind does not know stays at its default.

    Attributes:
        rule: its name in action.alert_event; unique over all files.
        feeds: the feeds it looks at; empty means all.
        channels: the channels it speaks through; empty means all that take its severity.
        top: how many subjects a message names; the others are counted.
        of: what is compared: the value, its share of the capacity, or (forecast) its ratio to the value now.
        above, below: the threshold, on one side.
        resolve_at: where it resolves; by default the threshold itself.
        newest_within: an observation older than this is no longer "now": the state stays as it was.
        only_new: fires only for what is not the case already.
        counts: refusals or warnings (failed_gate).
    """

    rule: str
    kind: str
    name: dict[str, str]
    severity: str
    feeds: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    top: int = 5
    measure: str = ""
    service_or_resource: tuple[str, ...] = ()
    dimensions: dict[str, str] = field(default_factory=dict)
    place_levels: tuple[str, ...] = ("facility", "department")
    of: str = "value"
    above: float | None = None
    below: float | None = None
    resolve_at: float | None = None
    newest_within: timedelta = timedelta(days=2)
    quantile: float = 0.5
    horizon_at_most: int = 24
    only_new: bool = True
    counts: str = "refusals"

    @property
    def threshold(self) -> float:
        """Return the threshold, whichever side it is on."""
        return self.above if self.above is not None else self.below if self.below is not None else 0.0

    def holds(self, value: float, firing: bool) -> bool:
        """Say whether the rule holds for a value; one that fires already holds until resolve_at is passed."""
        limit = self.resolve_at if firing and self.resolve_at is not None else self.threshold
        return value > limit if self.above is not None else value < limit


def load_rules(directory: Path | None = None) -> list[Rule]:
    """Return the rules of every YAML file in a directory, in order.

    Raises:
        CareGridError: with every mistake of every file: file, line, field, fix.
    """
    files = sorted((directory or RULES_DIR).glob("*.yml"))
    if not files:
        raise CareGridError(
            "there are no alert rules", where=str(directory or RULES_DIR), fix="add a .yml file"
        )
    problems: list[Problem] = []
    rules: list[Rule] = []
    seen: dict[str, str] = {}
    for file in files:
        document = read(file)
        problems += check_rules(file, document, seen)
        if not problems:
            rules += [_rule(entry) for entry in document.data["rules"]]
    if problems:
        raise as_error(problems)
    return rules


def check_rules(file: Path, document: Document, seen: dict[str, str]) -> list[Problem]:
    """Return every mistake in one file; `seen` ({rule: where}) finds a name given twice and is added to."""
    top_schema = {key: value for key, value in _SCHEMA.items() if key != "$defs"}
    problems = problems_of(file, document, top_schema)
    if problems:
        return problems
    for index, entry in enumerate(document.data["rules"]):
        at = ("rules", index)
        kind = entry.get("kind")
        if kind not in KINDS:
            fix = nearest(str(kind), KINDS) if kind else f"add kind: one of {', '.join(KINDS)}"
            problems.append(
                Problem(
                    file, document.line_of((*at, "kind")), f"rules[{index}].kind", f"no kind {kind!r}", fix
                )
            )
            continue
        schema = {"$ref": f"#/$defs/{kind}", "$defs": _SCHEMA["$defs"]}
        found = problems_of(file, document, schema, at, entry)
        problems += found or list(_meaning_problems(file, document, index, entry, seen))
    return problems


def _meaning_problems(
    file: Path, document: Document, index: int, entry: dict[str, Any], seen: dict[str, str]
) -> Iterable[Problem]:
    """Yield what a schema cannot see: doubles, unknown codes, thresholds that contradict each other."""

    def problem(key: str, message: str, fix: str) -> Problem:
        line = document.line_of(("rules", index, key))
        return Problem(file, line, f"rules[{index}].{key}", message, fix)

    name = entry["rule"]
    if name in seen:
        yield problem("rule", f"{name} stands already at {seen[name]}", "give each rule a name of its own")
    seen.setdefault(name, f"{file.name}:{document.line_of(('rules', index, 'rule'))}")
    if "measure" in entry and entry["measure"] not in codes("measure"):
        yield problem(
            "measure",
            f"there is no measure {entry['measure']!r}",
            nearest(entry["measure"], codes("measure")),
        )
    for service in entry.get("service_or_resource", []):
        if service not in codes("service_or_resource"):
            yield problem(
                "service_or_resource",
                f"there is no {service!r}",
                nearest(service, codes("service_or_resource")),
            )
    if entry["kind"] in ("observed", "forecast") and ("above" in entry) == ("below" in entry):
        yield problem("above", "a rule has one threshold", "give either above or below")
    if "resolve_at" in entry:
        if "above" in entry and entry["resolve_at"] > entry["above"]:
            yield problem(
                "resolve_at", "it would resolve while it still fires", "give a value not over above"
            )
        if "below" in entry and entry["resolve_at"] < entry["below"]:
            yield problem(
                "resolve_at", "it would resolve while it still fires", "give a value not under below"
            )


def _rule(entry: dict[str, Any]) -> Rule:
    given = dict(entry)
    for key in ("feeds", "channels", "service_or_resource", "place_levels"):
        if key in given:
            given[key] = tuple(given[key])
    if "newest_within" in given:
        given["newest_within"] = duration(given["newest_within"])
    if "dimensions" in given:
        given["dimensions"] = {name: str(value) for name, value in given["dimensions"].items()}
    return Rule(**given)


def duration(text: str) -> timedelta:
    """Return the timedelta of an ISO 8601 duration of days, hours and minutes."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise CareGridError(f"{text!r} is no duration", fix="write PT6H or P2D")
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)
