"""The ledger of builds: opened before dbt runs, its nodes written after, closed with how it ended."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.warehouse.dbt import Outcome

# A load is built once the last published build that lists it saw its present status.
_PENDING = """
with built as (
    select distinct on (listed.load_id) listed.load_id, listed.load_status
    from ledger.build_load as listed
    join ledger.build as build using (build_id)
    where build.status = 'published' and build.kind = 'warehouse'
    order by listed.load_id, build.build_id desc
)
select load.load_id
from raw.load as load
left join built using (load_id)
where built.load_status is distinct from load.status and load.status <> 'staged'
order by load.load_id
"""


def pending_loads() -> list[int]:
    """Return the loads that the last published build did not see in their present status; staged ones
    are not due.
    """
    with connect("dbt") as connection:
        return [load_id for (load_id,) in connection.execute(_PENDING)]


def built_models() -> str | None:
    """Return the sha256 of the models that made what is served; None where nothing is."""
    with connect("dbt") as connection:
        row = connection.execute(
            "select models_sha256 from ledger.build where status = 'published' and kind = 'warehouse' "
            "order by build_id desc limit 1"
        ).fetchone()
    return row[0] if row else None


def open_build(connection: psycopg.Connection[Any], kind: str, full_refresh: bool, models: str) -> int:
    """Insert a running build and return its number; builds that never ended are closed as interrupted."""
    connection.execute(
        "update ledger.build set status = 'failed', finished_at = clock_timestamp(), reason = 'interrupted' "
        "where status = 'running'"
    )
    row = connection.execute(
        "insert into ledger.build (kind, status, full_refresh, models_sha256) values (%s, 'running', %s, %s) "
        "returning build_id",
        [kind, full_refresh, models],
    ).fetchone()
    assert row is not None
    return int(row[0])


def end_leftovers(connection: psycopg.Connection[Any], application: str, seconds: float = 60.0) -> int:
    """End the database sessions of builds whose process is gone, and wait until they are; return how many.

    A statement that was running when its client was killed runs on, holding its locks, and may still commit.

    Args:
        application: the name that the sessions bear; the caller holds the lock of builds, so none is alive.

    Raises:
        CareGridError: a session does not end.
    """
    query = (
        "select pid, pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and usename = current_user and application_name = %s"
    )
    ended: set[int] = set()
    deadline = time.monotonic() + seconds
    while left := [pid for pid, _ in connection.execute(query, [application])]:
        ended.update(left)
        if time.monotonic() > deadline:
            raise CareGridError(
                f"sessions of an interrupted build do not end: {left}",
                where="pg_stat_activity",
                fix="see what they wait for; then `select pg_terminate_backend(PID)`",
            )
        time.sleep(0.05)
    return len(ended)


def write_nodes(connection: psycopg.Connection[Any], build_id: int, outcome: Outcome) -> None:
    """Insert one row per node that dbt ran, and the counts of the build."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ledger.node_result "
            "(build_id, unique_id, resource_type, status, execution_seconds, failures, message) "
            "values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            [
                [
                    build_id,
                    node.unique_id,
                    node.resource_type,
                    node.status,
                    node.seconds,
                    node.failures,
                    node.message,
                ]
                for node in outcome.nodes
            ],
        )
    connection.execute(
        "update ledger.build set models_built = %s, tests_passed = %s, tests_warned = %s, tests_failed = %s "
        "where build_id = %s",
        [
            outcome.count("model", "success"),
            outcome.count("test", "pass"),
            outcome.count("test", "warn"),
            outcome.count("test", "fail", "error"),
            build_id,
        ],
    )


def close_build(connection: psycopg.Connection[Any], build_id: int, status: str, reason: str | None) -> None:
    """Write how a build ended."""
    connection.execute(
        "update ledger.build set status = %s, reason = %s, finished_at = clock_timestamp() where "
        "build_id = %s",
        [status, reason, build_id],
    )


def list_loads(connection: psycopg.Connection[Any], build_id: int) -> int:
    """List the loads as the build saw them, in the transaction that publishes it; return how many were
    new to it.
    """
    return connection.execute(
        "insert into ledger.build_load (build_id, load_id, load_status) "
        "select %s, load_id, status from build_staging.stg_load where is_new",
        [build_id],
    ).rowcount
