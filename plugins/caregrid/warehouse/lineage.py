"""Which columns each column of the warehouse is made of, read from the SQL that dbt compiled.

Written as OpenLineage job events, one per model and line, to var/lineage/dbt.ndjson: to a file, never out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.paths import var

PRODUCER = "caregrid"
NAMESPACE = "caregrid"
_FACET = "https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json"
_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/JobEvent"
_COLUMNS = """
select table_schema, table_name, column_name from information_schema.columns
where table_schema not in ('pg_catalog', 'information_schema') order by 1, 2, ordinal_position
"""
Column = tuple[str, str]  # schema.table, column


@dataclass
class Lineage:
    """What each table is made of: table → column → the columns it is computed from, in order.

    A column of constants, or one that counts rows, is computed from none.
    """

    tables: dict[str, dict[str, list[Column]]] = field(default_factory=dict)

    def trace(self, table: str, column: str) -> list[tuple[int, Column]]:
        """Return (depth, column) from a column up to the tables that the loader or the models wrote.

        What stands above a column is told the first time that it is met.

        Raises:
            CareGridError: no such column.
        """
        if column not in self.tables.get(table, {}):
            raise CareGridError(
                f"no lineage of {table}.{column}",
                where=str(_file()),
                fix="name it schema.table.column; `caregrid docs` writes the lineage anew",
            )
        told: list[tuple[int, Column]] = []
        met: set[Column] = set()
        waiting = [(0, (table, column))]
        while waiting:
            depth, found = waiting.pop()
            told.append((depth, found))
            if found not in met:
                met.add(found)
                above = self.tables.get(found[0], {}).get(found[1], [])
                waiting += [(depth + 1, one) for one in reversed(above)]
        return told


def write_lineage(target: Path) -> Path:
    """Read the compiled SQL and the manifest below a target of dbt, write the events, return the file.

    Args:
        target: where dbt has compiled the served names.
    """
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    with connect("dbt") as connection:
        known = connection.execute(_COLUMNS).fetchall()
    schema: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for in_schema, table, column in known:
        schema[in_schema].setdefault(table, {})[column] = "text"
    moment = manifest["metadata"]["generated_at"]
    lines = []
    for node in sorted(manifest["nodes"].values(), key=lambda node: str(node["unique_id"])):
        compiled = target / "compiled" / node["package_name"] / node["original_file_path"]
        if node["resource_type"] == "model" and compiled.is_file():
            made_of = columns_of(compiled.read_text(encoding="utf-8"), schema)
            lines.append(json.dumps(_event(moment, f"{node['schema']}.{node['name']}", made_of)))
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    part.replace(file)
    return file


def read_lineage() -> Lineage:
    """Read the events back.

    Raises:
        CareGridError: they have never been written.
    """
    try:
        text = _file().read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CareGridError(
            "the lineage has not been written yet", where=str(_file()), fix="run `caregrid docs` first"
        ) from error
    found = Lineage()
    for event in map(json.loads, text.splitlines()):
        for output in event["outputs"]:
            fields = output["facets"]["columnLineage"]["fields"]
            found.tables[output["name"]] = {
                column: [(above["name"], above["field"]) for above in told["inputFields"]]
                for column, told in fields.items()
            }
    return found


def columns_of(text: str, schema: Mapping[str, Any]) -> dict[str, list[Column]]:
    """Return what the columns of one query are computed from: column → columns of tables, sorted.

    Args:
        text: one select of PostgreSQL.
        schema: schema → table → column → type, so that `*` and bare names can be told.
    """
    # half a second, and only who asks for lineage pays it
    import sqlglot
    from sqlglot import exp
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    query = qualify(
        sqlglot.parse_one(text, dialect="postgres"),
        schema=dict(schema),
        dialect="postgres",
        validate_qualify_columns=False,
    )
    assert isinstance(query, exp.Query)
    scope = build_scope(query)
    found = {}
    for column in query.named_selects:
        above = {
            (f"{node.source.db}.{node.source.name}", node.name.rsplit(".", 1)[-1].strip('"'))
            for node in lineage(column, query, schema=dict(schema), scope=scope, dialect="postgres").walk()
            if not node.downstream and isinstance(node.source, exp.Table)
        }
        found[column] = sorted(above)
    return found


def _event(moment: str, table: str, made_of: Mapping[str, list[Column]]) -> dict[str, Any]:
    inputs = sorted({above for columns in made_of.values() for above, _ in columns})
    fields = {
        column: {
            "inputFields": [{"namespace": NAMESPACE, "name": above, "field": name} for above, name in columns]
        }
        for column, columns in made_of.items()
    }
    facet = {"_producer": PRODUCER, "_schemaURL": _FACET, "fields": fields}
    return {
        "eventTime": moment,
        "producer": PRODUCER,
        "schemaURL": _EVENT,
        "job": {"namespace": NAMESPACE, "name": f"dbt.{table}"},
        "inputs": [{"namespace": NAMESPACE, "name": name} for name in inputs],
        "outputs": [{"namespace": NAMESPACE, "name": table, "facets": {"columnLineage": facet}}],
    }


def _file() -> Path:
    return var("lineage", "dbt.ndjson")
