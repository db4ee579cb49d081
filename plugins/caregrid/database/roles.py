"""Roles, databases and who may connect to which; run once as the cluster's superuser, safe to run again."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

# role in the code → (login on the server, database)
LOGINS: dict[str, tuple[str, str]] = {
    "owner": ("caregrid_owner", "warehouse"),
    "loader": ("caregrid_loader", "warehouse"),
    "dbt": ("caregrid_dbt", "warehouse"),
    "model": ("caregrid_model", "warehouse"),
    "action": ("caregrid_action", "warehouse"),
    "bi_reader": ("bi_reader", "warehouse"),
    "airflow": ("airflow", "airflow"),
    "mlflow": ("mlflow", "mlflow"),
}
DATABASES = {"warehouse": "caregrid_owner", "airflow": "airflow", "mlflow": "mlflow"}


def provision(admin: psycopg.Connection[Any], passwords: dict[str, str]) -> None:
    """Create the roles and the databases, and close the doors to everyone else.

    Args:
        admin: an autocommit connection of a superuser.
        passwords: one for each role of LOGINS; an existing role gets the given one.
    """
    known = {name for (name,) in admin.execute("select rolname from pg_roles")}
    for role, (login, _) in LOGINS.items():
        verb = "alter" if login in known else "create"
        admin.execute(
            sql.SQL(verb + " role {} login nosuperuser nocreatedb nocreaterole password {}").format(
                sql.Identifier(login), sql.Literal(passwords[role])
            )
        )
    # A reader's forgotten query must not hold back the publication of the marts.
    admin.execute("alter role bi_reader set default_transaction_read_only = on")
    admin.execute("alter role bi_reader set idle_in_transaction_session_timeout = '5min'")
    admin.execute("alter role bi_reader set search_path = marts, core")
    existing = {name for (name,) in admin.execute("select datname from pg_database")}
    for database, login in DATABASES.items():
        if database not in existing:
            admin.execute(
                sql.SQL("create database {} owner {}").format(sql.Identifier(database), sql.Identifier(login))
            )
    close_to_public(admin)
    with psycopg.connect(
        admin.info.dsn, password=admin.info.password, dbname="warehouse", autocommit=True
    ) as there:
        # Anyone may make large objects, which lie in no schema: a reader's way to write and to fill the disk.
        there.execute(
            "revoke execute on function lo_creat(int), lo_create(oid), lo_from_bytea(oid, bytea) from public"
        )


def close_to_public(admin: psycopg.Connection[Any]) -> None:
    """Take CONNECT and TEMPORARY from PUBLIC on every database, those of the cluster itself included."""
    for (database,) in admin.execute(
        "select datname from pg_database where datallowconn or datistemplate"
    ).fetchall():
        admin.execute(
            sql.SQL("revoke connect, temporary on database {} from public").format(sql.Identifier(database))
        )


def clone(admin: psycopg.Connection[Any], template: str, database: str) -> None:
    """Create `database` as a copy of `template`, with the owner and grants, which PostgreSQL copies not."""
    (owner,) = admin.execute(
        "select pg_get_userbyid(datdba) from pg_database where datname = %s", [template]
    ).fetchone() or ("",)
    admin.execute(
        sql.SQL("create database {} template {} owner {}").format(
            sql.Identifier(database), sql.Identifier(template), sql.Identifier(owner)
        )
    )
    admin.execute(
        sql.SQL("revoke connect, temporary on database {} from public").format(sql.Identifier(database))
    )
    grants = admin.execute(
        "select rolname, privilege_type from pg_database, aclexplode(datacl) as acl "
        "join pg_roles on pg_roles.oid = acl.grantee where datname = %s and acl.grantee <> datdba",
        [template],
    ).fetchall()
    for login, privilege in grants:
        admin.execute(
            sql.SQL("grant " + privilege + " on database {} to {}").format(
                sql.Identifier(database), sql.Identifier(login)
            )
        )
