"""What makes an alert begin and end, on a real database; and that nothing is told twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caregrid import moment

pytestmark = pytest.mark.integration

NOW = datetime(2025, 3, 3, 12, tzinfo=UTC)  # of the fixture `stage`
HOUR = timedelta(hours=1)
STALE = """
rules:
  - {rule: silent, kind: stale_feed, severity: critical, name: {en: "Feed fell silent", zh: "数据源中断"}}
"""
GATE = """
rules:
  - {rule: refused, kind: failed_gate, counts: refusals, severity: critical, name: {en: Refused, zh: "拒绝"}}
  - {rule: warned, kind: failed_gate, counts: warnings, severity: information, name: {en: Warned, zh: "警告"}}
"""
FULL = """
rules:
  - rule: full
    kind: observed
    name: {en: "Over capacity", zh: "超容量"}
    severity: critical
    measure: occupied
    of: capacity
    above: 1.2
    resolve_at: 1.0
    top: 2
"""


def test_silent_feed_alerts_once_and_resolves_once(stage: Any) -> None:
    stage.write_rules(STALE)
    stage.add_feed("beds", HOUR, 2 * HOUR)
    stage.add_feed("on_time", HOUR, 2 * HOUR)
    stage.add_feed("never_came", HOUR, 2 * HOUR)
    now = NOW
    stage.add_load("beds", now - 4 * HOUR)
    stage.add_load("on_time", now - 3 * HOUR)
    first = stage.evaluate()
    assert first.fired == {"silent": 1}
    assert stage.events() == [("silent", "feed:beds", "firing")]
    (message,) = stage.outbox()
    assert "数据源 beds" in message["body"]
    assert "Feed beds" in message["body"]
    assert "4 hours ago (allowed 3 hours)" in message["body"]
    assert "/dags/ingest_beds" in message["body"]

    again = stage.evaluate()
    assert (again.fired, again.messages_sent, again.firing) == ({}, {}, {"silent": 1})
    assert len(stage.outbox()) == 1

    stage.add_load("beds", now)
    assert stage.evaluate().resolved == {"silent": 1}
    assert stage.evaluate().resolved == {}
    assert stage.events()[-1] == ("silent", "feed:beds", "resolved")
    assert [line["type"] for line in stage.outbox()] == ["failure", "success"]


def test_feed_of_which_nothing_new_is_accepted_is_late_and_told_why(stage: Any) -> None:
    stage.write_rules(STALE)
    for feed in ("refused", "unreadable", "waiting", "accepted"):
        stage.add_feed(feed, HOUR, 2 * HOUR)
        stage.add_load(feed, NOW - 4 * HOUR)
    stage.add_load("refused", NOW - 2 * HOUR, "refused", "older")
    load_id = stage.add_load("refused", NOW - HOUR, "refused", "rows_at_least: nothing came")
    stage.add_unreadable_file("unreadable", NOW - HOUR, "a web page")
    stage.add_load("waiting", NOW - HOUR, "staged")
    stage.add_load("accepted", NOW - HOUR)
    assert stage.evaluate().fired == {"silent": 3}
    (message,) = stage.outbox()
    body = message["body"]
    accepted = "newest accepted publication 2025-03-03 16:00 Asia/Taipei, 4 hours ago (allowed 3 hours)"
    assert body.count(accepted) == 3
    assert "2 newer files came, and the newest was refused by the gate: rows_at_least: nothing came" in body
    assert "1 newer file came, and the newest could not be read: html: a web page" in body
    assert "1 newer file came, and the newest waits for the gate" in body
    assert "此后收到 2 个文件，最新的被质量门拒绝：rows_at_least: nothing came" in body
    assert "此后收到 1 个文件，最新的无法读取：html: a web page" in body
    assert "Feed accepted" not in body

    stage.sql(
        "update raw.load set status = 'accepted', accepted_at = now(), refused_at = null where load_id = %s",
        load_id,
    )
    assert stage.evaluate().resolved == {"silent": 1}
    assert stage.events()[-1] == ("silent", "feed:refused", "resolved")


def test_feed_of_which_nothing_was_ever_accepted_counts_from_the_first_that_came(stage: Any) -> None:
    stage.write_rules(STALE)
    for feed in ("refused", "waiting"):
        stage.add_feed(feed, HOUR, 2 * HOUR)
    for hours in (4, 1):
        stage.add_load("refused", NOW - hours * HOUR, "refused", "bad")
    stage.add_load("waiting", NOW - 9 * HOUR, "staged")
    assert stage.evaluate().fired == {"silent": 1}
    body = stage.outbox()[0]["body"]
    assert "Feed refused: nothing was accepted yet; first publication 2025-03-03 16:00" in body
    assert "2 newer files came" not in body
    assert "2 files came, and the newest was refused by the gate: bad" in body


def test_silence_is_seen_by_the_clock_alone(stage: Any) -> None:
    stage.write_rules(STALE)
    stage.add_feed("beds", HOUR, 2 * HOUR)
    now = NOW
    stage.add_load("beds", now)
    assert stage.evaluate(now + 3 * HOUR).fired == {}
    assert stage.evaluate(now + 3 * HOUR + timedelta(seconds=1)).fired == {"silent": 1}


def test_feed_has_a_now_of_its_own(stage: Any) -> None:
    stage.write_rules(STALE)
    now = NOW
    for feed in ("beds", "sim_late", "sim_on_time"):
        stage.add_feed(feed, HOUR, 2 * HOUR)
    stage.add_load("beds", now - timedelta(days=400))
    stage.add_load("sim_late", now - timedelta(days=5))
    stage.add_load("sim_on_time", now)
    moment.declare({"*": "latest", "sim_*": now.isoformat()})
    assert stage.evaluate(None).fired == {"silent": 1}
    assert stage.events() == [("silent", "feed:sim_late", "firing")]
    (as_of,) = stage.sql("select as_of from action.alert_event")
    assert as_of == (now,)


def test_refused_load_alerts_and_is_over_when_a_later_file_passes(stage: Any) -> None:
    stage.write_rules(GATE)
    now = NOW
    load_id = stage.add_load("beds", now - HOUR, "refused", "rows_at_least: nothing came")
    assert stage.evaluate().fired == {"refused": 1}
    (message,) = stage.outbox()
    assert "nothing came" in message["body"]
    assert "/data_docs/" in message["body"]
    assert stage.evaluate().messages_sent == {}
    stage.add_load("beds", now)
    assert stage.evaluate().resolved == {"refused": 1}
    assert stage.evaluate().fired == {}
    assert stage.events() == [
        ("refused", f"load:{load_id}", "firing"),
        ("refused", f"load:{load_id}", "resolved"),
    ]


def test_refused_load_is_told_even_when_a_later_file_passed_already(stage: Any) -> None:
    stage.write_rules(GATE)
    now = NOW
    stage.add_load("beds", now - HOUR, "refused", "bad")
    stage.add_load("beds", now)
    assert stage.evaluate().fired == {"refused": 1}


def test_refused_load_is_over_when_it_is_superseded(stage: Any) -> None:
    stage.write_rules(GATE)
    load_id = stage.add_load("beds", NOW, "refused", "bad")
    stage.evaluate()
    stage.sql("update raw.load set status = 'superseded' where load_id = %s", load_id)
    assert stage.evaluate().resolved == {"refused": 1}


def test_unreadable_file_alerts(stage: Any) -> None:
    stage.write_rules(GATE)
    stage.add_load("beds", NOW)
    stage.sql(
        "insert into rejected.file (file_id, feed, mapping_version, code, reason)"
        " select file_id, feed, 'v0', 'html', 'a web page' from landing.file"
    )
    assert stage.evaluate().fired == {}  # the same file was accepted under another mapping
    stage.sql("update raw.load set status = 'staged', accepted_at = null")
    assert stage.evaluate().fired == {"refused": 1}
    body = stage.outbox()[-1]["body"]
    ((uri,),) = stage.sql("select uri from landing.file")
    name = uri.rsplit("/", 1)[-1]
    fix = "correct the source or dags/feeds/beds.yml and run the feed again"
    assert f"file could not be read: {name}; html: a web page; {fix}" in body
    assert f"文件无法读取：{name}；html: a web page；修正来源或 dags/feeds/beds.yml" in body


def test_warning_of_a_gate_alerts_until_the_next_load_is_clean(stage: Any) -> None:
    stage.write_rules(GATE)
    now = NOW
    stage.add_gate_result(stage.add_load("beds", now - HOUR), "warning", False)
    assert stage.evaluate().fired == {"warned": 1}
    body = stage.outbox()[0]["body"]
    assert "warnings of the gate: 1; not so: Something is there;" in body
    assert "质量门警告：1；未满足：有东西；" in body
    stage.add_gate_result(stage.add_load("beds", now), "warning", True)
    assert stage.evaluate().resolved == {"warned": 1}


def test_failed_publication_alerts_until_the_next_one(stage: Any) -> None:
    stage.write_rules(GATE)
    query = (
        "insert into ledger.build (kind, status, finished_at, reason) values ('warehouse', %s, now(), 'x')"
        " returning build_id"
    )
    ((build_id,),) = stage.sql(query, "failed")
    stage.add_gate_result(None, "critical", False, build_id)
    assert stage.evaluate().fired == {"refused": 1}
    assert stage.events() == [("refused", "marts", "firing")]
    assert "the last good ones stay; not so: Something is there;" in stage.outbox()[0]["body"]
    stage.sql(query, "published")
    assert stage.evaluate().resolved == {"refused": 1}


def test_threshold_on_a_share_of_capacity_with_a_way_back(stage: Any) -> None:
    stage.write_rules(FULL)
    for place, occupied in (("Hôpital A", 13), ("林口長庚", 20), ("C", 14), ("D", 10)):
        stage.put_value(place, "capacity", 10)
        stage.put_value(place, "occupied", occupied)
    first = stage.evaluate()
    assert first.fired == {"full": 3}
    assert first.messages_sent == {"outbox": 1}
    assert first.events_sent == {"outbox": 3}
    (message,) = stage.outbox()
    body = message["body"]
    assert "• 林口長庚: Occupied, Emergency stretcher 20 / capacity 10 = 200% (threshold over 120%)" in body
    assert "as of 2025-03-03 07:00 America/Toronto; new" in body
    assert "… and 1 more" in body
    assert "另有 1 项" in body
    assert "首次出现" in body
    assert "Hôpital A" not in body  # the two worst are named
    assert {fact["label"] for fact in message["events"]} == {"Hôpital A", "林口長庚", "C"}

    stage.put_value("C", "occupied", 11)  # between resolve_at and above: still firing
    assert stage.evaluate().resolved == {}
    stage.put_value("C", "occupied", 10)
    assert stage.evaluate().resolved == {"full": 1}
    stage.put_value("C", "occupied", 11)
    assert stage.evaluate().fired == {}
    stage.put_value("C", "occupied", 15)
    assert stage.evaluate().fired == {"full": 1}
    assert "again (last resolved" in stage.outbox()[-1]["body"]
    assert "再次出现" in stage.outbox()[-1]["body"]


def test_a_place_is_named_in_chinese_where_a_registry_does(stage: Any) -> None:
    stage.write_rules(FULL)
    for place in ("Golden Field General Hospital", "Nameless"):
        stage.put_value(place, "capacity", 10)
        stage.put_value(place, "occupied", 20)
    told = [
        (stage.add_load("registry", NOW - 9 * HOUR), "旧名医院"),
        (stage.add_load("registry", NOW - 8 * HOUR), "金田综合医院"),
        (stage.add_load("registry", NOW - 7 * HOUR), None),
        (stage.add_load("registry", NOW - 6 * HOUR, "refused", "bad"), "被拒医院"),
    ]
    for hour, (load_id, name_local) in enumerate(told):
        stage.sql(
            "insert into canonical.facility (load_id, line, place_id, published_at, known_at,"
            " known_at_is_assumed, name, name_local)"
            " select %s, 1, place_id, %s, %s, false, name, %s from canonical.place where code like 'G%%'",
            load_id, *[NOW - (9 - hour) * HOUR] * 2, name_local,
        )  # fmt: skip
    assert stage.evaluate().fired == {"full": 2}
    english, chinese = stage.outbox()[0]["body"].split("\n\n")
    assert "• Golden Field General Hospital: Occupied" in english
    assert "• 金田综合医院：" in chinese
    assert "Golden Field" not in chinese
    assert "• Nameless：" in chinese


def test_old_value_neither_fires_nor_resolves(stage: Any) -> None:
    stage.write_rules(FULL)
    now = NOW
    stage.put_value("A", "capacity", 10)
    stage.put_value("A", "occupied", 20)
    stage.put_value("B", "capacity", 10, now - timedelta(days=3))
    stage.put_value("B", "occupied", 20, now - timedelta(days=3))
    assert stage.evaluate().fired == {"full": 1}
    stage.put_value("A", "occupied", 1, now - timedelta(days=3))
    assert stage.evaluate().resolved == {}


def test_withdrawn_rule_resolves_what_it_left_firing(stage: Any) -> None:
    stage.write_rules(FULL)
    stage.put_value("A", "capacity", 10)
    stage.put_value("A", "occupied", 20)
    stage.evaluate()
    stage.write_rules(STALE)
    assert stage.evaluate().resolved == {"full": 1}
    assert stage.evaluate().resolved == {}
    assert "withdrawn" in stage.outbox()[-1]["body"]


RISK = """
rules:
  - {rule: overload, kind: risk, severity: critical, above: 0.6, resolve_at: 0.4, horizon_at_most: 24,
     name: {en: "New risk of overload", zh: "新增超负荷风险"}}
"""
EXPECTED = FULL.replace("kind: observed", "kind: forecast").replace(
    "top: 2", "quantile: 0.9\n    horizon_at_most: 6"
)
_RUN = (
    "insert into model_output.run (run_id, kind, model_name, model_version, made_at, as_of, known_at_cut,"
    " code_version, lock_sha256, load_ids) values (%s, 'score', 'm', '1', %s, %s, %s, 'c', 'l', '{}')"
)
_RISK = (
    "insert into model_output.risk (run_id, series_id, place_id, horizon, period_end, capacity,"
    " capacity_series_id, probability, is_over_now, made_at, known_at)"
    " select %s, series_id, place_id, %s, %s, 10, series_id, %s, %s, %s, %s from canonical.series"
    " where series_id = %s"
)
_FORECAST = (
    "insert into model_output.forecast (run_id, series_id, period_start, period_end, horizon, quantile,"
    " value, made_at, known_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
)


def test_risk_fires_for_what_is_new_and_names_the_highest(stage: Any) -> None:
    stage.write_rules(RISK)
    now = NOW
    stage.sql(_RUN, "old", now - HOUR, now, now)
    stage.sql(_RUN, "new", now, now, now)
    new, full, low = (stage.put_value(place, "occupied", 9) for place in ("New", "Full", "Low"))
    for run, series, horizon, probability, is_over in (
        ("old", low, 12, 0.99, False),
        ("new", new, 12, 0.5, False),
        ("new", new, 24, 0.8, False),
        ("new", new, 36, 0.99, False),
        ("new", full, 12, 1.0, True),
        ("new", low, 12, 0.1, False),
    ):
        until = now + horizon * HOUR
        stage.sql(_RISK, run, horizon, until, probability, is_over, now, now, series)
    assert stage.evaluate().fired == {"overload": 1}
    assert stage.events() == [("overload", f"series:{new}", "firing")]
    body = stage.outbox()[0]["body"]
    assert "exceeds capacity 10 by 2025-03-04 07:00 America/Toronto with probability 80%" in body
    assert "概率 80%" in body


def test_where_only_a_reserve_is_at_stake_the_alert_says_so(stage: Any) -> None:
    stage.write_rules(RISK)
    now = NOW
    stage.sql(_RUN, "new", now, now, now)
    series = stage.put_value("New", "occupied", 8)
    stage.sql(_RISK, "new", 24, now + 24 * HOUR, 0.8, False, now, now, series)
    said = "update model_output.risk set occupied_limit = 9, definition = 'free under a reserve'"
    stage.sql(said)
    assert stage.evaluate().fired == {"overload": 1}
    body = stage.outbox()[0]["body"]
    assert "has over 9 of 10 occupied, less than its reserve free, by 2025-03-04" in body
    assert "占用超过 9（容量 10，空闲低于储备）的概率 80%" in body


def test_a_series_that_the_newest_run_leaves_out_alerts_no_more(stage: Any) -> None:
    stage.write_rules(RISK)
    now = NOW
    stage.sql(_RUN, "first", now - HOUR, now, now)
    one, other = (stage.put_value(place, "occupied", 9) for place in ("One", "Other"))
    for series in (one, other):
        stage.sql(_RISK, "first", 12, now + 12 * HOUR, 0.9, False, now, now, series)
    assert stage.evaluate().fired == {"overload": 2}
    stage.sql(_RUN, "second", now, now, now)
    stage.sql(_RISK, "second", 12, now + 12 * HOUR, 0.9, False, now, now, other)
    assert stage.evaluate().resolved == {"overload": 1}
    assert stage.events()[-1] == ("overload", f"series:{one}", "resolved")


def test_materialised_risk_goes_on_firing(stage: Any) -> None:
    stage.write_rules(RISK)
    now = NOW
    series = stage.put_value("New", "occupied", 9)
    for run, made_at, probability, is_over in (("one", now - HOUR, 0.9, False), ("two", now, 1.0, True)):
        stage.sql(_RUN, run, made_at, now, now)
        stage.sql(_RISK, run, 12, now + HOUR, probability, is_over, made_at, now, series)
        result = stage.evaluate()
        assert result.firing == {"overload": 1}
    assert result.resolved == {}


def test_forecast_beyond_capacity_fires(stage: Any) -> None:
    stage.write_rules(EXPECTED.replace("horizon_at_most: 6", "horizon_at_most: 3"))
    now = NOW
    stage.sql(_RUN, "run", now, now, now)
    rising, already = (stage.put_value(place, "occupied", value) for place, value in (("Up", 9), ("Now", 20)))
    for place in ("Up", "Now"):
        stage.put_value(place, "capacity", 10)
    for series in (rising, already):
        for horizon, quantile, value in ((1, 0.9, 11), (2, 0.9, 14), (4, 0.9, 99), (2, 0.5, 99)):
            start = now + horizon * HOUR
            stage.sql(_FORECAST, "run", series, start, start, horizon, quantile, value, now, now)
    assert stage.evaluate().fired == {"full": 1}
    assert stage.events() == [("full", f"series:{rising}", "firing")]
    expected = "expected by 2025-03-03 09:00 America/Toronto: 14 / capacity 10 = 140%"
    assert expected in stage.outbox()[0]["body"]


def test_a_worst_hour_that_has_passed_hides_no_hour_to_come(stage: Any) -> None:
    stage.write_rules(EXPECTED)
    stage.sql(_RUN, "run", NOW - 3 * HOUR, NOW, NOW)
    up, down = (stage.put_value(place, "occupied", 9) for place in ("Up", "Down"))
    for place in ("Up", "Down"):
        stage.put_value(place, "capacity", 10)
    # Both were expected to be fullest until now, an end that is not to come any more.
    for series, later in ((up, 13), (down, 11)):
        for horizon, value in ((1, 20), (3, 30), (6, later)):
            end = NOW + (horizon - 3) * HOUR
            given = [series, end - HOUR, end, horizon, 0.9, value, NOW, NOW]
            stage.sql(_FORECAST, "run", *given)
    assert stage.evaluate().fired == {"full": 1}
    assert stage.events() == [("full", f"series:{up}", "firing")]
    assert "13 / capacity 10 = 130%" in stage.outbox()[0]["body"]


@pytest.mark.parametrize("kind", ["risk", "forecast"])
def test_of_a_time_that_has_passed_nothing_is_said_either_way(stage: Any, kind: str) -> None:
    stage.write_rules(RISK if kind == "risk" else EXPECTED)
    stage.sql(_RUN, "run", NOW, NOW, NOW)
    series, other = (stage.put_value(place, "occupied", 9) for place in ("Silent", "Never"))
    for place in ("Silent", "Never"):
        stage.put_value(place, "capacity", 10)
    for one, until in ((series, NOW + 2 * HOUR), (other, NOW)):
        if kind == "risk":
            stage.sql(_RISK, "run", 2, until, 0.9, False, NOW, NOW, one)
        else:
            stage.sql(_FORECAST, "run", one, until - HOUR, until, 2, 0.9, 14, NOW, NOW)
    assert sum(stage.evaluate().fired.values()) == 1
    assert [subject for _, subject, _ in stage.events()] == [f"series:{series}"]
    after = stage.evaluate(NOW + 3 * HOUR)
    assert (after.fired, after.resolved, sum(after.firing.values())) == ({}, {}, 1)
    # It came true: the run that knows it lets it fire on.
    stage.sql(_RUN, "next", NOW + 3 * HOUR, NOW + 3 * HOUR, NOW + 3 * HOUR)
    late = NOW + 5 * HOUR
    if kind == "risk":
        stage.sql(_RISK, "next", 2, late, 1.0, True, NOW + 3 * HOUR, NOW + 3 * HOUR, series)
    else:
        stage.sql(_FORECAST, "next", series, late - HOUR, late, 2, 0.9, 14, NOW + 3 * HOUR, NOW + 3 * HOUR)
    after = stage.evaluate(NOW + 3 * HOUR)
    assert (after.fired, after.resolved, sum(after.firing.values())) == ({}, {}, 1)
