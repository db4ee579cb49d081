"""Writes databases to files and reads them back, with PostgreSQL's own pg_dump and pg_restore.

Everything here is done as `admin`, the superuser: the warehouse's tables belong to several roles.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import psycopg.conninfo
from psycopg import sql

from caregrid.database import connect, server
from caregrid.errors import CareGridError

# What a backup holds; the role whose DSN names the database, which owns it.
ROLES = {"warehouse": "owner", "mlflow": "mlflow", "airflow": "airflow"}


@dataclass(frozen=True)
class Snapshot:
    """One database as it was at a moment, for as long as the connection is open."""

    database: str
    connection: psycopg.Connection[Any]
    snapshot_id: str
    taken_at: str


def database_of(name: str) -> str:
    """Return what the database of `warehouse`, `mlflow` or `airflow` is called on the server."""
    return connect.parameters(ROLES[name])["dbname"]


def administer(database: str) -> psycopg.Connection[Any]:
    """Connect to a database as the superuser, every statement by itself.

    Raises:
        CareGridError: no superuser is known (CAREGRID_DSN_ADMIN), or the server does not answer.
    """
    try:
        return psycopg.connect(
            connect.dsn("admin"), dbname=database, autocommit=True, application_name="caregrid backup"
        )
    except psycopg.OperationalError as error:
        raise CareGridError(
            f"cannot connect as the superuser: {str(error).strip().splitlines()[-1]}",
            where=database,
            fix="start the database with `caregrid database start`, or name another superuser in "
            "CAREGRID_DSN_ADMIN",
        ) from error


@contextmanager
def snapshots(names: Sequence[str]) -> Iterator[dict[str, Snapshot]]:
    """Hold the named databases as they are now, each in a snapshot that pg_dump can use.

    They are taken in the given order, at once: what is named first may refer to what is named later.
    """
    connections = {name: administer(database_of(name)) for name in names}
    try:
        for connection in connections.values():
            connection.execute("begin isolation level repeatable read read only")
        held = {}
        for name, connection in connections.items():
            row = connection.execute("select pg_export_snapshot(), clock_timestamp()::text").fetchone()
            assert row is not None
            held[name] = Snapshot(database_of(name), connection, *row)
        yield held
    finally:
        for connection in connections.values():
            connection.close()


def dump(snapshot: Snapshot, file: Path) -> None:
    """Write the database of a snapshot to a file that `read_back` reads.

    Raises:
        CareGridError: pg_dump is not there or failed.
    """
    options = ["--format=custom", f"--snapshot={snapshot.snapshot_id}", f"--file={file}"]
    _run("pg_dump", [*options, snapshot.database])


def read_back(file: Path, database: str) -> None:
    """Fill an empty database from a file; one transaction, so that it is filled whole or stays empty.

    Raises:
        CareGridError: pg_restore is not there or failed.
    """
    _run("pg_restore", ["--single-transaction", "--exit-on-error", f"--dbname={database}", str(file)])


def grants(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Return who may do what with the connected database: (login, privilege), without its owner."""
    rows = connection.execute(
        "select rolname, privilege_type from pg_database, aclexplode(datacl) as acl "
        "join pg_roles on pg_roles.oid = acl.grantee "
        "where datname = current_database() and acl.grantee <> datdba"
    ).fetchall()
    return [(str(login), str(privilege)) for login, privilege in rows]


def create(
    admin: psycopg.Connection[Any], database: str, owner: str, granted: Sequence[Sequence[str]]
) -> None:
    """Make an empty database, in place of one of this name, closed to all but those it was granted to."""
    name = sql.Identifier(database)
    admin.execute(sql.SQL("drop database if exists {} with (force)").format(name))
    admin.execute(
        sql.SQL("create database {} template template0 owner {}").format(name, sql.Identifier(owner))
    )
    admin.execute(sql.SQL("revoke connect, temporary on database {} from public").format(name))
    for login, privilege in granted:
        if privilege not in ("CONNECT", "TEMPORARY", "CREATE"):
            raise CareGridError(
                f"no privilege of databases is called {privilege!r}",
                where="manifest.json",
                fix="use another copy of this backup: this one was changed by hand",
            )
        admin.execute(
            sql.SQL("grant " + privilege + " on database {} to {}").format(name, sql.Identifier(login))
        )


def put_in_place(admin: psycopg.Connection[Any], database: str, restored: str) -> None:
    """Drop a database and give its name to the one that was restored beside it."""
    admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))
    admin.execute(
        sql.SQL("alter database {} rename to {}").format(sql.Identifier(restored), sql.Identifier(database))
    )


def _run(program: str, arguments: list[str]) -> None:
    path = server.program(program)
    if path is None:
        raise CareGridError(
            f"{program} is not installed beside the server",
            fix="install PostgreSQL's client programs of the server's version, and name their directory in "
            "CAREGRID_POSTGRES_BIN",
        )
    # The password goes by the environment: a command line is seen by every user of the machine.
    given = psycopg.conninfo.conninfo_to_dict(connect.dsn("admin"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    for key, name in (("host", "PGHOST"), ("port", "PGPORT"), ("user", "PGUSER"), ("password", "PGPASSWORD"),
                      ("sslmode", "PGSSLMODE"), ("sslrootcert", "PGSSLROOTCERT")):  # fmt: skip
        if given.get(key):
            environment[name] = str(given[key])
    done = subprocess.run(
        [str(path), "--no-password", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CareGridError(
            f"{program} failed: {done.stderr.strip()[-2000:]}",
            where=arguments[-1],
            fix="nothing was changed: see that the server runs, that its disk has room, and that the "
            "programs are of its version (CAREGRID_POSTGRES_BIN), then run the command again",
        )
