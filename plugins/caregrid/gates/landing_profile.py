"""Profiles of staged loads: small frames of counts, shares and ranges, computed by the database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    import pandas as pd

# How many of a source's last accepted loads say what is usual; how many are needed to call one a fragment.
USUAL_LOADS = 10
USUAL_NEEDED = 3

PROFILES = Path(__file__).parent / "profiles"
TEXT_COLUMNS = {"feed", "source", "measure"}


def profile(connection: psycopg.Connection[Any], about: str, load_ids: Sequence[int]) -> pd.DataFrame:
    """Return the profile that the landing suite `about` looks at.

    Shape: one row per load (usage and quality: per load and measure); load_id is a whole number, texts are
    texts and every other column is a float, NaN where there is nothing to say.
    """
    import pandas as pd

    values = {"loads": list(load_ids), "usual_loads": USUAL_LOADS, "usual_needed": USUAL_NEEDED}
    with connection.cursor() as cursor:
        cursor.execute((PROFILES / f"landing_{about}.sql").read_bytes(), values)
        names = [column.name for column in cursor.description or []]
        frame = pd.DataFrame(cursor.fetchall(), columns=names)
    types = {
        name: "int64" if name == "load_id" else "object" if name in TEXT_COLUMNS else "float64"
        for name in names
    }
    return frame.astype(types)
