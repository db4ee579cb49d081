"""Evaluates every rule once: sees what holds, appends each change of state, sends what is to be told."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from caregrid import faults
from caregrid.alerts import feed_conditions, series_conditions
from caregrid.alerts.channels import Channel, check_names, declared_names, load_channels
from caregrid.alerts.condition import Condition, State
from caregrid.alerts.deliver import deliver
from caregrid.alerts.rules import Rule, load_rules
from caregrid.alerts.state import Event, append, newest_states, one_at_a_time
from caregrid.database.connect import connect
from caregrid.moment import Moments, resolve

Seer = Callable[[psycopg.Connection[Any], Rule, Moments, dict[str, State]], list[Condition]]
SEERS: dict[str, Seer] = {
    "observed": series_conditions.observed,
    "forecast": series_conditions.forecast,
    "risk": series_conditions.risk,
    "stale_feed": feed_conditions.stale_feed,
    "failed_gate": feed_conditions.failed_gate,
}
# Where a person looks further: the service, and the path on it ({feed} is filled in).
_LOOK = {
    "observed": ("docs", "/dbt/index.html#!/model/model.caregrid.operations_now_and_next"),
    "forecast": ("docs", "/dbt/index.html#!/model/model.caregrid.operations_now_and_next"),
    "risk": ("docs", "/dbt/index.html#!/model/model.caregrid.operations_now_and_next"),
    "stale_feed": ("airflow", "/dags/ingest_{feed}"),
    "failed_gate": ("docs", "/data_docs/index.html"),
}


_WITHDRAWN = {"en": "the rule was withdrawn", "zh": "规则已撤销"}


@dataclass
class Evaluation:
    """What one evaluation found and sent.

    Attributes:
        as_of: the general now it looked at (feeds may have one of their own).
        fired: subjects that began to fire, by rule; resolved: those that ceased; firing: those that fire now.
        messages_sent: messages by channel; events_sent: changes of state in them.
        failures: what could not be sent; the next evaluation tries again.
        broken: rules that could not be evaluated, and why; the others were.
    """

    as_of: datetime
    fired: dict[str, int] = field(default_factory=dict)
    resolved: dict[str, int] = field(default_factory=dict)
    firing: dict[str, int] = field(default_factory=dict)
    messages_sent: dict[str, int] = field(default_factory=dict)
    events_sent: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def evaluate(
    as_of: datetime | None = None, *, rules_dir: Path | None = None, channels_file: Path | None = None
) -> Evaluation:
    """Evaluate the rules and deliver, once per change of state; a second call sends nothing new.

    The events are committed before anything is sent: a kill in between leaves them pending, and the next
    evaluation sends them.

    Args:
        as_of: the now to look at; default the clock, or per feed as CAREGRID_AS_OF_BY_FEED says.
        rules_dir: where the rules lie; default those of CareGrid.
        channels_file: where the channels are named; default CAREGRID_ALERT_CHANNELS, else CareGrid's.
    """
    started = time.monotonic()
    rules = load_rules(rules_dir)
    channels = load_channels(channels_file)
    check_names(channels, {name for rule in rules for name in rule.channels}, declared_names(channels_file))
    with connect("action") as connection:
        one_at_a_time(connection)
        moments = resolve(connection, as_of)
        result = Evaluation(moments.default)
        events = _changes(connection, rules, moments, channels, result)
        append(connection, events)
        connection.commit()
        faults.point("alerts:events_written")
        sent = deliver(connection, channels)
    result.messages_sent, result.events_sent, result.failures = (
        sent.messages_sent,
        sent.events_sent,
        sent.failures,
    )
    result.seconds = round(time.monotonic() - started, 2)
    return result


def _changes(
    connection: psycopg.Connection[Any],
    rules: Sequence[Rule],
    moments: Moments,
    channels: Sequence[Channel],
    result: Evaluation,
) -> list[Event]:
    """Return the changes of state, and count them and what fires in `result`."""
    before = newest_states(connection)
    evaluation = uuid.uuid4().hex
    events: list[Event] = []
    for rule in rules:
        states = before.get(rule.rule, {})
        firing = {subject for subject, state in states.items() if state.is_firing}
        for condition in _seen(connection, rule, moments, states, result):
            was_firing = condition.subject in firing
            if condition.holds == was_firing or (condition.holds and not condition.may_start):
                continue
            state = "firing" if condition.holds else "resolved"
            (firing.add if condition.holds else firing.discard)(condition.subject)
            _count(result.fired if condition.holds else result.resolved, rule.rule)
            details = _details(rule, condition, states.get(condition.subject), channels, evaluation)
            events.append(Event(rule.rule, condition.subject, state, rule.severity, condition.as_of, details))
        if firing:
            result.firing[rule.rule] = len(firing)
    events += _withdrawn({rule.rule for rule in rules}, before, moments, channels, evaluation, result)
    return events


def _seen(
    connection: psycopg.Connection[Any],
    rule: Rule,
    moments: Moments,
    states: dict[str, State],
    result: Evaluation,
) -> list[Condition]:
    """Return what a rule sees; one that cannot look says so in `result` and its states stay as they were."""
    try:
        with connection.transaction():
            return SEERS[rule.kind](connection, rule, moments, states)
    except Exception as error:  # one rule's trouble must not silence the others
        result.broken[rule.rule] = f"{type(error).__name__}: {error}"
        return []


def _withdrawn(
    known: set[str],
    before: dict[str, dict[str, State]],
    moments: Moments,
    channels: Sequence[Channel],
    evaluation: str,
    result: Evaluation,
) -> list[Event]:
    """Resolve what rules that no longer exist left firing: nobody will ever look at it again."""
    events = []
    for rule, states in before.items():
        for subject, state in states.items() if rule not in known else ():
            if not state.is_firing:
                continue
            names = [channel.channel for channel in channels]
            kept = {**(state.details.get("kept") or {}), "reason": _WITHDRAWN}
            details = {**state.details, "evaluation": evaluation, "channels": names, "kept": kept}
            severity = str(state.details.get("severity", "information"))
            events.append(Event(rule, subject, "resolved", severity, moments.default, details))
            _count(result.resolved, rule)
    return events


def _details(
    rule: Rule, condition: Condition, before: State | None, channels: Sequence[Channel], evaluation: str
) -> dict[str, Any]:
    service, path = _LOOK[rule.kind]
    spoken = [
        channel.channel
        for channel in channels
        if rule.severity in channel.severities and (not rule.channels or channel.channel in rule.channels)
    ]
    limited = rule.kind in ("observed", "forecast", "risk")
    return {
        "rule_name": rule.name,
        "kind": rule.kind,
        "severity": rule.severity,
        "label": condition.label,
        "label_zh": condition.details.get("label_zh"),
        "what": condition.what,
        "value": condition.value,
        "threshold": rule.threshold if limited else condition.details.get("threshold"),
        "above": rule.below is None,
        "of": rule.of,
        "top": rule.top,
        "is_new": before is None,
        "last_resolved": before.recorded_at.isoformat() if before and not before.is_firing else None,
        "link": _address(service) + path.format(feed=condition.details.get("feed", "")),
        "evaluation": evaluation,
        "channels": spoken,
        "kept": condition.details,
    }


def _address(service: str) -> str:
    """Return where a service answers: CAREGRID_<SERVICE>_URL, else its port on this machine."""
    named = os.environ.get(f"CAREGRID_{service.upper()}_URL")
    if named:
        return named.rstrip("/")
    from caregrid import ports

    return f"http://127.0.0.1:{ports.known(service) or ports.PREFERRED[service]}"


def _count(counts: dict[str, int], rule: str) -> None:
    counts[rule] = counts.get(rule, 0) + 1
