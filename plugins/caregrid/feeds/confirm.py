"""What a drafted feed still asks a person: comments that begin with CONFIRM, and values nobody has named."""

from __future__ import annotations

import re

from caregrid.feeds.checker import Checker

CONFIRM = "CONFIRM"
NO_COUNTRY = "XX"  # ISO 3166-1 leaves it to its users: no country has it
NO_OWNER = "unknown"
_ASKS = re.compile(rf"(?:^|\s)#\s*{CONFIRM}\b")


def confirm_lines(text: str) -> list[int]:
    """Return the lines of a feed's YAML, from 1, that ask a person to confirm what was guessed."""
    return [number for number, line in enumerate(text.splitlines(), 1) if _ASKS.search(line)]


def check_confirmed(checker: Checker, text: str) -> None:
    """Report what only a draft may leave open; a draft is a feed in which a line still says CONFIRM."""
    if confirm_lines(text):
        return
    if checker.at(("country",)) == NO_COUNTRY:
        checker.report(
            ("country",),
            f"{NO_COUNTRY} is no country: the draft did not know it",
            "write the code of the country the data is of, for example DE",
        )
    if checker.at(("owner", "id")) == NO_OWNER:
        checker.report(
            ("owner", "id"),
            "nobody is named who publishes it: the draft did not know",
            "write a short name of the publisher, for example north_region",
        )
