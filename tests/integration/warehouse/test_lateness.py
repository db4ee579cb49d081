"""What is late, and why: a feed in every situation, on the board and in the alerts, by one rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caregrid import moment
from caregrid.alerts.feed_conditions import stale_feed
from caregrid.alerts.rules import load_rules
from caregrid.database.connect import connect
from caregrid.warehouse import build

pytestmark = pytest.mark.integration

BASE = datetime(2025, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FEED = (
    "insert into ledger.feed (feed, name_en, name_zh, owner, visibility, timezone, expected_every, "
    "lateness_tolerance) values (%s, 'Ward beds', '病房床位', 'test', 'network', 'Europe/London', 'P1D', %s)"
)


def add_feeds_in_every_situation(network: Any) -> dict[str, tuple[bool | None, str | None]]:
    """Add a feed for each thing that may become of publications; return what is to be said of it."""
    # days after BASE of publications, by what became of them; whether it is late two days after, and why
    situations: dict[str, tuple[dict[float, str], bool | None, str | None]] = {
        "on_time": ({0: "accepted", 1.5: "accepted"}, False, None),
        "on_time_though_the_last_was_refused": ({1: "accepted", 1.5: "refused"}, False, None),
        "silent": ({0: "accepted"}, True, "nothing_came"),
        "silent_after_a_refusal": ({-1: "refused", 0: "accepted"}, True, "nothing_came"),
        "refused": ({0: "accepted", 1: "unreadable", 1.5: "refused"}, True, "refused"),
        "unreadable": ({0: "accepted", 1: "refused", 1.5: "unreadable"}, True, "unreadable"),
        "waits_for_the_gate": ({0: "accepted", 1.5: "staged"}, True, "waiting"),
        "landed_only": ({0: "accepted", 1.5: "landed"}, True, "waiting"),
        "never_accepted": ({0: "refused", 1.5: "refused"}, True, "refused"),
        "first_came_just_now": ({1.5: "refused"}, False, None),
        "first_waits": ({0: "staged"}, None, None),
        "comes_after_its_now": ({0: "accepted", 9: "accepted"}, True, "nothing_came"),
    }
    for feed, (publications, _, _) in situations.items():
        for days, fate in publications.items():
            published = BASE + days * DAY
            load = network.load(published, feed=feed)
            if fate not in ("unreadable", "landed"):
                occupied = network.one_series("A", "occupied", feed=feed)
                network.usage(load, [(occupied, BASE - 9 * DAY, published, 10 + days)])
            with connect("owner") as connection:
                if fate in ("unreadable", "landed"):
                    file = connection.execute("select file_id from raw.load where load_id = %s", [load])
                    (file_id,) = file.fetchone() or (None,)
                    connection.execute("delete from raw.load where load_id = %s", [load])
                    if fate == "unreadable":
                        connection.execute(
                            "insert into rejected.file (file_id, feed, mapping_version, code, reason) "
                            "values (%s, %s, '1', 'html', 'a web page')", [file_id, feed],
                        )  # fmt: skip
                elif fate != "staged":
                    connection.execute(f"update raw.load set status = '{fate}' where load_id = %s", [load])
    with connect("loader") as connection, connection.cursor() as cursor:
        # A tolerance that nobody stated is none.
        cursor.executemany(FEED, [[feed, None if feed == "silent" else "PT6H"] for feed in situations])
    return {feed: (is_late, because) for feed, (_, is_late, because) in situations.items()}


def test_late_is_what_is_served_and_the_reason_what_became_of_the_rest(
    network: Any, rows_of: Callable[..., list[tuple[Any, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In both rooms, by one rule."""
    expected = add_feeds_in_every_situation(network)
    monkeypatch.setenv(moment.VARIABLE, json.dumps({"*": (BASE + 2 * DAY).isoformat()}))
    built = build(force=True)
    assert built.status == "published", built
    served = rows_of("select feed, is_late, late_because from marts.data_health_freshness")
    assert {feed: told for feed, *told in served if feed in expected} == {
        feed: list(told) for feed, told in expected.items()
    }
    with connect("action") as connection:
        rule = next(rule for rule in load_rules() if rule.kind == "stale_feed")
        seen = stale_feed(connection, rule, moment.resolve(connection), {})
    assert {
        condition.details["feed"]: (condition.holds, condition.details["late_because"])
        for condition in seen
        if condition.details["feed"] in expected
    } == {feed: told for feed, told in expected.items() if told[0] is not None}
