"""How everything connects to the databases: one DSN per role, from the environment or the secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import psycopg.conninfo

from caregrid import paths
from caregrid.errors import CareGridError

ROLES = ("owner", "loader", "dbt", "model", "action", "bi_reader")
SERVICE_ROLES = ("airflow", "mlflow")


def secrets_file() -> Path:
    """Return the path of the file that holds {role: dsn}; readable by its owner alone."""
    return paths.secrets("database.json")


def dsn(role: str) -> str:
    """Return `postgresql://user:password@host:port/database` for a role.

    CAREGRID_DSN_<ROLE> wins over the generated secrets, so any PostgreSQL serves. `admin`, the superuser, may
    also be known by the secret `postgres_password` alone, as on servers.

    Raises:
        CareGridError: the role is unknown, or no database has been set up.
    """
    if role not in (*ROLES, *SERVICE_ROLES, "admin"):
        raise CareGridError(f"there is no database role {role!r}", fix=f"use one of {', '.join(ROLES)}")
    named = os.environ.get(f"CAREGRID_DSN_{role.upper()}")
    if named:
        return named
    try:
        return str(json.loads(secrets_file().read_text())[role])
    except (FileNotFoundError, KeyError):
        if role == "admin" and (superuser := _superuser()):
            return superuser
        raise CareGridError(
            f"no database is set up for the role {role!r}",
            where=str(secrets_file()),
            fix=f"start it with `caregrid database start`, or set CAREGRID_DSN_{role.upper()}",
        ) from None


def _superuser() -> str:
    """Return the superuser's DSN on the owner's server, '' where the secret of its password is not given."""
    try:
        password = paths.secrets("postgres_password").read_text().strip()
    except OSError:
        return ""
    server = urlsplit(dsn("owner")).netloc.rpartition("@")[2]
    return f"postgresql://postgres:{quote(password, safe='')}@{server}/postgres"


def sqlalchemy_url(role: str, driver: str = "psycopg2") -> str:
    """Return the role's DSN as SQLAlchemy writes it, `postgresql+<driver>://…`."""
    return f"postgresql+{driver}://{dsn(role).split('://', 1)[1]}"


def parameters(role: str) -> dict[str, str]:
    """Return the role's {username, password, host, port, dbname}, named as psql's options are."""
    parts = psycopg.conninfo.conninfo_to_dict(dsn(role))
    return {
        ("username" if key == "user" else key): str(value)
        for key, value in parts.items()
        if value is not None
    }


def connect(role: str, autocommit: bool = False) -> psycopg.Connection[Any]:
    """Open a connection as a role, in UTC.

    Raises:
        CareGridError: the server does not answer or refuses; the message never holds the password.
    """
    target = dsn(role)
    try:
        return psycopg.connect(
            target, autocommit=autocommit, application_name=f"caregrid {role}", options="-c timezone=UTC"
        )
    except psycopg.OperationalError as error:
        parts = psycopg.conninfo.conninfo_to_dict(target)
        raise CareGridError(
            f"cannot connect as {role}: {' '.join(str(error).split())}",
            where=f"{parts.get('host')}:{parts.get('port')}/{parts.get('dbname')}",
            fix="start the database with `caregrid database start`, or everything with `make up`",
        ) from error
