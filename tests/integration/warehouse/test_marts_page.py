"""What an analyst meets: every query of docs/marts.md, run as the reader of BI tools, against what polars
finds in the files; and the served tables as a BI tool lists, describes and reads them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy
import yaml
from caregrid import moment
from caregrid.database.connect import connect
from caregrid.paths import ROOT

from tests.integration.warehouse import marts_health_answers, marts_network
from tests.integration.warehouse.marts_answers import ANSWERS

pytestmark = pytest.mark.integration

PAGE = (ROOT / "docs" / "marts.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"^\*([^*\n]+\?)\*\n\n```sql\n(.+?)\n```$", PAGE, flags=re.M | re.S))


# The two drivers that BI tools in Python bring: Superset's and its successor.
DRIVERS = ("psycopg2", "psycopg")


@pytest.fixture(scope="module")
def served(network: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(moment.VARIABLE, json.dumps({"*": marts_network.AS_OF.isoformat()}))
        marts_network.fill(network)
        yield


def comparable(value: Any) -> Any:
    """A value as both sides write it: numbers as floats, moments in UTC."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.timestamp()
    return value.isoformat() if isinstance(value, date) else value


def table(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows in an order of their own: the text of their cells, numbers rounded."""
    told = [tuple(comparable(value) for value in row) for row in rows]
    return sorted(told, key=lambda row: [f"{x:.6f}" if isinstance(x, float) else str(x) for x in row])


def alike(row: tuple[Any, ...], answer: tuple[Any, ...]) -> bool:
    """Equal, but for the last digits of numbers, which depend on the order of adding."""
    return len(row) == len(answer) and all(
        math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
        if isinstance(one, float) and isinstance(other, float)
        else one == other
        for one, other in zip(row, answer, strict=True)
    )


def test_the_page_asks_enough_and_every_question_has_an_answer() -> None:
    assert marts_health_answers.BROKEN
    assert len(re.findall("```sql", PAGE)) == len(QUERIES)
    assert set(QUERIES) == set(ANSWERS)
    for audience in ("operations_", "quality_", "planning_", "data_health_"):
        assert sum(f"marts.{audience}" in query for query in QUERIES.values()) >= 4


@pytest.mark.parametrize("question", QUERIES)
def test_the_query_gives_what_polars_finds_in_the_files(served: None, question: str) -> None:
    with connect("bi_reader") as connection:
        found = table(connection.execute(QUERIES[question].encode()).fetchall())
    expected = table(ANSWERS[question]().rows())
    assert expected, "an answer without rows proves nothing"
    assert len(found) == len(expected), (found[:20], expected[:20])
    apart = [pair for pair in zip(found, expected, strict=True) if not alike(*pair)]
    assert apart == []


def test_next_on_the_board_is_the_first_hour_that_has_not_ended(served: None) -> None:
    """The first hour that was forecast has passed everywhere, and of some hospitals all of them have."""
    with connect("bi_reader") as connection:
        found = connection.execute(
            "select code, next_period_start - observed_period_start, next_median - occupied_beds, "
            "forecast_remark from marts.operations_now_and_next join core.dim_place using (place_id) "
            "where feed = 'sim_beds' and service_or_resource = 'bed_general_acute'"
        ).fetchall()
    passed = {row[0]: row for row in found if row[0] in marts_network.PAST}
    assert set(passed) == set(marts_network.PAST)
    for _, start, median, remark in passed.values():
        assert (start, median) == (None, None)
        assert remark == (
            "what was forecast has passed, and no newer forecast has been made · "
            "所预测的时段已过，尚无新的预测"
        )
    others = [row for row in found if row[0] not in passed]
    assert others
    ahead = timedelta(hours=marts_network.HOURS[1])
    assert {row[1:3] for row in others} == {(ahead, marts_network.EXPECTED[0.5][1])}


def declared() -> dict[tuple[str, str], dict[str, Any]]:
    """What dbt declares of the served tables: (schema, table) → the model's entry."""
    found = {}
    for schema in ("core", "marts"):
        for file in (ROOT / "dbt" / "models" / schema).rglob("*.yml"):
            for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", []):
                found[schema, model["name"]] = model
    assert len(found) > 40
    return found


@pytest.fixture(scope="module", params=DRIVERS)
def client(
    served: None, warehouse_module: Any, request: pytest.FixtureRequest
) -> Iterator[sqlalchemy.Engine]:
    """A BI tool's connection over TCP as bi_reader."""
    url = sqlalchemy.make_url(warehouse_module.dsn("bi_reader"))
    assert url.host == "127.0.0.1"
    engine = sqlalchemy.create_engine(url.set(drivername=f"postgresql+{request.param}"))
    yield engine
    engine.dispose()


def test_a_bi_tool_lists_every_table_and_no_other(client: sqlalchemy.Engine) -> None:
    inspector = sqlalchemy.inspect(client)
    assert {"core", "marts"} <= set(inspector.get_schema_names())
    listed = {
        (schema, name)
        for schema in inspector.get_schema_names()
        if schema != "information_schema"
        for name in (*inspector.get_table_names(schema), *inspector.get_view_names(schema))
        if inspector.has_table(name, schema)
    }
    readable = {(schema, name) for schema, name in listed if schema in ("core", "marts")}
    assert readable == set(declared())


def test_a_bi_tool_finds_types_comments_and_keys(client: sqlalchemy.Engine) -> None:
    inspector = sqlalchemy.inspect(client)
    for (schema, name), model in declared().items():
        assert len(inspector.get_table_comment(name, schema)["text"] or "") > 20, name
        columns = inspector.get_columns(name, schema)
        assert [column["name"] for column in columns] == [column["name"] for column in model["columns"]], name
        for column in columns:
            assert not isinstance(column["type"], sqlalchemy.types.NullType), (name, column["name"])
            assert column["comment"], (name, column["name"])
        if "unnested" in model["config"]["meta"]:
            continue  # a view: the index is on what it reads
        unique = [index["column_names"] for index in inspector.get_indexes(name, schema) if index["unique"]]
        assert model["config"]["meta"]["key"] in unique, (name, unique)


def test_a_bi_tool_reads_every_table(client: sqlalchemy.Engine) -> None:
    found = sqlalchemy.MetaData()
    for schema in ("core", "marts"):
        found.reflect(client, schema=schema, views=True)
    assert {(table.schema, table.name) for table in found.tables.values()} == set(declared())
    filled = 0
    with client.connect() as connection:
        for table in found.tables.values():
            count = connection.scalar(sqlalchemy.select(sqlalchemy.func.count()).select_from(table))
            rows = connection.execute(sqlalchemy.select(table).limit(10)).mappings().all()
            assert len(rows) == min(10, count or 0), table.name
            assert all(set(row) == {column.name for column in table.columns} for row in rows)
            filled += bool(rows)
    assert filled > len(found.tables) * 0.9
