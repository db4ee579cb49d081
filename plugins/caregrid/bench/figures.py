"""What a benchmark found: a value beside its reference, as a line of the table and an entry of bench.json."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Goal:
    """What is wanted of the ratio; of the value itself where there is no reference."""

    word: str  # at least | under
    bound: float

    def is_met_by(self, number: float) -> bool:
        """Say whether a ratio (or value) is as wanted."""
        return number >= self.bound if self.word == "at least" else number < self.bound

    def __str__(self) -> str:
        return f"{self.word} {self.bound:g}"


@dataclass(frozen=True)
class Figure:
    """One measured thing.

    name: area, a dot, what was measured, and its size where it grows.
    reference: what it stands beside, measured in the same run and unit; None where nothing compares.
    load: load average of the machine over the minute that ended when it was measured.
    """

    name: str
    value: float
    unit: str
    reference: str | None = None
    reference_value: float | None = None
    goal: Goal | None = None
    load: float = 0.0

    @property
    def ratio(self) -> float | None:
        """Return value over reference."""
        return self.value / self.reference_value if self.reference_value else None

    @property
    def met(self) -> bool | None:
        """Return whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.goal.is_met_by(self.value if self.ratio is None else self.ratio)

    def entry(self) -> dict[str, Any]:
        """Return the figure as bench.json holds it."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "reference": self.reference,
            "reference_value": self.reference_value,
            "ratio": self.ratio,
            "goal": None if self.goal is None else str(self.goal),
            "met": self.met,
        }


def figure(
    name: str,
    value: float,
    unit: str,
    reference: str | None = None,
    reference_value: float | None = None,
    goal: Goal | None = None,
) -> Figure:
    """Return a figure measured just now."""
    return Figure(name, value, unit, reference, reference_value, goal, os.getloadavg()[0])


HEAD = f"{'':<50} {'value':>12} {'unit':<8} {'reference':>12} {'ratio':>7}  goal"


def line(found: Figure) -> str:
    """Return a figure as a line of the table under HEAD."""
    beside = "" if found.reference_value is None else f"{found.reference_value:,.2f}"
    ratio = "" if found.ratio is None else f"{found.ratio:.2f}"
    against = f"beside {found.reference}; " if found.reference else ""
    goal = "" if found.goal is None else f"{found.goal}: {'met' if found.met else 'MISSED'}"
    return (
        f"{found.name:<50} {found.value:>12,.2f} {found.unit:<8} {beside:>12} {ratio:>7}  {goal}"
        f"{'  ' if goal else ''}[{against}load {found.load:.1f}]"
    )


def write(file: Path, found: Sequence[Figure], areas: Sequence[str]) -> None:
    """Write the figures of the areas that were measured; those of other areas stay as they are."""
    entries: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    kept = [entry for entry in entries if entry["name"].split(".")[0] not in areas]
    file.parent.mkdir(parents=True, exist_ok=True)
    written = [*kept, *(one.entry() for one in found)]
    file.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")
