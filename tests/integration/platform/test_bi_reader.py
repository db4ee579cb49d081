"""What the reader of BI tools may do, tried as that role over TCP."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def served(warehouse: Any) -> Any:
    """Core and marts as dbt would have published them, by the role that owns them."""
    with warehouse.connect("dbt") as dbt:
        for schema in ("core", "marts", "build_core", "build_marts"):
            dbt.execute(f"create schema if not exists {schema}")
            dbt.execute(f"create table {schema}.number as select 1 as value")
        for schema in ("core", "marts"):
            dbt.execute(f"grant usage on schema {schema} to bi_reader")
            dbt.execute(f"grant select on all tables in schema {schema} to bi_reader")
    return warehouse


def test_reader_reads_core_and_marts_without_naming_the_schema(served: Any) -> None:
    with served.connect("bi_reader") as reader:
        assert reader.execute("select value from core.number").fetchone() == (1,)
        assert reader.execute("select value from number").fetchone() == (1,)


def test_reader_holds_no_privilege_on_any_other_table(served: Any) -> None:
    with served.connect("bi_reader") as reader:
        readable = reader.execute(
            "select distinct n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind in ('r', 'p', 'v', 'm') and n.nspname !~ '^pg_|^information_schema$'"
            " and has_schema_privilege(n.oid, 'usage')"
            " and has_table_privilege(c.oid, 'select, insert, update, delete')"
        ).fetchall()
    assert {name for (name,) in readable} == {"core", "marts"}


@pytest.mark.parametrize(
    "statement",
    [
        "create table marts.mine (a int)",
        "create temporary table mine (a int)",
        "create schema mine",
        "insert into core.number values (2)",
        "select * from canonical.usage",
        "select * from build_core.number",
        "select * from rejected.record",
        "select * from action.alert_event",
        "copy core.number to program 'id'",
        "select pg_read_file('postgresql.conf')",
        "set role caregrid_owner",
        "select lo_create(0)",
        "select lo_creat(-1)",
        "select lo_from_bytea(0, 'x')",
    ],
)
def test_reader_is_refused(served: Any, statement: str) -> None:
    with served.connect("bi_reader", autocommit=True) as reader:
        # The role's own setting is no protection: anyone may switch it off.
        reader.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(statement)


def test_reader_cannot_enter_other_databases(served: Any, database_server: dict[str, str]) -> None:
    for database in ("airflow", "mlflow", "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(f"{served.dsn('bi_reader').rsplit('/', 1)[0]}/{database}")


def test_reader_is_read_only_by_default(served: Any) -> None:
    with served.connect("bi_reader") as reader:
        assert reader.execute("show default_transaction_read_only").fetchone() == ("on",)
