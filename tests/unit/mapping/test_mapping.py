"""What the mapping makes of single records: statuses, codes, flags, wide tables, slots, quality, forecasts."""

# ruff: noqa: E501 - texts of files and feeds keep their lines

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from caregrid.errors import CareGridError
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


FACILITY = """\
sources:
  s:
    path: small.csv
    format: {form}
    missing: ["", "-"]
    published_at: {{value: "2024-01-10", assumed: true}}
outputs:
  - name: out
    contract: facility
    source: s
    place: {{level: facility, system: small, code: id}}
    fields:
      name: id
      {fields}
{more}
"""


def facility(small: Any, fields: str, form: str = "{type: csv}", more: str = "") -> Any:
    return small.feed(FACILITY.format(fields=fields, form=form, more=more))


def test_lists_extra_dates_and_identifiers(small: Any) -> None:
    fields = """services: {columns: [s1, s2], split: "、"}
      extra: {kind: k}
      extra.days: {column: d, split: "、"}
      valid_to: {column: end, format: roc_date}"""
    more = "    identifiers: [{system: other, value: {column: k, map: {x: '77'}, otherwise: missing}, valid_to: 2023-04-17}]"
    outcome = small.map(
        facility(small, fields, more=more),
        "id,s1,s2,k,d,end\n1,甲、乙,乙、丙,x,一、二,113/12/31\n2,-,,,-,bad\n3,-,,,,\n",
    )
    first, third = outcome.rows.to_dicts()
    assert first["services"] == ["甲", "乙", "丙"]
    assert json.loads(first["extra"]) == {"days": ["一", "二"], "kind": "x"}
    assert first["valid_to"] == date(2024, 12, 31)
    assert json.loads(first["identifiers"]) == [{"system": "other", "value": "77", "valid_to": "2023-04-17"}]
    assert (third["services"], third["extra"], third["identifiers"], third["valid_to"]) == (
        None,
        "{}",
        "[]",
        None,
    )
    assert outcome.reasons == [(3, "unparseable_date", "valid_to")]


def test_slots_by_part_and_by_array(small: Any) -> None:
    by_part = "service_slots: {slots: {morning: m, evening: e}, open: [V], closed: [休診]}"
    records = [
        {"id": "1", "m": {"1": "V", "2": "休診", "3": ""}, "e": {"1": "V"}},
        {"id": "2", "m": [], "e": []},
        {"id": "3", "m": {"1": "?"}},
    ]
    text = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    outcome = small.map(facility(small, by_part, "{type: ndjson}"), text)
    assert [row and json.loads(row) for row in column(outcome, "service_slots")] == [
        {"1": {"morning": "open", "evening": "open"}, "2": {"morning": "closed"}},
        None,
    ]
    assert outcome.reasons == [(3, "unknown_code", "service_slots")]
    by_array = "service_slots: {slots: {array: t, order: [morning, afternoon, evening]}, field: yn, open: [N], closed: [Y]}"
    week = [[{"yn": "N"}] * 6 + [{"yn": "Y"}], [{"yn": "Y"}] * 7]
    outcome = small.map(facility(small, by_array, "{type: ndjson}"), json.dumps({"id": "1", "t": week}))
    slots = json.loads(column(outcome, "service_slots")[0])
    assert slots["6"] == {"morning": "open", "afternoon": "closed"}
    assert slots["7"] == {"morning": "closed", "afternoon": "closed"}


def test_grid_coordinates_and_their_limits(small: Any) -> None:
    fields = "\n      ".join(
        f"{axis}: {{project: {{from: 'EPSG:27700', x: x, y: y, axis: {axis}}}}}"
        for axis in ("latitude", "longitude")
    )
    outcome = small.map(facility(small, fields), "id,x,y\n1,651409.903,313177.270\n2,,313177\n")
    # Ordnance Survey's worked example: 52° 39' 27.2531" N, 1° 43' 4.5177" E on the Airy ellipsoid; WGS 84 lies near.
    assert outcome.rows["latitude"][0] == pytest.approx(52.6580, abs=1e-3)
    assert outcome.rows["longitude"][0] == pytest.approx(1.7161, abs=1e-3)
    assert outcome.rows["latitude"][1] is None
    wild = small.map(facility(small, "latitude: x"), "id,x\n1,91\n2,-90\n")
    assert (wild.reasons, column(wild, "latitude")) == ([(2, "latitude_out_of_range", "latitude")], [-90.0])


def test_constant_and_empty_columns_are_found(small: Any) -> None:
    feed = facility(small, "latitude: lat\n      phone: p", more="constants_checked: [lat]")
    outcome = small.map(feed, "id,lat,p\n1,25.0,\n2,25.0,-\n")
    assert outcome.constant_columns == ["lat"]
    assert column(outcome, "latitude") == [None, None]
    assert outcome.empty_columns == ["p"]
    assert column(small.map(feed, "id,lat,p\n1,25.0,\n2,25.1,-\n"), "latitude") == [25.0, 25.1]


QUALITY = """\
sources:
  s:
    path: small.csv
    format: {type: csv, thousands: ","}
    missing: ["", "N/A", "Not Available"]
    suppressed: ["Too Few to Report"]
    published_at: {file_name: '(\\d{8})', format: "%Y%m%d"}
outputs:
  - name: out
    contract: quality
    source: s
    place: {level: facility, system: small, code: id}
    period: {column: Start, end_column: End, format: "%m/%d/%Y", role: start, grain: interval}
    fields: {unit: {constant: ratio}, value_kind: {constant: ratio}, improvement_direction: {constant: lower}, footnote: Footnote}
    values:
      - {name: excess, fields: {measure: Measure, value: Ratio, numerator: Number, denominator: Discharges}}
      - {name: share, fields: {measure: {constant: SHARE}, value: {expr: "Number / Discharges"}}}
"""


def test_quality_has_a_status_for_each_part(small: Any) -> None:
    text = (
        "id,Measure,Ratio,Number,Discharges,Start,End,Footnote\n"
        '010001,M1,0.9,Too Few to Report,"1,250",07/01/2020,06/30/2023,5\n'
        "01014F,M1,N/A,N/A,N/A,07/01/2020,06/30/2023,\n"
    )
    outcome = small.map(small.feed(QUALITY, timezone="UTC"), text, file_name="hospital_20240110.csv")
    first, second = outcome.rows.filter(pl.col("measure") == "M1").to_dicts()
    assert (first["code"], second["code"]) == ("010001", "01014F")
    assert [
        first[name] for name in ("value", "value_status", "numerator", "numerator_status", "denominator")
    ] == [
        0.9,
        "reported",
        None,
        "suppressed",
        1250.0,
    ]
    assert [second[name] for name in ("value_status", "numerator_status", "denominator_status")] == [
        "missing"
    ] * 3
    assert (first["period_start"], first["period_end"]) == (
        datetime(2020, 7, 1, tzinfo=UTC),
        datetime(2023, 7, 1, tzinfo=UTC),
    )
    assert (first["period_source"], first["footnote"], first["published_at"]) == (
        "column",
        "5",
        datetime(2024, 1, 10, tzinfo=UTC),
    )
    assert outcome.rows.filter(pl.col("measure") == "SHARE")["value_status"].to_list() == [
        "suppressed",
        "missing",
    ]
    with pytest.raises(UnreadableFile, match="does not match") as error:
        small.map(small.feed(QUALITY), text, file_name="hospital.csv")
    assert error.value.code == "no_time"


FORECAST = """\
sources:
  s:
    path: small.csv
    format: {type: csv}
    published_at: {column: made, format: "%Y-%m-%d"}
    known_at: {column: made, format: "%Y-%m-%d"}
outputs:
  - name: out
    contract: external_forecast
    source: s
    place: {level: panel, system: small, code: {constant: all}}
    period: {column: day, format: "%Y-%m-%d", grain: day}
    service_or_resource: emergency_department
    measure: arrivals
    statistic: count
    values: [{column: mid, quantile: 0.5}, {column: high, quantile: 0.975}]
    fields: {team: {constant: publisher}, made_at: {column: made, format: "%Y-%m-%d"}}
"""


def test_published_forecasts(small: Any) -> None:
    outcome = small.map(
        small.feed(FORECAST), "made,day,mid,high\n2024-01-01,2024-01-04,5,9\n2024-01-02,2024-01-04,6,\n"
    )
    assert outcome.rows.select("quantile", "value", "horizon", "team").rows() == [
        (0.5, 5.0, 3, "publisher"),
        (0.5, 6.0, 2, "publisher"),
        (0.975, 9.0, 3, "publisher"),
    ]
    assert outcome.reasons == [(3, "required", "value")]
    assert dict(outcome.rows.schema) == ROW_COLUMNS["external_forecast"]


def test_published_at_is_the_newest_of_its_column(small: Any) -> None:
    feed = small.feed(FORECAST)
    (source,) = feed.sources.values()
    small.map(feed, "made,day,mid,high\n2024-01-03,2024-01-04,5,9\n2024-01-02,2024-01-04,6,7\n")
    from caregrid.mapping import inspect_file

    context = inspect_file(feed, source, small.directory / "small.csv", file_name="small.csv")
    assert (context.published_at, context.published_at_is_assumed) == (
        datetime(2024, 1, 2, 23, tzinfo=UTC),
        False,
    )


RESOURCE = """\
sources:
  s:
    path: small.csv
    format: {type: csv}
    published_at: {last_modified: true}
outputs:
  - name: out
    contract: resource
    source: s
    place: {level: facility, system: small, code: id}
    fields:
      resource_type: {column: kind, map: {ICU: bed_icu, V: ventilator}}
      name: unit
      valid_from: {column: since, format: ["%Y-%m-%d", "%d.%m.%Y"]}
      valid_to: {column: until, format: "%Y-%m-%d"}
"""


def test_resources_hold_no_number_but_a_validity(small: Any) -> None:
    from caregrid.mapping import inspect_file, map_batch, read

    feed = small.feed(RESOURCE)
    (source,) = feed.sources.values()
    path = small.directory / "resources.csv"
    path.write_text(
        "id,kind,unit,since,until\n1,ICU,3 West,01.02.2020,\n1,V,,2020-02-01,2019-01-01\n1,MRI,,,\n"
    )
    with pytest.raises(UnreadableFile, match="no time of last modification"):
        inspect_file(feed, source, path, file_name="resources.csv")
    seen = datetime(2024, 5, 1, 8, tzinfo=UTC)
    context = inspect_file(feed, source, path, file_name="resources.csv", last_modified=seen)
    (batch,) = read(source, path)
    mapped = map_batch(feed, feed.outputs[0], batch, context)
    assert mapped.rows.select("resource_type", "name", "valid_from", "published_at", "known_at").rows() == [
        ("bed_icu", "3 West", date(2020, 2, 1), seen, seen)
    ]
    assert [[reason["code"] for reason in reject.reasons] for reject in mapped.rejects] == [
        ["validity_reversed"],
        ["unknown_code"],
    ]
    assert dict(mapped.rows.schema) == ROW_COLUMNS["resource"]


ACTION = """\
sources:
  s:
    path: small.csv
    format: {type: csv}
    published_at: {value: "2024-01-10", assumed: true}
outputs:
  - name: out
    contract: improvement_action
    source: s
    place: {level: facility, system: small, code: id}
    fields:
      action_code: nr
      measure: measure
      action: what
      started_on: {column: start, format: "%Y-%m-%d"}
      due_on: {column: due, format: "%Y-%m-%d"}
      status: {column: status, map: {open: under_way, closed: done}}
"""


def test_improvement_actions(small: Any) -> None:
    text = (
        "id,nr,measure,what,start,due,status\n"
        "1,A1,M1,Second discharge round,2024-01-01,2024-06-30,open\n"
        "1,A2,M1,,2024-01-01,2023-06-30,paused\n"
    )
    outcome = small.map(small.feed(ACTION), text)
    assert outcome.rows.select("action_code", "status", "due_on").rows() == [
        ("A1", "under_way", date(2024, 6, 30))
    ]
    assert {(code, field) for _, code, field in outcome.reasons} == {
        ("required", "action"),
        ("due_before_start", "due_on"),
        ("unknown_code", "status"),
    }
    assert dict(outcome.rows.schema) == ROW_COLUMNS["improvement_action"]


@pytest.mark.parametrize("contract", list(ROW_COLUMNS))
def test_every_field_of_a_contract_has_its_column(contract: str) -> None:
    from caregrid.contracts import contracts

    fields = contracts()[contract].fields
    assert set(fields) <= set(ROW_COLUMNS[contract])
    statuses = {f"{name}_status" for name, field in fields.items() if field.has_status}
    assert statuses <= set(ROW_COLUMNS[contract])


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


def test_facts_of_a_long_file_are_of_the_whole_file(small: Any) -> None:
    feed = facility(small, "latitude: lat\n      phone: p", "{type: ndjson}", more="constants_checked: [lat]")
    same = ['{"id": "a", "lat": 1}'] * 50_001
    assert small.map(feed, "\n".join([*same, '{"id": "b", "lat": 1, "p": "2"}'])).constant_columns == ["lat"]
    outcome = small.map(feed, "\n".join([*same, '{"id": "b", "lat": 2, "p": "2"}']))
    assert outcome.constant_columns == []
    assert outcome.rows.filter(pl.col("code") == "b")["phone"].to_list() == ["2"]
    assert len(outcome.batches) == 2


def test_an_expression_that_fails_on_a_cell_says_so(small: Any) -> None:
    text = "id,day,n\na,2024-01-01,1\na,2024-01-02,x\n"
    with pytest.raises(CareGridError, match="TRY_CAST"):
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
