"""`make bi-url` prints an address that works as the reader; `make psql` opens the warehouse."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import psycopg
import pytest
from caregrid.cli import main
from caregrid.database import connect, server

pytestmark = pytest.mark.integration


def test_the_printed_address_opens_the_warehouse_as_the_reader(
    warehouse: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["database", "bi-url"]) == 0
    address = capsys.readouterr().out.strip()
    with psycopg.connect(address) as reader:
        whoami = reader.execute("select current_user, current_database(), inet_server_addr() is not null")
        assert whoami.fetchone() == ("bi_reader", warehouse.database, True)


@pytest.mark.parametrize("role", ["owner", "bi_reader"])
def test_psql_opens_the_warehouse_and_shows_no_password(warehouse: Any, role: str) -> None:
    if server.psql() is None:
        pytest.skip("this PostgreSQL came without psql")
    # What psql itself reports of its command line, beside the answer of the server.
    query = "select current_user, current_database();\n\\! tr '\\0' ' ' </proc/$PPID/cmdline\n"
    done = subprocess.run(
        [sys.executable, "-m", "caregrid.cli", "database", "psql", "--role", role],
        input=query, env=os.environ.copy(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    parts = connect.parameters(role)
    assert [parts["username"], "|", warehouse.database] == done.stdout.splitlines()[2].split()
    assert "--dbname=" in done.stdout
    assert parts["password"] not in done.stdout
