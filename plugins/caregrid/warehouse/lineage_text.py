"""The way of a column, for a person to read: table by table upwards, then the columns of the feeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from caregrid.feeds import Feed
from caregrid.lineage.columns import Column, Made, Step
from caregrid.mapping.origins import origins
from caregrid.warehouse.lineage import Lineage

_DONE = {Step.IDENTITY: "", Step.TRANSFORMATION: "computed from ", Step.AGGREGATION: "aggregated from "}


def lineage_text(
    lineage: Lineage, table: str, column: str, feeds: Iterable[Feed], shown: int | None = None
) -> str:
    """Return the lines that tell where a column comes from.

    Args:
        lineage: of the warehouse.
        table: schema.table, as readers see it.
        column: of that table.
        feeds: whose own columns are named where the way ends.
        shown: how many columns of an output are named; all by default.

    Raises:
        CareGridError: no such column.
    """
    told = list(lineage.trace(table, column))
    followed = {found for _, found, made in told if made is not None}
    lines = []
    above: list[Made | None] = []
    for position, (depth, found, made) in enumerate(told):
        indent = "".join("│  " if _goes_on(told, position, level) else "   " for level in range(1, depth))
        branch = "" if depth == 0 else "├─ " if _goes_on(told, position, depth) else "└─ "
        parent = above[depth - 1] if depth else None
        how = _DONE[parent.of[found]] if parent else ""
        above[depth:] = [made]
        again = " (as above)" if made is None and found in followed else ""
        lines.append(f"{indent}{branch}{how}{'.'.join(found)}{again}{_kind(lineage, found)}")
        if made is not None:
            under = indent + ("" if depth == 0 else "│  " if _goes_on(told, position, depth) else "   ")
            bar = "│  " if made.of else "   "
            lines += [f"{under}{bar}{text}" for text in _remarks(lineage, found, made)]
    read = list(feeds)
    for end in sorted(lineage.ends(table, column)):
        filled = filled_text(end, read, shown)
        if filled:
            lines += ["", f"{'.'.join(end)} is filled from", filled]
    return "\n".join(lines)


def filled_text(loaded: Column, feeds: Iterable[Feed], shown: int | None = None) -> str:
    """Return which columns of which feeds fill a column that was loaded, line by line; empty if none does."""
    if not loaded[0].startswith("canonical."):
        return ""
    lines = []
    for origin in origins(feeds, loaded[0].removeprefix("canonical."), loaded[1]):
        named = origin.columns[:shown]
        more = len(origin.columns) - len(named)
        lines.append(
            f"   {origin.feed}, {' and '.join(origin.sources)}, output {origin.output}: {', '.join(named)}"
            + (f" and {more} more" if more else "")
        )
    return "\n".join(lines)


def _goes_on(told: list[tuple[int, Column, Made | None]], position: int, level: int) -> bool:
    """Whether the line at `position` has a later sibling at a level above or of its own."""
    for depth, _, _ in told[position + 1 :]:
        if depth <= level:
            return depth == level
    return False


def _kind(lineage: Lineage, found: Column) -> str:
    if found[0] in lineage.seeds:
        return "  [a file of dbt/seeds]"
    return "" if found[0] in lineage.tables else "  [loaded]"


def _remarks(lineage: Lineage, found: Column, made: Made) -> Iterator[str]:
    if found[0] in lineage.unread:
        yield f"cannot be followed: {lineage.unread[found[0]]}"
        return
    if made.expression:
        yield f"= {' '.join(made.expression.split())}"
    if made.rows:
        yield f"counts the rows of {', '.join(made.rows)}"
    elif not made.of:
        yield "comes of no column: it stands in the SQL"
