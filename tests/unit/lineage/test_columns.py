"""What a column is made of, told from SQL: every way in which a query can hide where a value comes from."""

from __future__ import annotations

import pytest
from caregrid.errors import CareGridError
from caregrid.lineage.columns import Made, Step, columns_of

pytestmark = pytest.mark.unit

KNOWN = {
    "core.usage": ("series_id", "value", "period_start", "reasons"),
    "core.series": ("series_id", "measure", "place_id", "first", "last"),
    "canonical.place": ("place_id", "code"),
}


def made(query: str) -> dict[str, set[tuple[str, str]]]:
    return {name: set(one.of) for name, one in columns_of(query, KNOWN).items()}


def one(query: str) -> Made:
    (found,) = columns_of(query, KNOWN).values()
    return found


def test_columns_are_followed_through_chains_of_common_tables_and_stars() -> None:
    query = """
    with joined as (
        select usage.*, series.measure from "warehouse"."core"."usage" as usage
        inner join core.series as series on usage.series_id = series.series_id
    ),
    again as (select * from joined where value is not null)
    select
        measure,
        sum(value) filter (where measure = 'occupied') / nullif(max(value), 0) as rate,
        period_start at time zone 'UTC' as period_start_local,
        count(*) as rows,
        'x' as constant
    from again group by measure, period_start
    """
    assert made(query) == {
        "measure": {("core.series", "measure")},
        "rate": {("core.series", "measure"), ("core.usage", "value")},
        "period_start_local": {("core.usage", "period_start")},
        "rows": set(),
        "constant": set(),
    }


def test_how_a_column_is_made_is_told_with_it() -> None:
    found = columns_of(
        "with a as (select sum(value) as total, series_id as key from core.usage group by 2) "
        "select key, total + 1 as more, key || 'x' as name from a",
        KNOWN,
    )
    assert found["key"].of == {("core.usage", "series_id"): Step.IDENTITY}
    assert found["more"].of == {("core.usage", "value"): Step.AGGREGATION}
    assert found["name"].of == {("core.usage", "series_id"): Step.TRANSFORMATION}
    assert [found[name].expression for name in found] == ["", "total + 1", "key || 'x'"]


def test_both_sides_of_a_union_are_told_by_order_and_not_by_name() -> None:
    query = (
        "select value as x, null as y from core.usage union all "
        "select place_id, measure from core.series union select code, code from canonical.place"
    )
    assert made(query) == {
        "x": {("core.usage", "value"), ("core.series", "place_id"), ("canonical.place", "code")},
        "y": {("core.series", "measure"), ("canonical.place", "code")},
    }


def test_a_window_is_part_of_what_a_column_is_made_of() -> None:
    query = "select lag(value) over (partition by series_id order by period_start) as before from core.usage"
    assert made(query) == {
        "before": {("core.usage", name) for name in ("value", "series_id", "period_start")}
    }


def test_a_recursive_query_leads_to_what_it_began_with() -> None:
    query = """
    with recursive reached as (
        select place_id, place_id as member from core.series
        union select reached.place_id, other.series_id from reached
        inner join core.series as other on other.place_id = reached.member
    ) select place_id, member from reached
    """
    assert made(query) == {
        "place_id": {("core.series", "place_id")},
        "member": {("core.series", "place_id"), ("core.series", "series_id")},
    }


@pytest.mark.parametrize(
    ("source", "of"),
    [
        ("cross join lateral jsonb_array_elements(usage.reasons) as x (v)", {("core.usage", "reasons")}),
        ("cross join lateral unnest(usage.reasons) as v", {("core.usage", "reasons")}),
        (
            "cross join lateral (select s.measure as v from core.series as s "
            "where s.series_id = usage.series_id) as x",
            {("core.series", "measure")},
        ),
        (
            "cross join lateral (values ('a', usage.value), ('b', usage.reasons)) as x (n, v)",
            {("core.usage", "value"), ("core.usage", "reasons")},
        ),
        (
            "inner join core.series as s on true cross join lateral generate_series(s.first, s.last) as v",
            {("core.series", "first"), ("core.series", "last")},
        ),
    ],
)  # fmt: skip
def test_what_stands_in_from_and_is_no_table_is_followed(source: str, of: set[tuple[str, str]]) -> None:
    assert made(f"select v from core.usage as usage {source}") == {"v": of}


def test_queries_within_an_expression_are_followed() -> None:
    scalar = (
        "select (select max(s.last) from core.series as s where s.series_id = u.series_id) as v "
        "from core.usage as u"
    )
    assert made(scalar) == {"v": {("core.series", "last")}}
    exists = (
        "select exists (select 1 from core.series as s where s.series_id = u.series_id and s.measure = 'x') "
        "as v from core.usage as u"
    )
    assert made(exists) == {
        "v": {("core.series", "series_id"), ("core.series", "measure"), ("core.usage", "series_id")}
    }


def test_a_count_names_the_tables_whose_rows_it_counts() -> None:
    query = """
    with a as (select series_id, count(*) as n from core.usage group by 1)
    select coalesce(a.n, 0) as n from core.series as s left join a on s.series_id = a.series_id
    """
    assert one(query) == Made(rows=("core.usage",), expression="COALESCE(a.n, 0)")
    assert one("select 'x' as constant from core.usage") == Made(expression="'x'")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select from where (", "sqlglot cannot read it"),
        ("vacuum core.usage", "not a query"),
        ("select missing.value from core.usage as usage", "no table in sight has"),
        ("select value from core.usage union select measure, place_id from core.series", "not followed"),
    ],
)
def test_what_cannot_be_read_is_said(query: str, told: str) -> None:
    with pytest.raises(CareGridError, match=told):
        columns_of(query, KNOWN)
