"""The way of a column as a person reads it, in a shell and on a page, up to the columns of the feeds."""

from __future__ import annotations

from pathlib import Path

import pytest
from caregrid.errors import CareGridError
from caregrid.feeds import load_feed
from caregrid.lineage.columns import Made, Step
from caregrid.mapping.origins import origins
from caregrid.platform.lineage_page import write_lineage_page
from caregrid.warehouse import lineage as room
from caregrid.warehouse.lineage import Lineage, read_lineage
from caregrid.warehouse.lineage_text import lineage_text

pytestmark = pytest.mark.unit

USAGE = ("canonical.usage", "value")
FOUND = Lineage(
    "0",
    {
        "marts.a": {
            "rate": Made(
                {("core.b", "total"): Step.AGGREGATION, ("core.c", "total"): Step.IDENTITY},
                expression="max(b.total)\n  / <c.total>",
            ),
            "rows": Made(rows=("core.b",), expression="count(*)"),
            "kind": Made(expression="'a'"),
        },
        "core.b": {"total": Made({("core.c", "total"): Step.TRANSFORMATION})},
        "core.c": {
            "total": Made({USAGE: Step.IDENTITY, ("build_seeds.unit", "factor"): Step.TRANSFORMATION})
        },
        "core.d": {"lost": Made()},
    },
    ["build_seeds.unit"],
    {"core.d": "models/core/d.sql: sqlglot cannot read it"},
)


def told(column: str) -> list[str]:
    return lineage_text(FOUND, *column.rsplit(".", 1), [load_feed("sim_beds")]).splitlines()


def test_the_way_is_drawn_and_what_is_met_again_is_not_told_again() -> None:
    lines = told("marts.a.rate")
    assert lines[:8] == [
        "marts.a.rate",
        "│  = max(b.total) / <c.total>",
        "├─ aggregated from core.b.total",
        "│  └─ computed from core.c.total",
        "│     ├─ canonical.usage.value  [loaded]",
        "│     └─ computed from build_seeds.unit.factor  [a file of dbt/seeds]",
        "└─ core.c.total (as above)",
        "",
    ]
    assert lines[8] == "canonical.usage.value is filled from"
    assert lines[9].startswith("   sim_beds, hourly, output beds: general.beds, general.staffed, ")
    # A value that is a constant comes from no column.
    assert len(lines) == 10


def test_what_comes_of_no_column_says_what_it_is() -> None:
    assert told("marts.a.rows")[1:] == ["   = count(*)", "   counts the rows of core.b"]
    assert told("marts.a.kind")[1:] == ["   = 'a'", "   comes of no column: it stands in the SQL"]
    assert told("core.d.lost")[1:] == [
        "   cannot be followed: models/core/d.sql: sqlglot cannot read it",
    ]


def test_a_column_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(CareGridError, match=r"marts\.a has no column ratio") as no_column:
        told("marts.a.ratio")
    assert "rate, rows, kind" in str(no_column.value)
    with pytest.raises(CareGridError, match=r"no model makes core\.e") as no_table:
        told("core.e.total")
    assert "core.b, core.c, core.d" in str(no_table.value)


def test_a_table_that_is_made_of_itself_ends() -> None:
    looped = Lineage("0", {"core.x": {"v": Made({("core.x", "v"): Step.IDENTITY, USAGE: Step.IDENTITY})}})
    assert lineage_text(looped, "core.x", "v", []).splitlines() == [
        "core.x.v", "├─ core.x.v (as above)", "└─ canonical.usage.value  [loaded]",
    ]  # fmt: skip
    assert looped.ends("core.x", "v") == {USAGE}


def test_what_is_kept_is_read_back_and_shown_on_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path))
    with pytest.raises(CareGridError, match="has not been written yet"):
        read_lineage()
    room._write(FOUND)
    assert read_lineage() == FOUND
    page = write_lineage_page().read_text(encoding="utf-8")
    assert "max(b.total) / &lt;c.total&gt;" in page
    assert "models/core/d.sql: sqlglot cannot read it" in page
    assert "sim_beds, hourly, output beds: general.beds" in page
    assert "http" not in page


def test_the_columns_of_a_feed_are_found_by_what_they_fill() -> None:
    feeds = [load_feed("tw_nhi_facilities"), load_feed("sim_beds")]
    (beds,) = [found for found in origins(feeds, "latest", "value") if found.output == "beds"]
    assert (beds.feed, beds.sources, len(beds.columns)) == ("sim_beds", ("hourly",), 11)
    assert {found.columns for found in origins(feeds, "usage", "place_id")} == {("hospital",)}
    assert {found.columns for found in origins(feeds, "usage", "period_start")} == {
        ("at",), ("started_at", "expires_at"),
    }  # fmt: skip
    phones = {found.output: found.columns for found in origins(feeds, "facility", "phone")}
    assert phones["facilities_2024"] == ("hosptel",)
    # A constant is no column.
    assert origins(feeds, "facility", "country_code") == []
