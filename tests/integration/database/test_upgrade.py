"""The data of every release so far comes to the present by the migrations, and builds to the same tables.

tests/data/releases holds one dump per release; make_release_dump.py makes the next.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from caregrid import warehouse as building
from caregrid.database import dump, server
from caregrid.database.migrate import migrate, read_migrations

from tests.integration.database.make_release_dump import AS_OF, RELEASES
from tests.integration.faults import contents

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

DUMPS = sorted(RELEASES.glob("*.dump"))
# What is written once and kept; core and marts are made from it.
KEPT = ("landing", "raw", "canonical", "rejected", "model_output", "action", "ledger")
COLUMNS = """
select table_schema || '.' || table_name, array_agg(quote_ident(column_name) order by ordinal_position)
from information_schema.columns join information_schema.tables using (table_schema, table_name)
where table_schema = any(%s) and table_type = 'BASE TABLE' group by 1
"""


def pg(admin: str, program: str, *arguments: str) -> None:
    path = server.program(program)
    assert path is not None
    given = psycopg.conninfo.conninfo_to_dict(admin)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    environment = dict(os.environ) | {names[key]: str(given[key]) for key in names}
    done = subprocess.run([path, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def rows(connection: psycopg.Connection[Any], columns: dict[str, list[str]]) -> contents.Contents:
    return {
        table: sorted(
            row
            for (row,) in connection.execute(f"select row({', '.join(names)})::text from {table}".encode())
        )
        for table, names in columns.items()
    }


def served(connection: psycopg.Connection[Any]) -> contents.Contents:
    found = contents.read(connection)
    return {table: rows for table, rows in found.items() if table.startswith(("core.", "marts."))}


def test_there_is_a_release_to_come_from() -> None:
    assert DUMPS


@pytest.mark.parametrize("release", DUMPS, ids=lambda path: path.stem)
def test_a_release_is_brought_to_the_present(
    warehouse: Any, database_server: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    release: Path,
) -> None:  # fmt: skip
    admin = database_server["admin"]
    monkeypatch.setenv("CAREGRID_AS_OF", AS_OF)
    monkeypatch.setenv("CAREGRID_DSN_ADMIN", admin)
    superuser = psycopg.conninfo.make_conninfo(admin, dbname=warehouse.database)
    new = read_migrations()[-1].number
    # A warehouse as the release left it, in the place of the fresh one.
    with psycopg.connect(superuser) as connection:
        granted = dump.grants(connection)
    with psycopg.connect(admin, autocommit=True) as connection:
        dump.create(connection, warehouse.database, "caregrid_owner", granted)
    dump.read_back(release, warehouse.database)
    with psycopg.connect(superuser) as connection:
        columns = dict(connection.execute(COLUMNS, [list(KEPT)]).fetchall())
        before = rows(connection, columns)
        assert served(connection)["core.fct_usage"]

    applied = migrate(warehouse.dsn("owner"))

    assert [int(name[:4]) for name in applied] == list(range(int(release.stem) + 1, new + 1))
    with psycopg.connect(superuser) as connection:
        assert contents.differences(rows(connection, columns), before) == []
    assert building.build(force=True).status == "published"
    with psycopg.connect(superuser) as connection:
        upgraded = served(connection)

    # The same rows in a warehouse that never was of that release.
    kept = tmp_path / "kept.dump"
    chosen = [f"--schema={schema}" for schema in KEPT]
    builds = [f"--exclude-table=ledger.{table}" for table in ("build", "build_load", "node_result")]
    pg(admin, "pg_dump", "--format=custom", "--data-only", *chosen, *builds, f"--file={kept}",
       warehouse.database)  # fmt: skip
    with psycopg.connect(admin, autocommit=True) as connection:
        dump.create(connection, warehouse.database, "caregrid_owner", [])
    migrate(warehouse.dsn("owner"))
    pg(
        admin,
        "pg_restore",
        "--disable-triggers",
        "--exit-on-error",
        f"--dbname={warehouse.database}",
        str(kept),
    )
    assert building.build().status == "published"
    with psycopg.connect(superuser) as connection:
        assert contents.differences(upgraded, served(connection)) == []
