"""The answer to a SQL query, as CSV that the database itself writes: one moment, reading only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from caregrid import clock
from caregrid.errors import CareGridError
from caregrid.landing.connections import Connection, connection
from caregrid.landing.transports.common import DATE, Address, Answer, FetchFailedError, Known, Place, filled

_TYPES = ("postgres", "postgresql")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PASSED_ON = ("sslmode", "sslrootcert", "sslcert", "sslkey", "options", "application_name")
# The same rows are the same bytes, whatever the login's own settings are.
_SETTINGS = "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'iso_8601'; " \
    "set bytea_output = 'hex'; set extra_float_digits = 1; set client_encoding = 'UTF8'"  # fmt: skip


def list_addresses(place: Place) -> list[Address]:
    """Return the one answer, named after the source; that of a dated query bears its day."""
    source = place.source
    day = f"_{place.day}" if DATE.search(source.query or "") else ""
    return [Address(f"sql://{source.connection}/{source.name}{day}.csv")]


@contextmanager
def open_one(place: Place, address: Address, known: Known) -> Iterator[Answer]:
    """Run the query; whether its answer is new is for the digest to say.

    Raises:
        CareGridError: the connection is not there, or is of a database that is not spoken to.
        FetchFailedError: the database cannot be reached, refuses the login or the query, or breaks off.
    """
    query = filled(place.source.query or "", place.day).strip().rstrip(";")
    given = connection(place.source.connection or "", place.where)
    with closing(_connected(given, place.where)) as session:
        yield Answer(None, clock.now(), _pieces(session, query))


def _pieces(session: psycopg.Connection[Any], query: str) -> Iterator[bytes]:
    try:
        with (
            session.cursor() as cursor,
            # The line break ends a comment that the query may end in.
            cursor.copy(f"copy ({query}\n) to stdout with (format csv, header)".encode()) as copy,
        ):
            for piece in copy:
                yield bytes(piece)
    except psycopg.Error as error:
        raise FetchFailedError("failed", f"the query failed: {_said(error)}") from None


def _connected(given: Connection, where: str) -> psycopg.Connection[Any]:
    if given.type not in _TYPES:
        raise CareGridError(
            f"the connection {given.name!r} is of type {given.type!r}; queries go to PostgreSQL",
            where=where,
            fix="give it the type postgres, or let the database export a file",
        )
    try:
        session: psycopg.Connection[Any] = psycopg.connect(**parameters(given))
        session.execute(_SETTINGS.encode())
        session.commit()
        session.read_only = True
    except psycopg.Error as error:
        raise FetchFailedError("failed", f"cannot reach the database: {_said(error)}") from None
    return session


def parameters(given: Connection) -> dict[str, Any]:
    """Return what libpq is given: another machine must prove its name, unless sslmode says else."""
    wanted = {
        "host": given.host or None,
        "port": given.port,
        "user": given.login or None,
        "password": given.password or None,
        "dbname": given.schema or None,
        "connect_timeout": 15,
        **{key: given.extra[key] for key in _PASSED_ON if key in given.extra},
    }
    if given.host not in _LOOPBACK and "sslmode" not in given.extra:
        wanted["sslmode"] = "verify-full"
        wanted.setdefault("sslrootcert", "system")
    return {key: value for key, value in wanted.items() if value is not None}


def _said(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error) or type(error).__name__).strip()
