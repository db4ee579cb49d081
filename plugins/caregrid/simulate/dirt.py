"""What goes wrong with real feeds, put in on purpose and listed: every fault has a known place and kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from caregrid.simulate.hourly import Record
from caregrid.simulate.randomness import stream


@dataclass(frozen=True)
class Fault:
    """One planted fault. count: records or files touched; expected: what a correct platform does with it."""

    file: str
    kind: str
    count: int
    expected: str


def duplicate(seed: int, file: str, rows: list[Record], count: int = 6) -> tuple[list[Record], Fault]:
    """Repeat some records word for word at the end of the file."""
    picked = sorted(
        stream(seed, f"duplicate {file}").choice(len(rows), size=min(count, len(rows)), replace=False)
    )
    return rows + [dict(rows[int(index)]) for index in picked], Fault(
        file, "duplicate", len(picked), "counted as duplicates"
    )


def contradict(
    seed: int, file: str, rows: list[Record], column: str, count: int = 2
) -> tuple[list[Record], Fault]:
    """Send some records again with another value under the same key."""
    picked = sorted(
        stream(seed, f"conflict {file}").choice(len(rows), size=min(count, len(rows)), replace=False)
    )
    again = [{**rows[int(index)], column: rows[int(index)][column] + 7} for index in picked]
    return rows + again, Fault(
        file, "conflict", len(picked), "both rows of each key rejected for that value, with both lines"
    )


def make_negative(
    seed: int, file: str, rows: list[Record], path: tuple[str, str], count: int = 2
) -> tuple[list[Record], Fault]:
    """Turn a nested number negative in some records."""
    rng = stream(seed, f"negative {file}")
    picked = {int(index) for index in rng.choice(len(rows), size=min(count, len(rows)), replace=False)}
    changed = [
        {**row, path[0]: {**row[path[0]], path[1]: -4}} if index in picked else row
        for index, row in enumerate(rows)
    ]
    return changed, Fault(
        file, "negative", len(picked), "the value is rejected, the other values of the record load"
    )


def spell_out(seed: int, file: str, rows: list[Record], column: str) -> tuple[list[Record], Fault]:
    """Write one number in words."""
    index = int(stream(seed, f"words {file}").integers(len(rows)))
    changed: list[Record] = [dict(row) for row in rows]
    changed[index][column] = "twelve"
    return changed, Fault(
        file, "not_a_number", 1, "the value is rejected, the other values of the record load"
    )


def rename(file: str, rows: list[Record], old: str, new: str) -> tuple[list[Record], Fault]:
    """Give a column another name, as publishers do between versions."""
    changed = [{(new if key == old else key): value for key, value in row.items()} for row in rows]
    return changed, Fault(file, "renamed_column", len(rows), f"loads: the feed lists {new} beside {old}")


def truncate(file: str, content: bytes) -> tuple[bytes, Fault]:
    """Cut a file at three fifths, as a broken transfer does."""
    return content[: len(content) * 3 // 5], Fault(
        file, "truncated", 1, "one rejected file, nothing loaded from it"
    )


def hold_back(rows: list[Record], day: str, hospital: str, late_by: Any) -> tuple[list[Record], list[Record]]:
    """Take one hospital's day out of the rows; return the rest, and the late ones with a later sent_at."""
    late = [row for row in rows if row["hospital_id"] == hospital and row["hour"].startswith(day)]
    rest = [row for row in rows if not (row["hospital_id"] == hospital and row["hour"].startswith(day))]
    return rest, [{**row, "sent_at": late_by} for row in late]
