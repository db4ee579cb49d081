"""Which columns of a contract say what a row is about (key), and which what was found (values)."""

from __future__ import annotations

from dataclasses import dataclass

from caregrid.contracts import contracts
from caregrid.mapping.types import PLACE_COLUMNS, ROW_COLUMNS, SERIES_COLUMNS

# The place as the registry knows it. Its name, country and time zone describe it and are no part of its key.
PLACE_KEY = ["id_system", "place_level", "code"]
# One number of a file's own list of places or series stands for all these columns while the file is mapped.
LOCAL = "local_id"
ORIGIN = ["line", "value_name"]


@dataclass(frozen=True)
class Layout:
    """How the rows of one contract are kept, compared and written.

    registry: "series" or "place": which number the rows bear in the database.
    key: columns that make two rows of one file the same row (LOCAL stands for place or series).
    values: the other columns that are compared; two rows that agree in them too are duplicates.
    table: columns of canonical.<contract> that come from the row, in the order they are copied.
    """

    contract: str
    registry: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    table: tuple[str, ...]


def _layout(contract: str) -> Layout:
    registry = "series" if "statistic" in ROW_COLUMNS[contract] else "place"
    replaced = {*PLACE_COLUMNS, *ORIGIN, *(SERIES_COLUMNS if registry == "series" else [])}
    # A facility's country describes it, besides telling its place apart.
    replaced -= {"country_code"} & set(contracts()[contract].fields)
    kept = [name for name in ROW_COLUMNS[contract] if name not in replaced]
    key = [LOCAL if name in ("place", "series") else name for name in contracts()[contract].key]
    return Layout(
        contract=contract,
        registry=registry,
        key=tuple(key),
        values=tuple(name for name in kept if name not in key),
        table=tuple(name for name in kept if name != "identifiers"),
    )


LAYOUTS = {contract: _layout(contract) for contract in ROW_COLUMNS}
