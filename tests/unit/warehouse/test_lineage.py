"""What a column is made of, told from SQL: through joins, common tables, stars and filters."""

from __future__ import annotations

from pathlib import Path

import pytest
from caregrid.errors import CareGridError
from caregrid.warehouse.lineage import Lineage, columns_of, read_lineage

pytestmark = pytest.mark.unit

SCHEMA = {
    "core": {
        "usage": dict.fromkeys(("series_id", "value", "period_start"), "text"),
        "series": dict.fromkeys(("series_id", "measure", "place_id"), "text"),
    }
}


def test_columns_are_followed_through_common_tables_and_stars() -> None:
    query = """
    with joined as (
        select usage.*, series.measure from "core"."usage" as usage
        inner join core.series as series on usage.series_id = series.series_id
    )
    select
        measure,
        sum(value) filter (where measure = 'occupied') / nullif(max(value), 0) as rate,
        period_start at time zone 'UTC' as period_start_local,
        count(*) as rows,
        'x' as constant
    from joined group by measure, period_start
    """
    assert columns_of(query, SCHEMA) == {
        "measure": [("core.series", "measure")],
        "rate": [("core.series", "measure"), ("core.usage", "value")],
        "period_start_local": [("core.usage", "period_start")],
        "rows": [],
        "constant": [],
    }


def test_both_sides_of_a_union_are_told() -> None:
    query = "select value as x from core.usage union all select place_id from core.series"
    assert columns_of(query, SCHEMA) == {"x": [("core.series", "place_id"), ("core.usage", "value")]}


def test_the_way_up_is_told_once_for_each_column() -> None:
    """A column met twice is named twice and followed once: else a wide graph would never end."""
    a, b, c, d = (f"s.{name}" for name in "abcd")
    found = Lineage({a: {"x": [(b, "x"), (c, "x")]}, b: {"x": [(d, "x")]}, c: {"x": [(b, "x")]}})
    assert found.trace(a, "x") == [
        (0, (a, "x")), (1, (b, "x")), (2, (d, "x")), (1, (c, "x")), (2, (b, "x")),
    ]  # fmt: skip
    with pytest.raises(CareGridError, match=r"no lineage of s\.a\.y"):
        found.trace(a, "y")


def test_a_lineage_that_was_never_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path))
    with pytest.raises(CareGridError, match="has not been written yet"):
        read_lineage()
