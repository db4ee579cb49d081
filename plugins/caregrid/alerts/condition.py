"""What a rule sees of one subject at one moment, and what is known of it from before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from psycopg.rows import dict_row

from caregrid.alerts.names import Words
from caregrid.paths import ROOT

# Templates as dbt's are: a rule that the warehouse has as a macro is not written a second time here.
_FOLDERS = (Path(__file__).parent / "queries", ROOT / "dbt" / "macros")


@dataclass(frozen=True)
class State:
    """The newest event of one rule for one subject."""

    state: str
    recorded_at: datetime
    details: dict[str, Any]

    @property
    def is_firing(self) -> bool:
        """Say whether it fires."""
        return self.state == "firing"


@dataclass(frozen=True)
class Condition:
    """One subject as a rule sees it now.

    Attributes:
        subject: what the rule fires for, as action.alert_event keeps it: series:7, feed:x, load:3, marts.
        value: the number compared, None where there is none.
        holds: whether the rule holds for it.
        may_start: whether it may begin to fire (a risk that is no news may only go on firing).
        as_of: the now that this was seen at.
        label: the place or the feed, by name.
        what: what is measured there, in both languages.
        details: whatever else the message shows.
    """

    subject: str
    value: float | None
    holds: bool
    as_of: datetime
    label: str
    what: Words
    may_start: bool = True
    details: dict[str, Any] = field(default_factory=dict)


def ask(connection: psycopg.Connection[Any], query: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of one file of queries/ as dicts."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_text(query), values).fetchall()


@lru_cache(maxsize=32)
def _text(query: str) -> bytes:
    # Nothing is put into the text but the files' own words: values go to the database apart from it.
    templates = Environment(loader=FileSystemLoader(_FOLDERS), undefined=StrictUndefined)  # noqa: S701
    return templates.get_template(f"{query}.sql").render().encode()
