"""A feed's credentials come from Airflow's connections inside a task that really runs, and are told nowhere.

It adds a feed, which no other test here asks about.
"""

from __future__ import annotations

import mmap
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from caregrid.platform import airflow_client
from psycopg import sql

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

FEED = "e2e_north_desk"
DAG = f"ingest_{FEED}"
CONNECTION = "e2e_north_database"
YAML = f"""
feed: {FEED}
name: {{en: "North desk, for this test", zh: "北区（测试用）"}}
owner: {{id: test_network, name: "Test network"}}
visibility: network
country: GB
timezone: Europe/London
schedule: null
expected_every: P1D
lateness_tolerance: PT6H
licence: "made up"
provenance: "made by the test"
sources:
  beds:
    path: null
    url: null
    query: "select site, day, occupied from desk.beds order by 1, 2"
    connection: {CONNECTION}
    format: {{type: csv}}
    published_at: {{last_modified: true}}
    known_at: {{published_at: true}}
outputs:
  - name: beds
    contract: usage
    source: beds
    place: {{level: facility, system: test_site, code: site}}
    period: {{column: day, format: "%Y-%m-%d", role: start, grain: day}}
    service_or_resource: bed_general
    values:
      - {{column: occupied, measure: occupied, statistic: snapshot, unit: beds}}
"""
ROWS = f"select value::int, line from canonical.usage join raw.load using (load_id) where feed = '{FEED}'"
FAILED = f"select message from landing.fetch where feed = '{FEED}' and outcome = 'failed'"
DATABASES = ("warehouse", "airflow", "mlflow")


@pytest.fixture
def publisher(job: Any) -> Iterator[tuple[str, str]]:
    """A database of a publisher's, whose login has a password: yield (login, password)."""
    login, password = "desk_reader", secrets.token_hex(24)
    name = sql.Identifier(login)
    with psycopg.connect(job.dsn("admin", "postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("create role {} login password {}").format(name, sql.Literal(password)))
        admin.execute("create database e2e_desk")
    with psycopg.connect(job.dsn("admin", "e2e_desk"), autocommit=True) as admin:
        admin.execute("create schema desk")
        admin.execute("create table desk.beds (site text, day date, occupied int)")
        admin.execute("insert into desk.beds values ('N1', '2025-03-01', 41), ('N2', '2025-03-01', 42)")
        admin.execute(sql.SQL("grant connect on database e2e_desk to {}").format(name))
        admin.execute(sql.SQL("grant usage on schema desk to {}").format(name))
        admin.execute(sql.SQL("grant select on desk.beds to {}").format(name))
    file = job.root / "dags" / "feeds" / f"{FEED}.yml"
    file.write_text(YAML, encoding="utf-8")
    try:
        yield login, password
    finally:
        file.unlink()


def run_to_its_end(client: airflow_client.AirflowClient) -> tuple[str, str]:
    """Trigger the feed's DAG; return (run id, state)."""
    run_id = client.trigger(DAG)
    deadline = time.monotonic() + 400
    while (state := client.run(DAG, run_id)["state"]) not in ("success", "failed"):
        assert time.monotonic() < deadline, f"{DAG} is {state}"
        time.sleep(1)
    return run_id, state


def files_with(var: Path, word: str) -> list[str]:
    """Return every file below var/ that holds a word: logs, landed bytes, the databases' own files."""
    found = []
    for path in var.rglob("*"):
        # A file of a database that runs may go, or be emptied, meanwhile.
        with suppress(FileNotFoundError, ValueError):
            if not path.is_file() or path.is_symlink():
                continue
            with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if content.find(word.encode()) >= 0:
                    found.append(str(path.relative_to(var)))
    return found


def tables_with(job: Any, word: str) -> set[str]:
    """Return every table of every database with a row that holds a word."""
    found = set()
    for database in DATABASES:
        tables = job.query(
            "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables "
            "where schemaname not in ('pg_catalog', 'information_schema')",
            database=database,
        )
        for (table,) in tables:
            if job.query(f"select exists(select from {table} t where t::text like '%{word}%')",
                         database=database)[0][0]:  # fmt: skip
                found.add(f"{database}: {table}")
    return found


def test_credentials_are_airflow_s_and_stay_there(
    job: Any, publisher: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREGRID_VAR", str(job.var))
    login, password = publisher
    client = airflow_client.sign_in()
    server = urlsplit(job.dsn("admin"))
    connection = {
        "connection_id": CONNECTION, "conn_type": "postgres", "host": server.hostname, "port": server.port,
        "login": login, "password": password, "schema": "e2e_desk",
    }  # fmt: skip
    client.request("POST", "/connections", json=connection)
    deadline = time.monotonic() + 300
    while DAG not in client.dag_ids():
        assert time.monotonic() < deadline, f"Airflow does not find {DAG}: {client.import_errors()}"
        time.sleep(2)
    client.unpause(DAG)
    run_id, state = run_to_its_end(client)
    assert state == "success"
    assert sorted(job.query(ROWS)) == [(41, 2), (42, 3)]
    assert job.query(f"select run_id from raw.load where feed = '{FEED}'") == [(run_id,)]
    (task,) = [t for t in client.task_instances(DAG, run_id) if t["task_id"] == "land_and_stage"]
    assert (task["state"], task["try_number"]) == ("success", 1)

    # A password that is wrong is told as such, and not told.
    wrong = secrets.token_hex(24)
    client.request("PATCH", f"/connections/{CONNECTION}", json=connection | {"password": wrong})
    failed_id, state = run_to_its_end(client)
    assert state == "failed"
    messages = [message for (message,) in job.query(FAILED)]
    assert messages
    assert all("password authentication failed" in message for message in messages)

    # The search finds what is there: the connection's name in logs and tables, the login in its own table.
    assert any(name.startswith("logs/airflow/") and run_id in name for name in files_with(job.var, FEED))
    assert {"airflow: public.connection", "warehouse: landing.file"} <= tables_with(job, CONNECTION)
    for secret in (password, wrong):
        assert tables_with(job, secret) == set()
        assert files_with(job.var, secret) == []
    told = client.request("GET", f"/connections/{CONNECTION}")
    assert told["login"] == login
    assert not {password, wrong} & set(map(str, told.values()))
    for name in (run_id, failed_id):
        path = f"/dags/{DAG}/dagRuns/{name}/taskInstances/land_and_stage/logs/1"
        logs = client.request("GET", path, headers={"Accept": "application/json"})
        assert logs["content"]
        assert not any(secret in str(logs) for secret in (password, wrong))
