"""A place of its own for a drill: a var directory with its own PostgreSQL, reached as a person reaches it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from caregrid import paths

from tests.integration.faults import contents
from tests.integration.faults.contents import Contents

ALL_TABLES = """
select format('%I.%I', schemaname, tablename) from pg_tables
where schemaname not in ('pg_catalog', 'information_schema')
"""


@dataclass
class Installation:
    """A var directory; every command runs as a process of its own, with that and no other setting of ours."""

    var: Path
    settings: dict[str, str]

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CAREGRID_")}
        python_path = os.pathsep.join([str(paths.ROOT), str(paths.ROOT / "plugins")])
        return kept | {"CAREGRID_VAR": str(self.var), "PYTHONPATH": python_path} | self.settings

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=paths.ROOT, env=self.environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def run(self, *command: str, code: int = 0) -> str:
        process = self.start(*command)
        told = process.communicate()[0]
        assert process.returncode == code, told
        return told

    def caregrid(self, *arguments: str, code: int = 0) -> str:
        return self.run("-m", "caregrid.cli", *arguments, code=code)

    def connect(self, database: str = "warehouse") -> psycopg.Connection[Any]:
        admin = json.loads((self.var / "secrets" / "database.json").read_text())["admin"]
        return psycopg.connect(admin, dbname=database, autocommit=True)

    def contents(self) -> Contents:
        """What the warehouse holds, in words that do not depend on numbers."""
        with self.connect() as connection:
            return contents.read(connection)

    def rows(self) -> Contents:
        """Every row of every table of the three databases."""
        found = {}
        for database in ("warehouse", "mlflow", "airflow"):
            with self.connect(database) as connection:
                for (table,) in connection.execute(ALL_TABLES).fetchall():
                    rows = connection.execute(f"select t::text from {table} as t".encode())
                    found[f"{database}: {table}"] = sorted(row for (row,) in rows)
        return found

    def files(self) -> dict[str, bytes]:
        """Every landed file and every artifact."""
        found = [*self.var.glob("landing/??/??/*"), *self.var.glob("mlflow/artifacts/**/*")]
        return {str(path.relative_to(self.var)): path.read_bytes() for path in found if path.is_file()}

    def delete(self) -> None:
        self.caregrid("reset", "--yes")
