"""Checks of when a file was published and when a row was known."""

from __future__ import annotations

from caregrid.feeds.checker import Checker
from caregrid.feeds.document import Path as DocumentPath
from caregrid.feeds.times import parse_duration


def check_moment(checker: Checker, path: DocumentPath, origins: tuple[str, ...]) -> None:
    """Check published_at or known_at: one origin, a format where one is needed, a duration that is one."""
    moment = checker.at(path)
    origin = checker.one_of(path, moment, origins, path[-1] if isinstance(path[-1], str) else "it")
    if "format" in moment:
        checker.formats((*path, "format"))
    typed = origin == "column" and checker.has_typed_source()
    if origin in ("column", "file_name") and "format" not in moment and not typed:
        checker.report(path, "the format of the time is missing", 'add format: "%Y-%m-%d" or the like')
    if origin == "file_name":
        checker.regex((*path, "file_name"), groups=1)
    if origin == "value" and "assumed" not in moment and path[-1] == "published_at":
        checker.report(
            path, "a fixed time of publication must say whether it is assumed", "add assumed: true"
        )
    for key in ("period_end_plus", "plus"):
        checker.duration((*path, key))
    if origin == "period_end_plus":
        try:
            if parse_duration(moment["period_end_plus"]).total_seconds() <= 0:
                checker.report(
                    (*path, "period_end_plus"),
                    "a value would be known no later than its period's end",
                    "give the publication lag, for example P4D",
                )
        except ValueError:
            pass
