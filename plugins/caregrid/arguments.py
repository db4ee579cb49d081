"""What several commands read from what was typed."""

from __future__ import annotations

import argparse


def whole_number(text: str) -> int:
    """Return a count as typed. Raises what argparse shows: it is below 0, or no whole number."""
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; write a whole number, 0 or more")
    return int(text)


def count(text: str) -> int:
    """Return a count of at least one as typed."""
    number = whole_number(text)
    if not number:
        raise argparse.ArgumentTypeError("0 shows nothing; write 1 or more")
    return number
