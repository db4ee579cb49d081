"""One message in English and Chinese: rule, places, value, threshold, as of when, is it new, a link."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caregrid.alerts.phrases import news_phrase, stamp, time_phrase, value_phrase

_SEVERITY = {
    "critical": {"en": "CRITICAL", "zh": "紧急"},
    "warning": {"en": "WARNING", "zh": "警告"},
    "information": {"en": "INFORMATION", "zh": "提示"},
}
_STATES = {
    ("firing", "en"): "Firing ({})",
    ("firing", "zh"): "触发（{}）",
    ("resolved", "en"): "Resolved ({})",
    ("resolved", "zh"): "已解除（{}）",
}
_LONGEST_REASON = 300


@dataclass(frozen=True)
class Told:
    """One row of action.alert_event."""

    alert_event_id: int
    rule: str
    subject: str
    state: str
    severity: str
    as_of: datetime
    recorded_at: datetime
    details: dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A message ready to send.

    Attributes:
        key: the same for the same events, so that a second sending can be known as such.
        tone: critical, warning or information; resolved when nothing in it fires.
        facts: the events as data, for channels that programs read.
    """

    key: str
    title: str
    body: str
    tone: str
    facts: list[dict[str, Any]]


def compose(events: Sequence[Told], languages: Sequence[str]) -> Message:
    """Return one message about events of one rule and one evaluation."""
    firing = sorted((event for event in events if event.state == "firing"), key=_worst_first)
    resolved = [event for event in events if event.state == "resolved"]
    first = events[0]
    key = hashlib.sha256(",".join(str(event.alert_event_id) for event in events).encode()).hexdigest()[:32]
    titles = [_title(first, len(firing), len(resolved), language) for language in languages]
    bodies = [_body(firing, resolved, language) for language in languages]
    return Message(
        key=key,
        title=" · ".join(titles),
        body="\n\n".join(bodies),
        tone=first.severity if firing else "resolved",
        facts=[_fact(event) for event in events],
    )


def _title(event: Told, firing: int, resolved: int, language: str) -> str:
    name = event.details["rule_name"][language]
    if language == "zh":
        counts = [f"{firing} 项触发"] * bool(firing) + [f"{resolved} 项解除"] * bool(resolved)
        return f"【{_SEVERITY[event.severity]['zh']}】{name}：{'，'.join(counts)}"
    counts = [f"{firing} firing"] * bool(firing) + [f"{resolved} resolved"] * bool(resolved)
    return f"[{_SEVERITY[event.severity]['en']}] {name}: {', '.join(counts)}"


def _body(firing: Sequence[Told], resolved: Sequence[Told], language: str) -> str:
    lines: list[str] = []
    for state, events in (("firing", firing), ("resolved", resolved)):
        if not events:
            continue
        top = int(events[0].details.get("top", 5))
        lines.append(_STATES[state, language].format(len(events)))
        lines += [f"• {_line(event, language)}" for event in events[:top]]
        more = len(events) - top
        if more > 0:
            lines.append({"en": f"  … and {more} more", "zh": f"  …… 另有 {more} 项"}[language])
    links = [event.details["link"] for event in (*firing, *resolved) if event.details.get("link")]
    if links:
        lines.append({"en": f"Look: {links[0]}", "zh": f"查看：{links[0]}"}[language])
    return "\n".join(lines)


def _line(event: Told, language: str) -> str:
    details = event.details
    kept = details.get("kept") or {}
    label = (details.get("label_zh") if language == "zh" else None) or details["label"]
    parts = [f"{details['what'][language]}{value_phrase(details, language)}"]
    reason = (kept.get("reason") or {}).get(language)
    if reason:
        parts.append(_shortened(reason))
    fix = (kept.get("fix") or {}).get(language)
    if fix and event.state == "firing":
        parts.append(fix)
    own_time = time_phrase(details, language)
    if own_time:
        parts.append(own_time)
    moment = stamp(event.as_of, kept.get("timezone"))
    parts.append({"en": f"as of {moment}", "zh": f"截至 {moment}"}[language])
    if event.state == "firing":
        parts.append(news_phrase(details, language))
    return {"en": f"{label}: {'; '.join(parts)}", "zh": f"{label}：{'；'.join(parts)}"}[language]


def _shortened(reason: str) -> str:
    """Return a reason cut where it gets too long; Chinese has no spaces to cut at."""
    reason = " ".join(reason.split())
    if len(reason) <= _LONGEST_REASON:
        return reason
    kept = reason[:_LONGEST_REASON]
    end = max(kept.rfind(mark) for mark in " 、，；")
    return (kept[:end] if end > _LONGEST_REASON // 2 else kept).rstrip(" ,;、，；") + " …"


def _worst_first(event: Told) -> tuple[float, str]:
    value = event.details.get("value")
    return ((0.0 if value is None else -value if event.details.get("above", True) else value), event.subject)


def _fact(event: Told) -> dict[str, Any]:
    return {
        "alert_event_id": event.alert_event_id,
        "rule": event.rule,
        "subject": event.subject,
        "state": event.state,
        "severity": event.severity,
        "as_of": event.as_of.isoformat(),
        "label": event.details.get("label"),
        "value": event.details.get("value"),
        "threshold": event.details.get("threshold"),
        "is_new": event.details.get("is_new"),
        "link": event.details.get("link"),
    }
