"""Which columns each column of a query is computed from, read from the query's own SQL.

Scope by scope, the innermost first: common tables, derived tables, both sides of a union, what a function
that returns rows takes. A column of a scope is followed once however many others are made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from caregrid.errors import CareGridError

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

Column = tuple[str, str]  # schema.table, column
_LONGEST = 400


class Step(IntEnum):
    """What is done on the way from one column to another; of several steps the highest counts."""

    IDENTITY = 0
    TRANSFORMATION = 1
    AGGREGATION = 2


@dataclass(frozen=True)
class Made:
    """How a column is made.

    Attributes:
        of: the columns of tables that it is computed from, each with the step between.
        rows: the tables whose rows it counts, where it is computed from no column.
        expression: the SQL that gives it, as written in the last select.

    With neither columns nor rows it is made by the SQL itself: a constant, or a series between constants.
    """

    of: dict[Column, Step] = field(default_factory=dict)
    rows: tuple[str, ...] = ()
    expression: str = ""


def columns_of(text: str, columns: Mapping[str, Iterable[str]]) -> dict[str, Made]:
    """Return how each column of one query is made, in the query's order.

    Args:
        text: one select of PostgreSQL.
        columns: schema.table → its columns, so that `*` and bare names can be told.

    Raises:
        CareGridError: the SQL cannot be read, or names a column that no table in sight has.
    """
    # Tenths of a second, which only who asks for lineage pays.
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope
    from sqlglot.schema import MappingSchema

    try:
        query = parse_one(text, dialect="postgres")
        if not isinstance(query, exp.Query):
            raise CareGridError("this is not a query that can be read", fix="write the model as one select")
        written = [_written(part) for part in query.selects]
        schema = MappingSchema(dialect="postgres")
        for table in list(query.find_all(exp.Table)):
            # Some names bear the database, others not: within one warehouse it says nothing.
            table.set("catalog", None)
            known = columns.get(f"{table.db}.{table.name}")
            if table.db and known is not None:
                schema.add_table(table.copy(), dict.fromkeys(known, "text"), match_depth=False)
        query = qualify(query, schema=schema, dialect="postgres", validate_qualify_columns=False)
    except SqlglotError as error:
        raise CareGridError(f"sqlglot cannot read it: {str(error).splitlines()[0]}") from error
    try:
        scope = build_scope(query)
        assert scope is not None
        found = _Reader().read(scope)
    except (AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # A form of query that nobody has met here yet: whoever reads others must go on.
        raise CareGridError(f"a form of query that is not followed: {error!r}") from error
    if len(written) != len(found):
        # A star stood there.
        written = [""] * len(found)
    return {
        name: Made(dict(sorted(made.of.items())), made.rows, expression[:_LONGEST])
        for (name, made), expression in zip(found, written, strict=True)
    }


def _written(part: exp.Expr) -> str:
    from sqlglot import exp

    if isinstance(part, exp.Column | exp.Star):
        return ""
    return part.unalias().sql(dialect="postgres", comments=False)


class _Reader:
    """Reads scopes; what was read once is remembered."""

    def __init__(self) -> None:
        self._read: dict[int, list[tuple[str, Made]]] = {}

    def read(self, scope: Scope) -> list[tuple[str, Made]]:
        """Return the columns of a scope in order, each with how it is made; some may bear no name."""
        from sqlglot import exp

        key = id(scope.expression)
        if key not in self._read:
            if isinstance(scope.expression, exp.SetOperation):
                sides = [self.read(side) for side in scope.set_operation_scopes]
                self._read[key] = [
                    (name, _merged([made, *(other for _, other in others)]))
                    for (name, made), *others in zip(*sides, strict=True)
                ]
            else:
                selects = getattr(scope.expression, "selects", [])
                self._read[key] = [(part.alias_or_name, self._made(part, scope)) for part in selects]
        return self._read[key]

    def _made(self, part: exp.Expr, scope: Scope) -> Made:
        from sqlglot import exp

        plain = part.unalias()
        if isinstance(plain, exp.Column):
            return self._column(plain, scope)
        step = Step.AGGREGATION if part.find(exp.AggFunc) else Step.TRANSFORMATION
        made = _merged([*self._within(part, scope)], step)
        if made.of or not part.find(exp.Count):
            return made
        return Made(rows=tuple(sorted({*made.rows, *self._tables(scope)})))

    def _within(self, part: exp.Expr, scope: Scope) -> Iterator[Made]:
        """Yield what stands in an expression: its columns, and the queries in it."""
        from sqlglot import exp
        from sqlglot.optimizer.scope import walk_in_scope

        inner = {id(nested.expression): nested for nested in scope.subquery_scopes}
        for node in walk_in_scope(part):
            if isinstance(node, exp.Column):
                yield self._column(node, scope)
            elif id(node) in inner:
                nested = inner[id(node)]
                if isinstance(node.parent, exp.Exists | exp.In):
                    # What it selects is of no account, what it looks for is.
                    yield from self._within(node.args.get("where") or node, nested)
                yield from (made for _, made in self.read(nested))

    def _column(self, column: exp.Column, scope: Scope | None) -> Made:
        from sqlglot import exp

        name = column.name
        # The only column of a function that returns rows may be called by the function's own alias.
        alias = column.table or name
        while scope is not None and alias not in scope.sources:
            scope = scope.parent
        if scope is None:
            raise CareGridError(f"no table in sight has {column.sql(dialect='postgres')}")
        source = scope.sources[alias]
        if not isinstance(source, exp.Table):
            return self._of_scope(source, name)
        if not source.db:
            # A function that returns rows: each column may come of everything that it takes.
            return _merged(self._within(source, scope), Step.TRANSFORMATION)
        return Made({(f"{source.db}.{source.name}", name): Step.IDENTITY})

    def _of_scope(self, source: Scope, name: str) -> Made:
        if source.is_udtf:
            return self._of_rows(source, name)
        made = dict(self.read(source))
        if name not in made:
            raise CareGridError(f"no column {name} among {', '.join(made)}")
        return made[name]

    def _of_rows(self, source: Scope, name: str) -> Made:
        """Return a column of what stands in `from` and is no table: `lateral`, `values`, `unnest`."""
        from sqlglot import exp

        body = source.expression
        named = list(body.alias_column_names)
        position = named.index(name) if name in named else None
        if isinstance(body, exp.Lateral):
            body = body.this.unnest()
        if isinstance(body, exp.Values):
            cells = [row.expressions for row in body.expressions]
            chosen = cells if position is None else [[row[position]] for row in cells]
            return _merged(made for row in chosen for cell in row for made in self._within(cell, source))
        nested = next((one for one in source.subquery_scopes if one.expression is body), None)
        if nested is not None:
            made = self.read(nested)
            return dict(made)[name] if position is None else made[position][1]
        # A function: each column may come of everything that it takes.
        return _merged(self._within(body, source), Step.TRANSFORMATION)

    def _tables(self, scope: Scope) -> Iterator[str]:
        """Yield the tables whose rows a scope reads."""
        from sqlglot import exp

        if isinstance(scope.expression, exp.SetOperation):
            for side in scope.set_operation_scopes:
                yield from self._tables(side)
            return
        for _, source in scope.selected_sources.values():
            if not isinstance(source, exp.Table):
                yield from self._tables(source)
            elif source.db:
                yield f"{source.db}.{source.name}"


def _merged(found: Iterable[Made], step: Step = Step.IDENTITY) -> Made:
    """Return one column that is made of several, each at least by `step`."""
    of: dict[Column, Step] = {}
    rows: set[str] = set()
    for made in found:
        rows |= set(made.rows)
        for column, before in made.of.items():
            of[column] = max(step, before, of.get(column, step))
    return Made(of, () if of else tuple(sorted(rows)))
