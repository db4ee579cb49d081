"""What the database says of relations, built or served: names, kinds, shapes, definitions, comments."""

from __future__ import annotations

import re
from typing import Any

import psycopg

# schema that is built → schema that readers see
SCHEMAS = {"build_core": "core", "build_marts": "marts"}

STAGING = "build_staging"

Connection = psycopg.Connection[Any]


def names(connection: Connection, schema: str) -> list[str]:
    """Return the tables and views of a schema, the views first: they depend on tables."""
    rows = connection.execute(
        "select relname from pg_class where relnamespace = to_regnamespace(%s) and relkind in ('r', 'v') "
        "order by relkind desc, relname",
        [schema],
    ).fetchall()
    return [str(name) for (name,) in rows]


def definition(connection: Connection, schema: str, name: str) -> str:
    """Return the query of a view: built tables by their served names, views of staging written out.

    What is served must not hang on what every build drops and makes again.
    """
    row = connection.execute(
        "select pg_get_viewdef(to_regclass(format('%%I.%%I', %s::text, %s::text)))", [schema, name]
    ).fetchone()
    text = str(row[0]).strip().rstrip(";") if row else ""
    for built, served in SCHEMAS.items():
        text = re.sub(rf"\b{built}\.", f"{served}.", text)
    return re.sub(
        rf"\b({STAGING})\.(\w+)",
        lambda found: f"({definition(connection, found[1], found[2])})",
        text,
    )


def shape(connection: Connection, schema: str, name: str) -> list[tuple[str, str]] | None:
    """Return the columns' names and types in order; None where there is no such relation."""
    rows = connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text)) and attnum > 0 and not "
        "attisdropped "
        "order by attnum",
        [schema, name],
    ).fetchall()
    return [(str(column), str(kind)) for column, kind in rows] or None


def kind(connection: Connection, schema: str, name: str) -> str | None:
    """Return r for a table, v for a view; None where there is no such relation."""
    row = connection.execute(
        "select relkind::text from pg_class where oid = to_regclass(format('%%I.%%I', %s::text, %s::text))",
        [schema, name],
    ).fetchone()
    return str(row[0]) if row else None


def reads(connection: Connection, view: tuple[str, str], table: tuple[str, str]) -> bool:
    """Return whether a view is defined over a table."""
    row = connection.execute(
        "select exists (select from pg_rewrite join pg_depend on pg_depend.objid = pg_rewrite.oid "
        "where pg_rewrite.ev_class = to_regclass(format('%%I.%%I', %s::text, %s::text)) "
        "and pg_depend.refobjid = to_regclass(format('%%I.%%I', %s::text, %s::text)))",
        [*view, *table],
    ).fetchone()
    return bool(row and row[0])


def comments(connection: Connection, schema: str, name: str) -> dict[int, str]:
    """Return the comments of a relation by column number; 0 is the relation itself."""
    rows = connection.execute(
        "select objsubid, description from pg_description "
        "where objoid = to_regclass(format('%%I.%%I', %s::text, %s::text)) and classoid = "
        "'pg_class'::regclass",
        [schema, name],
    ).fetchall()
    return {int(number): str(text) for number, text in rows}
