"""A mistake in a feed's YAML: file, line, field, what is wrong and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake. `field` is the dotted path of the key at fault."""

    file: Path
    line: int
    field: str
    message: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: {self.field}: " if self.field else f"{self.file}:{self.line}: "
        return f"{place}{self.message}\n  fix: {self.fix}"


def dotted(path: Iterable[str | int]) -> str:
    """Return `outputs[0].place.level` for ("outputs", 0, "place", "level")."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _words(name: str) -> list[str]:
    return sorted(name.lower().replace("-", "_").split("_"))


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return advice that names the nearest allowed word, or all of them when none is near."""
    listed = sorted(choices)
    # The same words in another order mean the same, fewer words do not: icu_bed is bed_icu and not bed.
    same = [choice for choice in listed if _words(choice) == _words(word)]
    near = same or difflib.get_close_matches(word, listed, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    shown = ", ".join(listed[:40]) + (" …" if len(listed) > 40 else "")
    return f"use one of: {shown}"
