"""`make bi-url` prints an address that works as the reader; `make psql` opens the warehouse."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Any

import psycopg
import pytest
from caregrid.cli import main
from caregrid.database import connect, server
from caregrid.platform import summary

pytestmark = pytest.mark.integration


def test_the_printed_address_opens_the_warehouse_as_the_reader(
    warehouse: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["database", "bi-url"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    address = told.out.strip()
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


def test_where_nothing_runs_every_command_says_so_whole_and_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for role in ("owner", "loader", "bi_reader"):
        address = f"postgresql://{role}:hidden@127.0.0.1:{port}/caregrid"
        monkeypatch.setenv(f"CAREGRID_DSN_{role.upper()}", address)
    for command in (["database", "psql"], ["feeds", "loads"]):
        if command[-1] == "psql" and server.psql() is None:
            continue
        assert main(command) == 2
        told = capsys.readouterr().err
        assert "Connection refused Is the server running on that host" in told
        assert "make up" in told
        assert "hidden" not in told
    assert main(["database", "bi-url"]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == address
    assert "nothing answers there now: " in shown.err
    assert "make up" in shown.err


def test_the_demo_tells_which_grains_are_kept_back(warehouse: Any) -> None:
    with warehouse.connect("owner") as owner:
        owner.execute(
            "insert into model_output.run (run_id, kind, model_name, model_version, made_at, as_of, "
            "known_at_cut, code_version, lock_sha256, load_ids, parameters) values "
            "('new', 'train', 'm', '1', now(), now(), now(), '', '', '{}', '{\"serves\": [\"day\"]}')"
        )
        for grain, loss in (("day", 0.5), ("hour", 1.25)):
            for model, value in ((summary._OURS, loss), (summary._NAIVE, 1.0)):
                owner.execute(
                    "insert into model_output.backtest values "
                    "('new', %s, %s, 'scaled_interval_score', %s, 7, 3)",
                    [model, grain, value],
                )
        found = owner.execute(summary._SCORES.encode(), [summary._OURS, summary._NAIVE]).fetchall()
    said = summary._scores(found, "whole")
    assert "day    0.5000 against 1.0000  50 % better  (7 cells)" in said
    assert "hour   1.2500 against 1.0000  25 % worse; kept back, not served  (7 cells)" in said
