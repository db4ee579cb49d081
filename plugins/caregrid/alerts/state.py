"""The log of alert events: what each rule last said of each subject, and new events appended to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from caregrid.alerts.condition import State

# Any constant will do, as long as every evaluation asks for the same one.
_LOCK = 5_118_206_977
_NEWEST = """
select distinct on (rule, subject) rule, subject, state, recorded_at, details
from action.alert_event order by rule, subject, alert_event_id desc
"""
_APPEND = """
insert into action.alert_event (rule, subject, state, severity, as_of, details)
values (%s, %s, %s, %s, %s, %s)
"""


@dataclass(frozen=True)
class Event:
    """One change of state of one rule for one subject, not yet written."""

    rule: str
    subject: str
    state: str
    severity: str
    as_of: datetime
    details: dict[str, Any]


def one_at_a_time(connection: psycopg.Connection[Any]) -> None:
    """Wait until no other evaluation runs; the lock goes with the connection."""
    connection.execute("select pg_advisory_lock(%s)", [_LOCK])
    connection.commit()


def newest_states(connection: psycopg.Connection[Any]) -> dict[str, dict[str, State]]:
    """Return the newest state by rule and subject."""
    states: dict[str, dict[str, State]] = {}
    for rule, subject, state, recorded_at, details in connection.execute(_NEWEST):
        states.setdefault(rule, {})[subject] = State(state, recorded_at, details)
    return states


def append(connection: psycopg.Connection[Any], events: Iterable[Event]) -> None:
    """Append the events, in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.executemany(
            _APPEND,
            [
                (event.rule, event.subject, event.state, event.severity, event.as_of, Jsonb(event.details))
                for event in events
            ],
        )
