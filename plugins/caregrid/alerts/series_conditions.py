"""Conditions on series: a threshold on what was observed, on what is forecast, on the risk of overload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from caregrid.alerts.condition import Condition, State, ask
from caregrid.alerts.names import Words, series_words
from caregrid.alerts.phrases import stamp
from caregrid.alerts.rules import Rule
from caregrid.moment import Moments

States = Mapping[str, State]
_NO_FORECAST: Words = {"en": "the newest run does not forecast it", "zh": "最新一次运行未对其作出预测"}


def observed(
    connection: psycopg.Connection[Any], rule: Rule, moments: Moments, states: States
) -> list[Condition]:
    """Return every series whose newest value is still news; of an older one nothing is said either way.

    A state that was reported until an hour is over from then on, and one of which another series says it
    newer is no longer so: that counts however long ago it was.
    """
    found = []
    for row in ask(connection, "observed", {**_values(rule), **_now_of(moments)}):
        as_of = moments.of(row["feed"])
        is_ended = row["is_over"] or not row["speaks_for_now"]
        is_old = row["period_end"] < as_of - rule.newest_within and not is_ended
        if row["known_at"] > as_of or is_old:
            continue
        subject = f"series:{row['series_id']}"
        if is_ended:
            # Its last value is not what holds now: what ended it is told instead.
            found.append(_condition(subject, None, False, as_of, row, reason=_ended(row)))
            continue
        compared = _compared(rule, row["value"] * _panel_of_then(rule, states, subject, row), row)
        if compared is None:
            continue
        told = {
            "observed": row["value"],
            "reporting_units": row["reporting_units"],
            "grain": row["grain"],
            "period_start": row["period_start"].isoformat(),
        }
        holds = rule.holds(compared, _fires(states, subject))
        found.append(_condition(subject, compared, holds, as_of, row, **told))
    return found


def forecast(
    connection: psycopg.Connection[Any], rule: Rule, moments: Moments, states: States
) -> list[Condition]:
    """Return every series by what is forecast of the time to come, and what fires without a forecast.

    Of a series whose forecast is of a time that has passed nothing is said either way.
    """
    found, seen = [], set()
    values = {
        **_values(rule),
        **_now_of(moments),
        "quantile": rule.quantile,
        "horizon_at_most": rule.horizon_at_most,
        "sign": 1 if rule.above is not None else -1,
    }
    for row in ask(connection, "forecast", values):
        as_of = moments.of(row["feed"])
        subject = f"series:{row['series_id']}"
        seen.add(subject)
        compared = _compared(rule, row["value"], row)
        if compared is None or row["has_passed"]:
            continue
        now = _compared(rule, row["value_now"], row) if row["value_now"] is not None else None
        is_news = rule.of == "now" or now is None or not rule.holds(now, False)
        found.append(
            _condition(
                subject,
                compared,
                rule.holds(compared, _fires(states, subject)),
                as_of,
                row,
                may_start=is_news or not rule.only_new,
                expected=row["value"],
                quantile=rule.quantile,
                observed=row["value_now"],
            )
        )
    return found + _without_forecast(states, seen, moments)


def risk(
    connection: psycopg.Connection[Any], rule: Rule, moments: Moments, states: States
) -> list[Condition]:
    """Return every series with a risk about a time that has not passed, and what fires without one.

    What is full already is no news, and of a time that has passed nothing is said either way.
    """
    found, seen = [], set()
    values = {
        "feeds": list(rule.feeds),
        "horizon_at_most": rule.horizon_at_most,
        **_now_of(moments),
    }
    for row in ask(connection, "risk", values):
        as_of = moments.of(row["feed"])
        subject = f"series:{row['series_id']}"
        seen.add(subject)
        if row["has_passed"]:
            continue
        found.append(
            _condition(
                subject,
                row["value"],
                rule.holds(row["value"], _fires(states, subject)),
                as_of,
                row,
                may_start=not (rule.only_new and row["is_over_now"]),
                observed=row["value_now"],
                is_over_now=row["is_over_now"],
                occupied_limit=row["occupied_limit"],
                definition=row["definition"],
            )
        )
    return found + _without_forecast(states, seen, moments)


def _without_forecast(states: States, seen: set[str], moments: Moments) -> list[Condition]:
    """Return, as over, what fires for series that the newest run left out: withdrawn, ended, closed."""
    return [
        Condition(
            subject,
            None,
            False,
            moments.of((state.details.get("kept") or {}).get("feed")),
            str(state.details.get("label")),
            dict(state.details.get("what") or {}),
            details={**(state.details.get("kept") or {}), "reason": _NO_FORECAST},
        )
        for subject, state in states.items()
        if state.is_firing and subject not in seen
    ]


def _now_of(moments: Moments) -> dict[str, Any]:
    return {
        "now": moments.default,
        "feeds_of_own": list(moments.by_feed),
        "moments_of_own": list(moments.by_feed.values()),
    }


def _values(rule: Rule) -> dict[str, Any]:
    return {
        "measure": rule.measure,
        "dimensions": Jsonb(rule.dimensions),
        "place_levels": list(rule.place_levels),
        "services": list(rule.service_or_resource),
        "feeds": list(rule.feeds),
    }


def _compared(rule: Rule, value: float, row: dict[str, Any]) -> float | None:
    """Return what the threshold is compared with, None where the other part of the ratio is missing."""
    if rule.of == "value":
        return value
    base = row["capacity"] if rule.of == "capacity" else row["value_now"]
    return value / base if base else None


def _panel_of_then(rule: Rule, states: States, subject: str, row: dict[str, Any]) -> float:
    """Return the units of the panel that an alert began with, per unit of today's; 1 where that says nothing.

    A panel that shrinks holds fewer patients and is no less full: what fires is judged by the panel it
    fired for. A share of the capacity is of today's panel on both sides.
    """
    if rule.of != "value" or not _fires(states, subject):
        return 1.0
    then, now = (states[subject].details.get("kept") or {}).get("reporting_units"), row["reporting_units"]
    return then / now if then and now else 1.0


def _fires(states: States, subject: str) -> bool:
    return subject in states and states[subject].is_firing


def _ended(row: dict[str, Any]) -> Words:
    """Return what ended a state that was reported."""
    if row["is_over"]:
        until = stamp(row["period_end"], row["timezone"])
        return {"en": f"reported until {until} and over since", "zh": f"原报告至 {until}，现已结束"}
    return {"en": "a newer report says otherwise", "zh": "已有更新的报告"}


def _condition(
    subject: str,
    compared: float | None,
    holds: bool,
    as_of: Any,
    row: dict[str, Any],
    *,
    may_start: bool = True,
    **details: Any,
) -> Condition:
    kept = {
        "feed": row["feed"],
        "place_id": row["place_id"],
        "place_code": row["place_code"],
        "label_zh": row["place_zh"],
        "place_level": row["place_level"],
        "series_id": row["series_id"],
        "unit": row["unit"],
        "timezone": row["timezone"],
        "capacity": row["capacity"],
        "period_end": row["period_end"].isoformat(),
        **details,
    }
    what = series_words(row["measure"], row["service_or_resource"], row["dimensions"], row["feed"])
    return Condition(subject, compared, holds, as_of, row["place"], what, may_start, kept)
