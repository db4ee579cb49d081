"""Credentials come from Airflow's connections by id, in either form of the environment; none is repeated."""

from __future__ import annotations

import pytest
from caregrid.errors import CareGridError
from caregrid.landing.connections import connection

pytestmark = pytest.mark.unit

URI = "postgres://reader:s%40cret@db.example:5433/exports?sslmode=require"
JSON = (
    '{"conn_type": "postgres", "host": "db.example", "port": 5433, "login": "reader", "password": "s@cret", '
    '"schema": "exports", "extra": {"sslmode": "require"}}'
)


@pytest.mark.parametrize("in_a_task", [False, True])
@pytest.mark.parametrize("given", [URI, JSON])
def test_both_forms_say_the_same(given: str, in_a_task: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.execution_time import task_runner

    if in_a_task:
        # Airflow's own search, which the environment answers before anybody is asked.
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", None, raising=False)
    monkeypatch.setenv("AIRFLOW_CONN_NORTH_DB", given)
    found = connection("north_db", "feed.yml")
    assert (found.type, found.host, found.port, found.login) == ("postgres", "db.example", 5433, "reader")
    assert (found.password, found.schema, dict(found.extra)) == ("s@cret", "exports", {"sslmode": "require"})
    assert "s@cret" not in repr(found)
    assert "require" not in repr(found)


@pytest.mark.parametrize("given", [JSON[:-1], JSON.replace("5433", '"x"'), '{"password": "s@cret", "odd": 1}',
                                   JSON.replace('{"sslmode": "require"}', '"s@cret"')])  # fmt: skip
def test_what_cannot_be_read_is_not_repeated(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_NORTH_DB", given)
    with pytest.raises(CareGridError, match="'north_db' cannot be read") as broken:
        connection("north_db", "feed.yml: sources.beds")
    assert "s@cret" not in str(broken.value)
    assert broken.value.__cause__ is None
    assert "AIRFLOW_CONN_NORTH_DB" in broken.value.fix


def test_credentials_are_of_one_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_NORTH", URI)
    given = connection("north", "feed.yml")
    assert given.only_host("https://DB.example:444/x", "feed.yml") == "db.example"
    for url in ("https://db.example.org/x", "https://example/x", "https://db.example@evil.example/x"):
        with pytest.raises(CareGridError, match="sent to no other"):
            given.only_host(url, "feed.yml")
    monkeypatch.setenv("AIRFLOW_CONN_NORTH", '{"login": "reader"}')
    with pytest.raises(CareGridError, match="sent to no other"):
        connection("north", "feed.yml").only_host("https:///x", "feed.yml")


def test_none_is_told_by_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_NORTH", raising=False)
    with pytest.raises(CareGridError, match=r"feed.yml: sources.beds: there is no connection 'north'"):
        connection("north", "feed.yml: sources.beds")
