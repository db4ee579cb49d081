"""Words that several rooms tell their numbers with."""

from __future__ import annotations


def many(count: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
