"""Tells whether the seeds in the database are those of the project, so that a build leaves them as they are.

dbt reads and writes seeds in Python: the public holidays took longer than any model of a day's increment.
"""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg
from psycopg import sql

from caregrid.warehouse.dbt import PROJECT

SCHEMA = "build_seeds"
_MARK = "seeds of sha256 "


def seeds_sha256() -> str:
    """Return the sha256 over all seeds and what is declared of them."""
    digest = hashlib.sha256()
    declared = PROJECT / "dbt_project.yml"
    for file in sorted([*PROJECT.glob("seeds/**/*.csv"), *PROJECT.glob("seeds/**/*.yml"), declared]):
        digest.update(file.relative_to(PROJECT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def are_in_place(connection: psycopg.Connection[Any]) -> bool:
    """Say whether the seeds were written whole, by the project as it is."""
    row = connection.execute(
        "select obj_description(to_regnamespace(%s), 'pg_namespace')", [SCHEMA]
    ).fetchone()
    return row is not None and row[0] == _MARK + seeds_sha256()


def note(connection: psycopg.Connection[Any], in_place: bool) -> None:
    """Write down that the seeds are in place, or that they may be half written from now on."""
    row = connection.execute("select to_regnamespace(%s) is not null", [SCHEMA]).fetchone()
    if row and row[0]:
        mark = sql.Literal(_MARK + seeds_sha256() if in_place else None)
        connection.execute(sql.SQL("comment on schema {} is {}").format(sql.Identifier(SCHEMA), mark))
