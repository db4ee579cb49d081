"""What the mapping makes of the other contracts: facilities, resources, quality, actions, forecasts."""

# ruff: noqa: E501 - texts of files and feeds keep their lines

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from caregrid.mapping import ROW_COLUMNS, UnreadableFile

pytestmark = pytest.mark.unit


def column(outcome: Any, name: str) -> list[Any]:
    return outcome.rows[name].to_list()


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


def test_facts_of_a_long_file_are_of_the_whole_file(small: Any) -> None:
    feed = facility(small, "latitude: lat\n      phone: p", "{type: ndjson}", more="constants_checked: [lat]")
    same = ['{"id": "a", "lat": 1}'] * 50_001
    assert small.map(feed, "\n".join([*same, '{"id": "b", "lat": 1, "p": "2"}'])).constant_columns == ["lat"]
    outcome = small.map(feed, "\n".join([*same, '{"id": "b", "lat": 2, "p": "2"}']))
    assert outcome.constant_columns == []
    assert outcome.rows.filter(pl.col("code") == "b")["phone"].to_list() == ["2"]
    assert len(outcome.batches) == 2


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
