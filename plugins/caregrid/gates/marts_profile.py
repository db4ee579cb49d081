"""Profiles of the tables about to be published, computed by the database beside the ones served now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    import pandas as pd

# schema that is built → schema that readers see
SCHEMAS = {"build_core": "core", "build_marts": "marts"}

# What the newest run says, and nothing older: it may be much less than before, where series were withdrawn,
# and to refuse that would keep up what they were withdrawn for.
NEWEST_ONLY = {"marts.operations_area_outlook"}

PROFILES = Path(__file__).parent / "profiles"


def profile_tables(connection: psycopg.Connection[Any]) -> pd.DataFrame:
    """Return one row per table of build_core and build_marts.

    Columns: table_name (served schema and name), rows, served_rows, emptied (0 or 1), rows_to_served (NaN
    where nothing is served yet, or the two cannot be compared), lost_columns.
    """
    import pandas as pd

    records = []
    for built, served in SCHEMAS.items():
        tables = connection.execute(
            (PROFILES / "marts_tables.sql").read_bytes(), {"built": built, "served": served}
        ).fetchall()
        for name, built_schema, _, is_served, lost_columns in tables:
            rows = _count(connection, built_schema, name)
            served_rows = _count(connection, served, name) if is_served else 0
            compared = served_rows if f"{served}.{name}" not in NEWEST_ONLY else 0
            records.append(
                {
                    "table_name": f"{served}.{name}",
                    "rows": float(rows),
                    "served_rows": float(served_rows),
                    "emptied": float(compared > 0 and rows == 0),
                    "rows_to_served": rows / compared if compared else float("nan"),
                    "lost_columns": float(lost_columns),
                }
            )
    columns = ["table_name", "rows", "served_rows", "emptied", "rows_to_served", "lost_columns"]
    return pd.DataFrame(records, columns=columns)


def profile_mart(connection: psycopg.Connection[Any], mart: str) -> pd.DataFrame:
    """Return one row: `mart`, its name, and the aggregates of profiles/mart_<name>.sql as floats."""
    import pandas as pd

    with connection.cursor() as cursor:
        cursor.execute((PROFILES / f"mart_{mart}.sql").read_bytes())
        names = [column.name for column in cursor.description or []]
        frame = pd.DataFrame(cursor.fetchall(), columns=names)
    return frame.astype({name: "object" if name == "mart" else "float64" for name in names})


def _count(connection: psycopg.Connection[Any], schema: str, table: str) -> int:
    query = sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))
    (rows,) = connection.execute(query).fetchone() or (0,)
    return int(rows)
