"""A state that ended: what the board says of a place now, the alerts say too, by one rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caregrid import moment
from caregrid.alerts.rules import load_rules
from caregrid.alerts.series_conditions import observed
from caregrid.database.connect import connect
from caregrid.warehouse import build

pytestmark = pytest.mark.integration

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
REASON = '{"reason": "no_ward_beds"}'
# place: grain, dimensions, hours before now, value; the network's intervals last 24 hours.
TOLD: dict[str, list[tuple[str, str, int, float]]] = {
    "interval that lasts": [("interval", REASON, 12, 1)],
    "interval that ended": [("interval", REASON, 30, 1)],
    "interval that ended long ago": [("interval", REASON, 24 * 9, 1)],
    "reason, and the end told without it": [("instant", REASON, 12, 1), ("instant", "{}", 1, 0)],
    "reason alone": [("instant", REASON, 12, 1)],
    "flag": [("instant", "{}", 2, 1)],
    "flag down": [("instant", "{}", 2, 0)],
    "interval beside a newer flag": [("interval", REASON, 12, 1), ("instant", "{}", 1, 0)],
    "interval begun since the flag": [("instant", "{}", 12, 0), ("interval", REASON, 1, 1)],
    "interval begun long since the flag": [("instant", "{}", 30, 0), ("interval", REASON, 1, 1)],
    "interval and flag that agree": [("instant", "{}", 12, 1), ("interval", REASON, 1, 1)],
    "interval that ended since the flag": [("instant", "{}", 12, 1), ("interval", REASON, 30, 1)],
}
DIVERTING = {
    "interval that lasts", "reason alone", "flag", "interval begun since the flag",
    "interval begun long since the flag", "interval and flag that agree",
}  # fmt: skip


def test_board_and_alerts_agree_on_who_diverts(
    network: Any, rows_of: Callable[..., list[tuple[Any, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(moment.VARIABLE, json.dumps({"*": NOW.isoformat()}))
    rows = []
    for place, told in TOLD.items():
        for grain, dimensions, hours, value in told:
            series = network.one_series(place, "diversion_status", grain=grain, dimensions=dimensions)
            begin = NOW - timedelta(hours=hours)
            rows.append((series, begin, begin, value))
    with connect("owner") as connection:
        connection.execute("update canonical.series set unit = 'state'")
    load = network.load(NOW)
    network.usage(load, rows)
    network.accept(load)
    with connect("loader") as connection:
        connection.execute(
            "insert into ledger.feed (feed, name_en, name_zh, owner, visibility, timezone) "
            "values (%s, 'Ward beds', '病房床位', 'test', 'network', 'Europe/London')",
            [network.feed],
        )
    built = build(force=True)
    assert built.status == "published", built
    board = {
        place
        for (place,) in rows_of(
            "select place.code from marts.operations_now_and_next as now "
            "join core.dim_place as place using (place_id) where now.is_diverting"
        )
    }
    rule = next(rule for rule in load_rules() if rule.rule == "ambulances_diverted")
    with connect("action") as connection:
        seen = observed(connection, rule, moment.resolve(connection), {})
    assert board == DIVERTING
    assert {condition.label for condition in seen if condition.holds} == board
    # An alert that fires is told of the end, even of one that nobody looked at for days.
    assert {condition.label for condition in seen if not condition.holds} >= set(TOLD) - board
