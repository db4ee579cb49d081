"""Checks of sources whose records are events: what is counted of them must be something that adds up."""

from __future__ import annotations

from caregrid.feeds.check_measures import value_name
from caregrid.feeds.checker import Checker
from caregrid.feeds.document import Path

# What a sum over several files would have no meaning for.
_OF_ONE_FILE = ("reporting_units", "is_provisional", "observed_at")


def check_events(checker: Checker) -> None:
    """Check every source with `events`, and the outputs that count its records."""
    sources = checker.document.data["sources"]
    counted = {name for name, source in sources.items() if source.get("events")}
    used = set()
    for index, output in enumerate(checker.document.data["outputs"]):
        listed = {output["source"]} if isinstance(output["source"], str) else set(output["source"])
        if output["contract"] != "usage" or not counted & listed:
            continue
        used |= listed
        path: Path = ("outputs", index)
        if listed - counted:
            checker.report(
                (*path, "source"),
                f"the records of {', '.join(sorted(counted & listed))} are events, "
                f"those of {', '.join(sorted(listed - counted))} are not",
                "write an output for each",
            )
        if output.get("on_conflict") != "sum":
            checker.report(
                (*path, "on_conflict") if "on_conflict" in output else path,
                "its records are events, which are added up",
                "write on_conflict: sum",
            )
        _check_values(checker, path)
    for name in sorted(counted - used):
        checker.report(
            ("sources", name, "events"),
            "no output under usage counts these events",
            "add one, or drop events",
        )


def _check_values(checker: Checker, path: Path) -> None:
    output = checker.at(path)
    for key in _OF_ONE_FILE:
        if key in output or key in output.get("fields", {}):
            checker.report(
                (*path, key) if key in output else (*path, "fields", key),
                f"{key} says nothing about a count of events",
                "drop it",
            )
    for index, value in enumerate(output.get("values", [])):
        here = (*path, "values", index)
        constant = value.get("constant")
        if isinstance(constant, bool) or not isinstance(constant, int | float) or constant <= 0:
            checker.report(
                here,
                f"{value_name(value, index)!r} is no event: an event counts as a number that the feed says",
                "write constant: 1; where each record is a figure of its own, drop events",
            )
        for key in _OF_ONE_FILE:
            if key in value:
                checker.report((*here, key), f"{key} says nothing about a count of events", "drop it")
