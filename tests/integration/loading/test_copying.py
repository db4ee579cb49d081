"""What COPY writes is what the frame holds, in both forms."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from caregrid.loading.copying import copy_frame, copy_frame_binary

pytestmark = pytest.mark.integration

FRAME = pl.DataFrame(
    {
        "id": [1, 2, 3, 4, 5],
        "small": [1, None, -3, 4, 5],
        "value": [0.1, None, 1e300, -0.0, 5e-324],
        "status": ["reported", "missing", "", None, "é\"\\,\n"],
        "flag": [True, False, None, True, False],
        "moment": [
            datetime(2025, 1, 1, tzinfo=UTC), None, datetime(1899, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
            datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        ],
        "day": [date(2025, 1, 1), None, date(1900, 2, 28), date(2000, 1, 1), date(9999, 12, 31)],
        "names": [["a", 'b"c'], [], None, ["\\", "ü,;{}"], ["", "NULL"]],
    },
    schema={
        "id": pl.Int64, "small": pl.Int32, "value": pl.Float64, "status": pl.String, "flag": pl.Boolean,
        "moment": pl.Datetime("us", "UTC"), "day": pl.Date, "names": pl.List(pl.String),
    },
)  # fmt: skip
BINARY = ["id", "small", "value", "status", "flag", "moment"]


@pytest.fixture(scope="module")
def table(warehouse_module: Any) -> Any:
    with warehouse_module.connect("owner", autocommit=True) as connection:
        connection.execute(
            "create table raw.example (id bigint, small integer, value double precision, status text, "
            "flag boolean, "
            "moment timestamptz, day date, names text[])"
        )
        yield connection


@pytest.mark.parametrize(("write", "columns"), [(copy_frame, FRAME.columns), (copy_frame_binary, BINARY)])
def test_every_value_comes_back(table: Any, write: Any, columns: list[str]) -> None:
    table.execute("truncate raw.example")
    with table.cursor() as cursor:
        assert write(cursor, ("raw", "example"), columns, iter([FRAME, FRAME.clear()])) == FRAME.height
    found = table.execute(f"select {', '.join(columns)} from raw.example order by id").fetchall()
    assert found == FRAME.select(columns).rows()
