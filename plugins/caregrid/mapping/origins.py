"""Which columns of which feeds fill a canonical column, as the feeds' YAML says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from caregrid.feeds.model import Feed, Output
from caregrid.mapping.columns import Need, needs_of_output

# canonical table → the contract whose rows it holds, where they differ
_HOLDS = {"latest": "usage", "series": "usage"}
# canonical column → the key of an output that it is filled from, where they differ
_KEYS = {
    "place_id": "place",
    "period_start": "period",
    "period_end": "period",
    "value_status": "values",
    "value": "values",
}

# What an entry of `values` says of its value besides the value.
_ABOUT = {"measure", "statistic", "service_or_resource", "dimensions", "period", "total_over"}


@dataclass(frozen=True)
class Origin:
    """The columns of a feed's sources that fill a canonical column through one output."""

    feed: str
    sources: tuple[str, ...]
    output: str
    columns: tuple[str, ...]


def origins(feeds: Iterable[Feed], table: str, column: str) -> list[Origin]:
    """Return where a column of a table in `canonical` comes from, by feed and output.

    An output that fills it with a constant, or not at all, is left out.
    """
    contract = _HOLDS.get(table, table)
    found = []
    for feed in feeds:
        for output in feed.outputs:
            if output.contract != contract:
                continue
            names = dict.fromkeys(
                need.names[0] for need in needs_of_output(output) if _fills(need, output, column)
            )
            if names:
                found.append(Origin(feed.name, output.sources, output.name, tuple(names)))
    return found


def _fills(need: Need, output: Output, column: str) -> bool:
    path = need.used_by.removeprefix(f"{output.name}.").replace("[", ".[").split(".")
    if "fields" in output.spec and path[:2] == ["fields", column]:
        return True
    key = _KEYS.get(column, column)
    # A key of one value, such as its measure, stands within the values.
    inside = path[0] == "values" and column in path
    is_value = key == path[0] == "values" and not _ABOUT & set(path)
    return inside or is_value or (key != "values" and path[0] == key)
