"""Which row of a table is its heading, whether a second one belongs to it, and names that stand twice."""

from __future__ import annotations

import re
from collections import Counter

NUMBER = re.compile(r"[-+(]?[$€£%]?\s?\d[\d.,' \u00a0]*%?\)?")


def full(row: list[str]) -> bool:
    """Say whether most cells of a row hold something, as those of a heading do."""
    return sum(bool(cell.strip()) for cell in row) * 5 >= len(row) * 3


def is_second(upper: list[str], second: list[str], below: list[list[str]]) -> bool:
    """Say whether a row without numbers stands over columns that have numbers from the third row on."""
    if len(second) != len(upper) or any(re.search(r"\d", cell) for cell in second) or not full(second):
        return False
    numeric = [
        all(NUMBER.fullmatch(row[at].strip()) for row in below if len(row) > at and row[at].strip())
        and any(len(row) > at and row[at].strip() for row in below)
        for at in range(len(second))
    ]
    known = sum(map(str.isalpha, (cell.strip()[:1] for cell in second)))
    return sum(numeric) * 2 >= len(second) and known * 2 >= len(second) and len(set(second)) > 1


def is_of_figures(row: list[str]) -> bool:
    """Say whether a row that should be a heading is a record: a third of its cells are numbers."""
    return sum(bool(NUMBER.fullmatch(cell.strip())) for cell in row) * 3 >= len(row)


def unique(names: list[str]) -> list[str]:
    """Return names with those that stand a second time numbered."""
    seen: Counter[str] = Counter()
    made = []
    for name in names:
        seen[name] += 1
        made.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return made
