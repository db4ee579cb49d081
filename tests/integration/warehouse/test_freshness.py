"""Freshness on the database: what the board calls late, the alerts call late."""

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


def test_board_and_alerts_agree_on_what_is_late(
    network: Any, rows_of: Callable[..., list[tuple[Any, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feed with a moment of its own is late by that moment, not by the clock; in both rooms."""
    occupied = network.one_series("A", "occupied")
    load = network.load(BASE)
    network.usage(load, [(occupied, BASE - timedelta(days=1), BASE, 5)])
    network.accept(load)
    with connect("loader") as connection:
        connection.execute("update raw.load set known_at_max = %s where load_id = %s", [BASE, load])
        connection.execute(
            "insert into ledger.feed (feed, name_en, name_zh, owner, visibility, timezone, expected_every, "
            "lateness_tolerance) "
            "values (%s, 'Ward beds', '病房床位', 'test', 'network', 'Europe/London', 'P1D', 'PT12H')",
            [network.feed],
        )
    for as_of, expected in (("latest", False), ((BASE + timedelta(days=2)).isoformat(), True)):
        monkeypatch.setenv(moment.VARIABLE, json.dumps({"*": as_of}))
        built = build(force=True)
        assert built.status == "published", built
        served = {
            feed: (as_of, is_late)
            for feed, as_of, is_late in rows_of(
                "select feed, as_of, is_late from marts.data_health_freshness"
            )
        }
        with connect("action") as connection:
            rule = next(rule for rule in load_rules() if rule.kind == "stale_feed")
            seen = stale_feed(connection, rule, moment.resolve(connection), {})
        assert served[network.feed][1] is expected
        assert rows_of("select distinct as_of from marts.operations_now_and_next") == [
            (served[network.feed][0],)
        ]
        assert {condition.details["feed"]: (condition.as_of, condition.holds) for condition in seen} == {
            feed: found for feed, found in served.items() if found[1] is not None
        }
