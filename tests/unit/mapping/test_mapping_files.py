"""What the mapping learns from a whole file: its clock, its keys, its types."""

# ruff: noqa: E501 - texts of files and feeds keep their lines

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from caregrid.mapping import UnreadableFile

pytestmark = pytest.mark.unit


def column(outcome: Any, name: str) -> list[Any]:
    return outcome.rows[name].to_list()


def test_two_columns_of_local_times_are_told_apart_by_their_own_order(small: Any) -> None:
    values = """
      - {column: n, measure: occupied, period: {column: day, format: "%Y-%m-%d %H:%M", role: instant, grain: instant, ambiguous: in_order}}
      - {column: m, measure: waiting, period: {column: seen, format: "%Y-%m-%d %H:%M", role: instant, grain: instant, ambiguous: in_order}}
"""
    text = "id,day,seen,n,m\n" + "a,2024-10-27 02:30,2024-10-27 02:30,1,2\n" * 2
    outcome = small.map(small.usage(values=values), text, batch_rows=1)
    hours = {name: [] for name in ("n", "m")}
    for row in outcome.rows.iter_rows(named=True):
        hours[row["value_name"]].append(row["period_start"].hour)
    assert hours == {"n": [0, 1], "m": [0, 1]}
    assert not outcome.rows["time_is_ambiguous"].any()


def test_a_key_of_ndjson_may_first_appear_late(small: Any) -> None:
    lines = [json.dumps({"id": "a", "day": "2024-01-01"})] * 3 + [
        json.dumps({"id": "b", "day": "2024-01-01", "n": 4})
    ]
    outcome = small.map(small.usage(form="{type: ndjson}"), "\n".join(lines), batch_rows=2)
    assert column(outcome, "value") == [None, None, None, 4.0]


def test_an_expression_that_fails_on_a_cell_says_so(small: Any) -> None:
    text = "id,day,n\na,2024-01-01,1\na,2024-01-02,x\n"
    with pytest.raises(UnreadableFile, match="TRY_CAST"):
        small.map(small.usage(more='    where: "CAST(n AS INTEGER) > 0"'), text)
    kept = small.map(small.usage(more='    where: "TRY_CAST(n AS INTEGER) > 0"'), text)
    assert (column(kept, "value"), kept.filtered.rows()) == ([1.0], [(3, "")])


TYPED = """\
sources:
  s:
    path: small.parquet
    format: {type: parquet}
    published_at: {column: sent}
    known_at: {column: sent}
outputs:
  - name: out
    contract: usage
    source: s
    place: {level: facility, system: small, code: id}
    period: {column: day, role: label, grain: day}
    observed_at: {column: seen}
    service_or_resource: bed
    is_provisional: late
    reporting_units: units
    values: [{column: n, measure: occupied, suppressed: [-1]}]
  - name: sites
    contract: facility
    source: s
    place: {level: facility, system: small, code: id}
    fields: {name: id, valid_from: day}
"""


def test_typed_columns_need_no_format(small: Any) -> None:
    frame = pl.DataFrame(
        {
            "id": ["01", "02", "03"],
            "day": [date(2024, 1, 1), date(2024, 1, 1), None],
            "seen": [datetime(2024, 1, 1, 12), datetime(2024, 7, 1, 12), None],  # noqa: DTZ001 - wall clock
            "sent": [datetime(2024, 1, 2, tzinfo=UTC)] * 3,
            "n": [3.0, -1.0, float("nan")],
            "late": [True, False, None],
            "units": [5, None, 2],
        }
    )
    path = small.directory / "small.parquet"
    frame.write_parquet(path)
    outcome = small.run(small.feed(TYPED), path)
    rows = pl.concat([result.rows for result in outcome.results[0::2]])
    assert rows.select("code", "value", "value_status", "is_provisional", "reporting_units").rows() == [
        ("01", 3.0, "reported", True, 5),
        ("02", None, "suppressed", False, None),
    ]
    assert rows["observed_at"].to_list() == [
        datetime(2024, 1, 1, 11, tzinfo=UTC),
        datetime(2024, 7, 1, 10, tzinfo=UTC),
    ]
    assert rows["period_start"].to_list() == [datetime(2023, 12, 31, 23, tzinfo=UTC)] * 2
    assert outcome.reasons == [(3, "no_key", "period")]
    sites = outcome.results[1].rows
    assert sites["valid_from"].to_list() == [date(2024, 1, 1), date(2024, 1, 1), None]
