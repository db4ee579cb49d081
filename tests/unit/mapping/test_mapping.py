"""What the mapping makes of single records: statuses, codes, flags, wide tables, places."""

# ruff: noqa: E501 - texts of files and feeds keep their lines

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from caregrid.mapping import ROW_COLUMNS, UnreadableFile

pytestmark = pytest.mark.unit


def column(outcome: Any, name: str) -> list[Any]:
    return outcome.rows[name].to_list()


def test_columns_and_types_are_those_of_the_contract(small: Any) -> None:
    outcome = small.map(small.usage(), "id,day,n\na,2024-01-01,1\n")
    assert dict(outcome.rows.schema) == ROW_COLUMNS["usage"]


def test_missing_suppressed_zero_and_not_applicable_are_four_things(small: Any) -> None:
    outcome = small.map(
        small.usage(),
        "id,day,n\na,2024-01-01,0\na,2024-01-02,\na,2024-01-03,*\na,2024-01-04,n/a\na,2024-01-05,-\n",
    )
    assert column(outcome, "value") == [0.0, None, None, None, None]
    assert column(outcome, "value_status") == [
        "reported",
        "missing",
        "suppressed",
        "not_applicable",
        "missing",
    ]


def test_a_sentinel_is_recognised_in_every_spelling(small: Any) -> None:
    values = "[{column: n, measure: occupied, suppressed: [-999999], missing: ['-999']}]"
    outcome = small.map(
        small.usage(values=values),
        "id,day,n\na,2024-01-01,-999999\na,2024-01-02,-999999.0\na,2024-01-03,-999\na,2024-01-04,-5\n",
    )
    assert column(outcome, "value_status") == ["suppressed", "suppressed", "missing"]
    assert outcome.reasons == [(5, "negative", "value")]


def test_words_between_slashes_are_patterns(small: Any) -> None:
    values = r"[{column: n, measure: occupied, suppressed: ['/<\s*\d+/', '*']}]"
    text = "id,day,n\na,2024-01-01,<5\na,2024-01-02,< 10\na,2024-01-03,*\na,2024-01-04,<x\na,2024-01-05,5\n"
    outcome = small.map(small.usage(values=values), text)
    assert column(outcome, "value_status") == ["suppressed", "suppressed", "suppressed", "reported"]
    assert outcome.reasons == [(5, "not_a_number", "n")]


def test_the_number_within_a_text(small: Any) -> None:
    values = r"[{column: n, measure: occupied, extract: '^(\d+) beds?$'}]"
    outcome = small.map(small.usage(values=values), "id,day,n\na,2024-01-01,12 beds\na,2024-01-02,1 bed\n")
    assert column(outcome, "value") == [12.0, 1.0]


def test_zone_abbreviations_tell_the_passings_of_an_hour_apart(small: Any) -> None:
    period = '{column: day, format: "%Y-%m-%d %H:%M %Z", role: instant, grain: instant}'
    text = "id,day,n\na,2024-11-03 01:00 EDT,1\na,2024-11-03 01:00 EST,2\na,2024-07-01 01:00 EST,3\na,2024-07-01 05:00 UTC,4\n"
    outcome = small.map(small.usage(period=period, timezone="America/Toronto"), text)
    assert [moment.hour for moment in column(outcome, "period_start")] == [5, 6, 5]
    assert column(outcome, "time_is_ambiguous") == [False, False, False]
    assert [(line, code) for line, code, _ in outcome.reasons] == [(4, "nonexistent_time")]


def test_every_reason_is_told(small: Any) -> None:
    outcome = small.map(small.usage(), "id,day,n\n,2024-02-30,many\n")
    assert [(code, field) for _, code, field in outcome.reasons] == [
        ("no_key", "place.code"),
        ("unparseable_time", "period"),
        ("not_a_number", "n"),
    ]
    assert outcome.rejects[0].record == {"id": "", "day": "2024-02-30", "n": "many"}


def test_codes_are_mapped_and_unknown_ones_rejected(small: Any) -> None:
    values = "[{column: n, measure: occupied, dimensions: {care_level: {column: level, map: {'01': basic, NA: none_given}, otherwise: %s}}}]"
    text = "id,day,n,level\na,2024-01-01,1,01\na,2024-01-01,2,NA\na,2024-01-01,3,9\n"
    rejecting = small.map(small.usage(values=values % "reject"), text)
    assert column(rejecting, "dimensions") == ['{"care_level": "basic"}', '{"care_level": "none_given"}']
    assert rejecting.reasons == [(4, "unknown_code", "dimensions.care_level")]
    assert "'9'" in rejecting.rejects[0].reasons[0]["message"]
    assert (
        column(small.map(small.usage(values=values % "keep"), text), "dimensions")[2] == '{"care_level": "9"}'
    )
    assert (
        column(small.map(small.usage(values=values % "other_level"), text), "dimensions")[2]
        == '{"care_level": "other_level"}'
    )


def test_a_dimension_without_a_value_is_no_total(small: Any) -> None:
    spec = "[{column: n, measure: occupied, dimensions: {age: {column: age%s}, sex: {constant: f}}}]"
    text = "id,day,n,age\na,2024-01-01,1,\na,2024-01-01,2,19+\n"
    outcome = small.map(small.usage(values=spec % ""), text)
    assert (outcome.reasons, column(outcome, "dimensions")) == (
        [(2, "required", "dimensions.age")],
        ['{"age": "19+", "sex": "f"}'],
    )
    assert (
        column(small.map(small.usage(values=spec % ", required: false"), text), "dimensions")[0]
        == '{"sex": "f"}'
    )


def test_flag_columns_overrule_the_value(small: Any) -> None:
    values = "[{column: n, measure: occupied, status_column: f, status_map: {z: not_applicable, c: suppressed, p: provisional}}]"
    text = "id,day,n,f\na,2024-01-01,0,z\na,2024-01-02,:,c\na,2024-01-03,5,p\na,2024-01-04,6,\na,2024-01-05,7,?\n"
    outcome = small.map(small.usage(values=values), text)
    assert column(outcome, "value_status") == ["not_applicable", "suppressed", "reported", "reported"]
    assert column(outcome, "value") == [None, None, 5.0, 6.0]
    assert column(outcome, "is_provisional") == [False, False, True, False]
    assert outcome.reasons == [(6, "unknown_flag", "n")]


def test_expressions_are_null_when_a_part_is_and_keep_the_reason(small: Any) -> None:
    values = """[{expr: "n + m", measure: occupied}, {expr: "n / m", name: ratio, measure: visit_share}]"""
    text = "id,day,n,m\na,2024-01-01,1,4\na,2024-01-02,1,\na,2024-01-03,*,1\na,2024-01-04,1,0\na,2024-01-05,x,1\n"
    outcome = small.map(small.usage(values=values), text)
    sums = outcome.rows.filter(pl.col("value_name") == "value_1")
    assert sums["value"].to_list() == [5.0, None, None, 1.0]
    assert sums["value_status"].to_list() == ["reported", "missing", "suppressed", "reported"]
    ratios = outcome.rows.filter(pl.col("value_name") == "ratio")
    assert ratios["value"].to_list() == [0.25, None, None, None]
    assert ratios["value_status"].to_list() == ["reported", "missing", "suppressed", "not_applicable"]
    assert {reject.line for reject in outcome.rejects} == {6}


def test_a_future_row_without_a_value_is_filtered_and_with_one_rejected(small: Any) -> None:
    feed = small.feed(
        """\
sources:
  s:
    path: small.csv
    format: {type: csv}
    published_at: {value: "2024-01-10", assumed: true}
outputs:
  - name: out
    contract: usage
    source: s
    place: {level: facility, system: small, code: id}
    period: {column: day, format: "%Y-%m-%d", grain: day}
    service_or_resource: bed
    values: [{column: n, measure: occupied}, {column: m, measure: arrivals}]
"""
    )
    text = "id,day,n,m\na,2024-01-08,,\na,2024-01-12,,\na,2024-01-13,5,5\na,2024-01-10,5,\n"
    outcome = small.map(feed, text)
    assert outcome.filtered.rows() == [(3, "n"), (3, "m"), (5, "m")]
    assert [(line, code) for line, code, _ in outcome.reasons] == [
        (4, "known_before_period"),
        (4, "known_before_period"),
        (4, "known_before_period_end"),
    ]
    assert column(outcome, "line") == [2, 5, 2]


def test_a_count_is_not_known_before_its_period_ends(small: Any) -> None:
    text = "id,day,n,at\na,2024-01-08,5,2024-01-08 12:00\na,2024-01-08,5,2024-01-09 00:00\n"
    known = '{column: at, format: "%Y-%m-%d %H:%M"}'
    counts = small.usage(values=f"[{{column: n, measure: arrivals, known_at: {known}}}]", timezone="UTC")
    assert small.map(counts, text).reasons == [(2, "known_before_period_end", "known_at")]
    stocks = small.usage(values=f"[{{column: n, measure: occupied, known_at: {known}}}]", timezone="UTC")
    assert small.map(stocks, text).reasons == []


def test_time_in_the_header(small: Any) -> None:
    values = """
      - columns: '(\\d{4}-\\d{2})'
        measure: occupied
        statistic: average
        period: {column: $column, format: "%Y-%m", grain: month}
"""
    feed = small.usage(values=values, timezone="UTC")
    outcome = small.map(feed, "id,day,2024-01,2024-02\na,x,1,2\n")
    assert [
        (row["period_start"].month, row["value"], row["value_name"])
        for row in outcome.rows.iter_rows(named=True)
    ] == [
        (1, 1.0, "2024-01"),
        (2, 2.0, "2024-02"),
    ]


def test_a_dimension_in_the_header(small: Any) -> None:
    values = "[{columns: 'beds_(.*)', measure: capacity, dimensions: {sex: {column: $column, map: {m: male, f: female}}}}]"
    outcome = small.map(small.usage(values=values), "id,day,beds_m,beds_f\na,2024-01-01,1,2\n")
    assert column(outcome, "dimensions") == ['{"sex": "male"}', '{"sex": "female"}']


def test_measures_in_rows(small: Any) -> None:
    values = "[{column: n, name: v, measure: {column: what, map: {B: occupied, V: arrivals}}, service_or_resource: {column: where, map: {ICU: bed_icu, ER: emergency_department}}}]"
    outcome = small.map(
        small.usage(values=values),
        "id,day,n,what,where\na,2024-01-01,1,B,ICU\na,2024-01-01,2,V,ER\na,2024-01-01,3,X,ER\n",
    )
    assert outcome.rows.select("measure", "statistic", "unit", "service_or_resource").rows() == [
        ("occupied", "snapshot", "beds", "bed_icu"),
        ("arrivals", "count", "persons", "emergency_department"),
    ]
    assert outcome.reasons == [(4, "unknown_code", "measure")]


def test_optional_values_and_older_names(small: Any) -> None:
    values = "[{column: [new_n, n], measure: occupied}, {column: late, measure: waiting, optional: true}]"
    assert column(small.map(small.usage(values=values), "id,day,n\na,2024-01-01,1\n"), "value") == [1.0]
    assert column(
        small.map(small.usage(values=values), "id,day,new_n,late\na,2024-01-01,1,2\n"), "value"
    ) == [1.0, 2.0]


def test_a_column_gone_is_told_with_the_new_ones_and_the_fix(small: Any) -> None:
    with pytest.raises(UnreadableFile) as gone:
        small.map(small.usage(), "id,day,number\na,2024-01-01,1\n")
    assert gone.value.code == "missing_column"
    assert gone.value.reason.startswith("column 'n' is gone (read by out.values[0])")
    assert "'number'" in gone.value.reason
    assert "column: [number, n]" in gone.value.reason


def test_places_by_joined_codes_levels_and_full_width_digits(small: Any) -> None:
    joined = small.feed(
        """\
sources:
  s:
    path: small.csv
    format: {type: csv}
    published_at: {value: "2024-01-10", assumed: true}
outputs:
  - name: out
    contract: facility
    source: s
    place:
      level: {column: kind, map: {R: region}, otherwise: facility}
      system: small
      code: {join: [a, b], separator: "|"}
      name: {join: [b, c]}
    fields: {name: c, phone: p, country_code: cc}
"""
    )
    outcome = small.map(joined, "a,b,c,p,kind,cc\n０\u200b１,x,Ｎame,０２－１２３,R,\n2,,c2,+44 20,H,TW\n")
    assert outcome.rows.select(
        "place_level", "code", "place_name", "name", "phone", "country_code"
    ).rows() == [
        ("region", "01|x", "x Ｎame", "Ｎame", "02-123", "DE"),
        ("facility", "2", "c2", "c2", "+44 20", "TW"),
    ]


@pytest.mark.parametrize(
    ("number", "cell", "fix"),
    [
        ('{decimal: ","}', "1.200", 'it is one with thousands: "." or decimal: "."'),
        ('{decimal: ","}', "1.200.300", 'it is one with thousands: "."'),
        ('{decimal: "."}', "1,200", 'it is one with thousands: "," or decimal: ","'),
        ('{decimal: "."}', "1,5", 'it is one with decimal: ","'),
        ('{decimal: "."}', "1 200", 'it is one with thousands: " "'),
        ('{decimal: ".", thousands: ","}', "1.200,5", 'it is one with decimal: ",", thousands: "."'),
        ('{decimal: "."}', "75 %", "it is one with number: {percent: true}"),
        ('{decimal: "."}', "many", ""),
    ],
)
def test_a_cell_that_is_no_number_names_what_would_read_it(
    number: str, cell: str, fix: str, small: Any
) -> None:
    values = f"[{{column: n, measure: occupied, number: {number}}}]"
    outcome = small.map(small.usage(values=values), f'id,day,n\na,2024-01-01,5\na,2024-01-02,"{cell}"\n')
    ((reason,),) = [reject.reasons for reject in outcome.rejects]
    assert reason["code"] == "not_a_number"
    assert reason["message"].removeprefix(f"{cell!r} is no number as the feed writes them") == (
        f"; {fix}" if fix else ""
    )
