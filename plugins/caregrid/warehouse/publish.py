"""Publishes what was built: the differences go into the served tables, all in the caller's one transaction.

Served tables are changed, not replaced, so that a reader never waits and whatever depends on them stays:
a small table gets the rows that differ, a large fact the rows of the touched keys. Only a table that is new,
has another shape, or was rebuilt whole is moved in place of the old one, which costs nothing however large
it is.

A view is served as a view, over served tables and what models wrote, which readers see through it alone: a
view runs with the rights of its owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from caregrid.warehouse import relations
from caregrid.warehouse.relations import SCHEMAS, Connection

READERS = ("bi_reader", "caregrid_model", "caregrid_action")
INTERMEDIATE = "build_intermediate"
# A reader that holds a table must not stop the readers behind it for long.
LOCK_TIMEOUT = "30s"


@dataclass(frozen=True)
class Delta:
    """How a large fact is built: its rebuilt rows and touched keys (intermediate tables), and the key's
    columns.
    """

    rows: str
    keys: str
    on: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One model to publish; `schema` is the one it is built in; `is_view`: what is served is a view."""

    schema: str
    name: str
    key: tuple[str, ...]
    delta: Delta | None
    is_view: bool = False

    @property
    def built(self) -> sql.Identifier:
        """Return the relation that was built."""
        return sql.Identifier(self.schema, self.name)

    @property
    def served(self) -> sql.Identifier:
        """Return the relation that readers see."""
        return sql.Identifier(SCHEMAS[self.schema], self.name)


def tables(manifest: dict[str, Any], built: Iterable[str] | None = None) -> list[Table]:
    """Return the models of core and marts in the manifest; only those among the unique ids `built`,
    where given.
    """
    chosen = None if built is None else set(built)
    found = []
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] != "model" or node["schema"] not in SCHEMAS:
            continue
        if chosen is not None and unique_id not in chosen:
            continue
        meta = node["config"]["meta"]
        delta = meta.get("delta")
        found.append(
            Table(
                schema=node["schema"],
                name=node["name"],
                key=tuple(meta["key"]),
                delta=Delta(delta["rows"], delta["keys"], tuple(delta["by"])) if delta else None,
                is_view=delta is None and node["config"]["materialized"] == "view",
            )
        )
    # Views last: they read served tables.
    return sorted(found, key=lambda table: (table.is_view, table.schema, table.name))


def publish(connection: Connection, chosen: Iterable[Table]) -> dict[str, str]:
    """Bring the served tables to what was built; return what was done, by served name. The caller commits."""
    connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
    done = {}
    chosen = list(chosen)
    _drop_views_over_moved(connection, chosen)
    for table in chosen:
        comments = relations.comments(connection, table.schema, table.name)
        done[f"{SCHEMAS[table.schema]}.{table.name}"] = _publish(connection, table)
        _comment(connection, table, comments)
    for schema in SCHEMAS.values():
        readers = sql.SQL(", ").join(map(sql.Identifier, [*READERS, *_owner(connection)]))
        connection.execute(sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(schema), readers))
        connection.execute(
            sql.SQL("grant select on all tables in schema {} to {}").format(sql.Identifier(schema), readers)
        )
    return done


def _owner(connection: Connection) -> list[str]:
    """Return the role of the migrations, whatever it is called: `make psql` reads what is served, too."""
    rows = connection.execute(
        "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'ledger'"
    ).fetchall()
    return [str(name) for (name,) in rows]


def withdraw(connection: Connection, known: Iterable[Table]) -> list[str]:
    """Drop served tables and views whose model is gone; return their names."""
    names = {(SCHEMAS[table.schema], table.name) for table in known}
    gone = [
        (schema, name)
        for schema in SCHEMAS.values()
        for name in relations.names(connection, schema)
        if (schema, name) not in names
    ]
    for schema, name in gone:
        built = next(built for built, served in SCHEMAS.items() if served == schema)
        connection.execute(sql.SQL("drop view if exists {}").format(sql.Identifier(built, name)))
        word = "view" if relations.kind(connection, schema, name) == "v" else "table"
        connection.execute(sql.SQL(f"drop {word} {{}}").format(sql.Identifier(schema, name)))
    return [f"{schema}.{name}" for schema, name in gone]


def align(connection: Connection) -> None:
    """Make every built relation a view of the served one, so that a partial build never reads what was
    not published.
    """
    for built_schema, served_schema in SCHEMAS.items():
        for name in relations.names(connection, served_schema):
            built, served = sql.Identifier(built_schema, name), sql.Identifier(served_schema, name)
            kind = relations.kind(connection, built_schema, name)
            if kind is not None:
                word = "view" if kind == "v" else "table"
                connection.execute(sql.SQL(f"drop {word} {{}} cascade").format(built))
            connection.execute(sql.SQL("create view {} as select * from {}").format(built, served))


def _publish(connection: Connection, table: Table) -> str:
    if table.is_view:
        return _publish_view(connection, table)
    moved = _is_moved(connection, table)
    if table.delta is None:
        if not moved:
            return _publish_difference(connection, table)
        return _move(connection, table, table.schema, table.name)
    if not moved:
        return _publish_delta(connection, table, table.delta)
    return _move(connection, table, INTERMEDIATE, table.delta.rows)


def _publish_difference(connection: Connection, table: Table) -> str:
    """Delete served rows that are gone or differ, insert those missing. Rows are compared byte for byte."""
    key = sql.SQL(" and ").join(
        sql.SQL("built.{0} = served.{0}").format(sql.Identifier(column)) for column in table.key
    )
    names = {"built": table.built, "served": table.served, "key": key, "columns": _columns(connection, table)}
    deleted = connection.execute(
        sql.SQL(
            "delete from {served} as served "
            "where not exists (select from {built} as built where {key} and built *= served)"
        ).format(**names)
    ).rowcount
    inserted = connection.execute(
        sql.SQL(
            "insert into {served} ({columns}) select {columns} from {built} as built "
            "where not exists (select from {served} as served where {key})"
        ).format(**names)
    ).rowcount
    return f"{deleted} rows out, {inserted} rows in"


def _publish_delta(connection: Connection, table: Table, delta: Delta) -> str:
    """Replace the served rows of the touched keys by the rebuilt rows."""
    on = sql.SQL(" and ").join(
        sql.SQL("touched.{0} = served.{0}").format(sql.Identifier(column)) for column in delta.on
    )
    columns = _columns(connection, table)
    deleted = connection.execute(
        sql.SQL("delete from {} as served using {} as touched where {}").format(
            table.served, sql.Identifier(INTERMEDIATE, delta.keys), on
        )
    ).rowcount
    inserted = connection.execute(
        sql.SQL("insert into {} ({}) select {} from {}").format(
            table.served, columns, columns, sql.Identifier(INTERMEDIATE, delta.rows)
        )
    ).rowcount
    return f"{deleted} rows of touched keys out, {inserted} rows in"


def _move(connection: Connection, table: Table, schema: str, name: str) -> str:
    """Put the built table in the place of the served one; its indexes go with it."""
    served_schema = SCHEMAS[table.schema]
    if relations.kind(connection, served_schema, table.name) is not None:
        connection.execute(sql.SQL("drop table {}").format(table.served))
    connection.execute(
        sql.SQL("alter table {} set schema {}").format(
            sql.Identifier(schema, name), sql.Identifier(served_schema)
        )
    )
    if name != table.name:
        connection.execute(
            sql.SQL("alter table {} rename to {}").format(
                sql.Identifier(served_schema, name), sql.Identifier(table.name)
            )
        )
    connection.execute(sql.SQL("analyze {}").format(table.served))
    return "moved whole"


def _publish_view(connection: Connection, table: Table) -> str:
    """Serve the view as it was built, over what is served and what was written.

    A view that stays as it is is left alone: to replace it would wait for whoever reads it.
    """
    served_schema = SCHEMAS[table.schema]
    candidate = f"{table.name}__new"
    query = sql.SQL(relations.definition(connection, table.schema, table.name))
    connection.execute(
        sql.SQL("create view {} as {}").format(sql.Identifier(served_schema, candidate), query)
    )
    kind = relations.kind(connection, served_schema, table.name)
    if kind == "v" and _same_view(connection, served_schema, table.name, candidate):
        connection.execute(sql.SQL("drop view {}").format(sql.Identifier(served_schema, candidate)))
        return "unchanged"
    if kind is not None:
        word = "view" if kind == "v" else "table"
        connection.execute(sql.SQL(f"drop {word} {{}}").format(table.served))
    connection.execute(
        sql.SQL("alter view {} rename to {}").format(
            sql.Identifier(served_schema, candidate), sql.Identifier(table.name)
        )
    )
    return "created"


def _same_view(connection: Connection, schema: str, one: str, other: str) -> bool:
    return all(
        told(connection, schema, one) == told(connection, schema, other)
        for told in (relations.definition, relations.shape)
    )


def _drop_views_over_moved(connection: Connection, chosen: list[Table]) -> None:
    """Drop served views where a table is going to be moved, which they may hold; they come again."""
    if not any(_is_moved(connection, table) for table in chosen if not table.is_view):
        return
    for table in chosen:
        if table.is_view and relations.kind(connection, SCHEMAS[table.schema], table.name) == "v":
            connection.execute(sql.SQL("drop view {}").format(table.served))


def _is_moved(connection: Connection, table: Table) -> bool:
    """Return whether the served table will be replaced, and not changed."""
    served, built = (SCHEMAS[table.schema], table.name), (table.schema, table.name)
    same_shape = relations.shape(connection, *served) == relations.shape(connection, *built)
    return not same_shape or (table.delta is not None and not relations.reads(connection, built, served))


def _columns(connection: Connection, table: Table) -> sql.Composed:
    shape = relations.shape(connection, table.schema, table.name) or []
    return sql.SQL(", ").join(sql.Identifier(name) for name, _ in shape)


def _comment(connection: Connection, table: Table, wanted: dict[int, str]) -> None:
    """Give the served table the comments of the built one; those that it has already are not written
    again.
    """
    present = relations.comments(connection, SCHEMAS[table.schema], table.name)
    shape = relations.shape(connection, SCHEMAS[table.schema], table.name) or []
    for number in range(len(shape) + 1):
        text = wanted.get(number)
        if present.get(number) == text:
            continue
        if number == 0:
            what = sql.SQL("view {}" if table.is_view else "table {}").format(table.served)
        else:
            what = sql.SQL("column {}.{}").format(table.served, sql.Identifier(shape[number - 1][0]))
        connection.execute(sql.SQL("comment on {} is {}").format(what, sql.Literal(text)))
