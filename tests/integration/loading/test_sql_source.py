"""A query against the real PostgreSQL as a source: reading only, one moment, the same rows the same bytes."""

from __future__ import annotations

import json
from datetime import date
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pytest
from caregrid import loading
from caregrid.landing import disk
from caregrid.landing.connections import Connection
from caregrid.landing.transports.sql import parameters

from tests.integration.loading.servers import nothing_half_landed

pytestmark = pytest.mark.integration

QUERY = "select site, site_name, day, occupied, capacity from exports.beds order by 1, 3"


@pytest.fixture
def north(publisher: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The publisher with a table of its own in a database, and a login that may read and write it."""
    with publisher.warehouse.connect("owner") as owner:
        owner.execute("create schema exports")
        owner.execute(
            "create table exports.beds (site text, site_name text, day date, occupied numeric, capacity int)"
        )
        owner.execute(
            "insert into exports.beds values ('A', null, '2025-03-01', 10, 20), "
            "('B', E'North, \"old\" house', '2025-03-01', null, 20)"
        )
    connect(publisher, monkeypatch)
    ask(publisher, QUERY)
    return publisher


def connect(publisher: Any, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    url = urlsplit(publisher.warehouse.dsn("owner"))
    given = {
        "conn_type": "postgres", "host": url.hostname, "port": url.port, "login": url.username,
        "password": unquote(url.password or ""), "schema": url.path.lstrip("/"), **changes,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_NORTH_DB", json.dumps(given))


def ask(publisher: Any, query: str) -> None:
    publisher.write_feed(
        path="none_*.csv", url=f"null\n    query: {json.dumps(query)}\n    connection: north_db"
    )
    text = publisher.feed.read_text()
    line = next(line for line in text.splitlines() if "published_at: {file_name" in line)
    publisher.feed.write_text(text.replace(line, "    published_at: {last_modified: true}"))


def execute(publisher: Any, statement: str) -> None:
    with publisher.warehouse.connect("owner") as owner:
        owner.execute(statement.encode())


def outcomes(publisher: Any) -> list[tuple[str, str]]:
    return publisher.query("select uri, outcome from landing.fetch order by fetch_id")


def test_rows_are_landed_as_csv_and_the_same_rows_are_unchanged(north: Any) -> None:
    summary = north.ingest()
    assert (summary["files_landed"], summary["records_received"], summary["rows_rejected"]) == (1, 2, 0)
    ((sha256,),) = north.query("select sha256 from landing.file")
    assert disk.path_of(sha256).read_text() == (
        'site,site_name,day,occupied,capacity\nA,,2025-03-01,10,20\nB,"North, ""old"" house",2025-03-01,,20\n'
    )
    assert north.ingest()["files_unchanged"] == 1
    execute(north, "update exports.beds set occupied = 11 where site = 'A'")
    assert north.ingest()["files_landed"] == 1
    assert outcomes(north) == [("sql://north_db/beds.csv", word) for word in ("new", "unchanged", "new")]


def test_the_settings_of_the_login_change_no_byte(north: Any) -> None:
    ask(north, "select 'A' as site, '' as site_name, timestamptz '2025-03-01 00:00+00' as day, "
               "0.1::float8 as occupied, 20 as capacity -- all of it")  # fmt: skip
    north.ingest()
    execute(north, "alter role current_user set timezone = 'Asia/Taipei'")
    try:
        execute(north, "alter role current_user set datestyle = 'German'")
        execute(north, "alter role current_user set extra_float_digits = 0")
        assert north.ingest()["files_unchanged"] == 1
    finally:
        execute(north, "alter role current_user reset all")


def test_a_dated_query_asks_for_the_day(north: Any) -> None:
    execute(north, "insert into exports.beds values ('A', null, '2025-03-02', 11, 20)")
    ask(north, "select * from exports.beds where day = date '{date:%Y-%m-%d}';")
    assert north.ingest(day=date(2025, 3, 2))["records_received"] == 1
    assert outcomes(north) == [("sql://north_db/beds_2025-03-02.csv", "new")]


def test_a_query_changes_nothing(north: Any) -> None:
    execute(north, "create function exports.empty() returns text language plpgsql as "
                   "'begin delete from exports.beds; return 1; end'")  # fmt: skip
    for query in (
        "select exports.empty() as site, '' as site_name, current_date as day, 1 as occupied, 2 as capacity",
        "delete from exports.beds returning *",
    ):
        ask(north, query)
        with pytest.raises(loading.IngestFailedError, match="read-only transaction"):
            north.ingest()
    assert north.query("select count(*) from exports.beds") == [(2,)]


def test_percent_signs_and_colons_are_sql_and_nothing_else(north: Any) -> None:
    ask(north, f"select * from ({QUERY}) as b where site::text like '%A%' and ':x' = ':x'")
    assert north.ingest()["records_received"] == 1


def test_what_goes_wrong_is_told(north: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(north, "select * from exports.nothing")
    with pytest.raises(loading.IngestFailedError, match=r'relation "exports.nothing" does not exist'):
        north.ingest()
    ask(north, QUERY)
    connect(north, monkeypatch, password="wrong-horse")
    with pytest.raises(loading.IngestFailedError, match="password authentication failed") as refused:
        north.ingest()
    assert "wrong-horse" not in str(refused.value)
    connect(north, monkeypatch, port=9)
    with pytest.raises(loading.IngestFailedError, match="cannot reach the database"):
        north.ingest()
    connect(north, monkeypatch, conn_type="mysql")
    with pytest.raises(loading.IngestFailedError, match="queries go to PostgreSQL"):
        north.ingest()
    connect(north, monkeypatch, extra={"sslmode": "verify-full"})
    with pytest.raises(loading.IngestFailedError, match="SSL"):
        north.ingest()
    monkeypatch.delenv("AIRFLOW_CONN_NORTH_DB")
    with pytest.raises(loading.IngestFailedError, match="AIRFLOW_CONN_NORTH_DB"):
        north.ingest()
    assert {outcome for _, outcome in outcomes(north)} == {"failed"}


def test_an_answer_that_breaks_off_lands_nothing(north: Any) -> None:
    ask(north, "select 'A' as site, n as site_name, current_date as day, 10 / (200000 - n) as occupied, "
               "20 as capacity from generate_series(1, 200000) as n")  # fmt: skip
    with pytest.raises(loading.IngestFailedError, match="division by zero"):
        north.ingest()
    assert north.query("select count(*) from landing.file") == [(0,)]
    assert nothing_half_landed(north)


def test_a_session_that_is_ended_from_outside_lands_nothing(north: Any) -> None:
    ask(north, "select 'A' as site, n as site_name, current_date as day, "
               "case when n = 99999 then pg_terminate_backend(pg_backend_pid())::int else 1 end as occupied, "
               "20 as capacity from generate_series(1, 200000) as n")  # fmt: skip
    with pytest.raises(loading.IngestFailedError, match="the query failed"):
        north.ingest()
    assert nothing_half_landed(north)


def test_another_machine_must_prove_its_name() -> None:
    def asked(host: str, **extra: str) -> tuple[Any, Any]:
        given = parameters(
            Connection("north_db", "postgres", host, None, "reader", "secret", "exports", extra)
        )
        return given.get("sslmode"), given.get("sslrootcert")

    assert asked("db.example") == ("verify-full", "system")
    assert asked("db.example", sslrootcert="/etc/own.pem") == ("verify-full", "/etc/own.pem")
    assert asked("db.example", sslmode="require") == ("require", None)
    assert asked("127.0.0.1") == (None, None)
    # libpq takes them all.
    psycopg.conninfo.make_conninfo(
        **parameters(Connection("n", "postgres", "db.example", 5432, "reader", "s", "exports", {}))
    )
