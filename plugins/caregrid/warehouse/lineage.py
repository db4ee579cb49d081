"""What every column of every model is made of, up to what was loaded: kept in var/lineage/columns.json.

Read from the SQL that dbt compiled. A large fact is a union with itself while its touched keys are built, so
what is read is a build of whole tables, or the documentation, which names everything as readers do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.lineage import journal
from caregrid.lineage.columns import Column, Made, Step, columns_of
from caregrid.warehouse import dbt
from caregrid.warehouse.relations import SCHEMAS

_COLUMNS = """
select table_schema || '.' || table_name, array_agg(column_name::text order by ordinal_position)
from information_schema.columns where table_schema not in ('pg_catalog', 'information_schema') group by 1
"""


@dataclass
class Lineage:
    """What the tables of the warehouse are made of.

    Attributes:
        models_sha256: of the models that it was read from.
        tables: schema.table as readers see it → column → how it is made; the models alone.
        seeds: schema.table of what dbt writes from files of the checkout.
        unread: model → why its SQL could not be read; its columns lead nowhere.
    """

    models_sha256: str
    tables: dict[str, dict[str, Made]] = field(default_factory=dict)
    seeds: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)

    def trace(self, table: str, column: str) -> Iterator[tuple[int, Column, Made | None]]:
        """Yield (depth, column, how it is made) from a column up to tables that no model makes.

        What a column is made of is told where it is met first; elsewhere it is None, as it is of a
        column that no model makes.

        Raises:
            CareGridError: no such column; the message names those that there are.
        """
        if table not in self.tables:
            raise CareGridError(
                f"no model makes {table}",
                where=str(_file()),
                fix=f"name one of {', '.join(_near(table, self.tables))}",
            )
        if column not in self.tables[table]:
            raise CareGridError(
                f"{table} has no column {column}",
                where=str(_file()),
                fix=self.unread.get(table) or f"name one of {', '.join(self.tables[table])}",
            )
        met: set[Column] = set()
        waiting = [(0, (table, column))]
        while waiting:
            depth, found = waiting.pop()
            made = None if found in met else self.tables.get(found[0], {}).get(found[1])
            yield depth, found, made
            if made is not None:
                met.add(found)
                waiting += [(depth + 1, above) for above in reversed(made.of)]

    def ends(self, table: str, column: str) -> set[Column]:
        """Return the columns that no model makes and that a column comes of."""
        return {found for _, found, _ in self.trace(table, column) if found[0] not in self.tables}


def write_lineage(target: Path, manifest: Mapping[str, Any]) -> Lineage:
    """Read the compiled SQL below a target of dbt, keep what it says, and return it.

    Args:
        target: where dbt has compiled whole tables.
        manifest: of that project.
    """
    models = {
        unique_id: node for unique_id, node in manifest["nodes"].items() if node["resource_type"] == "model"
    }
    seeds = [node for node in manifest["nodes"].values() if node["resource_type"] == "seed"]
    with connect("dbt") as connection:
        columns: dict[str, list[str]] = dict(connection.execute(_COLUMNS).fetchall())
    found = Lineage(dbt.models_sha256(), seeds=sorted(map(served_name, seeds)))
    # Upstream first: what a model yields is then known to those that read it, built or not.
    above = {name: set(node["depends_on"]["nodes"]) & set(models) for name, node in models.items()}
    for unique_id in TopologicalSorter(above).static_order():
        node = models[unique_id]
        name = served_name(node)
        compiled = target / "compiled" / node["package_name"] / node["original_file_path"]
        try:
            made = columns_of(_served_sql(compiled.read_text(encoding="utf-8")), columns)
        except (CareGridError, OSError) as error:
            found.unread[name] = f"{node['original_file_path']}: {error}"
            made = {column: Made() for column in node["columns"]}
        found.tables[name] = made
        if made:
            columns[name] = list(made)
    _write(found)
    return found


def read_lineage() -> Lineage:
    """Return what was kept.

    Raises:
        CareGridError: nothing has been yet.
    """
    try:
        kept = json.loads(_file().read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CareGridError(
            "the lineage has not been written yet",
            where=str(_file()),
            fix="run `caregrid warehouse build` or `caregrid docs` first",
        ) from error
    tables = {
        table: {column: _made(*told) for column, told in columns.items()}
        for table, columns in kept["tables"].items()
    }
    return Lineage(kept["models_sha256"], tables, kept["seeds"], kept["unread"])


def current_lineage() -> Lineage | None:
    """Return what was kept if it is of the present models, else None."""
    try:
        found = read_lineage()
    except (CareGridError, ValueError, KeyError):
        return None
    return found if found.models_sha256 == dbt.models_sha256() else None


def served_name(node: Mapping[str, Any]) -> str:
    """Return schema.table of a model, seed or source of the manifest, as readers see it."""
    schema = SCHEMAS.get(node["schema"], node["schema"])
    return f"{schema}.{node.get('identifier') or node.get('alias') or node['name']}"


def _served_sql(text: str) -> str:
    for built, served in SCHEMAS.items():
        text = text.replace(f'"{built}".', f'"{served}".')
    return text


def _write(found: Lineage) -> None:
    kept = {
        "models_sha256": found.models_sha256,
        "tables": {
            table: {
                column: [[[*above, step.name] for above, step in made.of.items()], made.rows, made.expression]
                for column, made in columns.items()
            }
            for table, columns in found.tables.items()
        },
        "seeds": found.seeds,
        "unread": found.unread,
    }
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(kept), encoding="utf-8")
    part.replace(file)


def _made(of: Iterable[list[str]], rows: Iterable[str], expression: str) -> Made:
    return Made({(table, column): Step[step] for table, column, step in of}, tuple(rows), expression)


def _near(table: str, among: Iterable[str]) -> list[str]:
    """Return the tables of the schema that a name bears, or all that people read."""
    named = table.rpartition(".")[0]
    schemas = (named,) if named in SCHEMAS.values() else tuple(SCHEMAS.values())
    return sorted(name for name in among if name.startswith(tuple(f"{schema}." for schema in schemas)))


def _file() -> Path:
    return journal.folder() / "columns.json"
