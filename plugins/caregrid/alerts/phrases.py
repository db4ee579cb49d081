"""What one alert says about its value, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

_UNITS_ZH = {
    "hours": "小时",
    "beds": "张",
    "persons": "人",
    "count": "次",
    "vehicles": "辆",
    "percent": "%",
    "units": "个",
}
_THRESHOLD = {
    ("en", True): "threshold over",
    ("en", False): "threshold under",
    ("zh", True): "阈值高于",
    ("zh", False): "阈值低于",
}
_AGAINST = {
    ("en", "capacity"): "capacity",
    ("en", "now"): "the value now",
    ("zh", "capacity"): "容量",
    ("zh", "now"): "现值",
}


def stamp(moment: datetime, timezone: str | None) -> str:
    """Return a moment in the place's own time, with the name of the zone."""
    zone = ZoneInfo(timezone) if timezone else ZoneInfo("UTC")
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} {timezone or 'UTC'}"


def value_phrase(details: Mapping[str, Any], language: str) -> str:
    """Return value and threshold as words that follow what was measured; "" where there is no number."""
    if details.get("value") is None:
        return ""
    if details["kind"] == "risk":
        return _risk(details, language)
    if details["kind"] == "stale_feed":
        return _stale(details, language)
    if details.get("of") in ("capacity", "now"):
        return _ratio(details, language)
    return _plain(details, language)


def news_phrase(details: Mapping[str, Any], language: str) -> str:
    """Say whether this is the first time, or when it was over last."""
    if details.get("is_new", True) or not details.get("last_resolved"):
        return {"en": "new", "zh": "首次出现"}[language]
    before = f"{datetime.fromisoformat(details['last_resolved']):%Y-%m-%d %H:%M} UTC"
    return {"en": f"again (last resolved {before})", "zh": f"再次出现（上次解除 {before}）"}[language]


def _amount(value: float) -> str:
    """Return a number to read: three digits, or the whole ones where there are more."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _limit(details: Mapping[str, Any], language: str, shown: str) -> str:
    return f"{_THRESHOLD[language, bool(details.get('above', True))]} {shown}"


def _begin(kept: Mapping[str, Any], language: str) -> str:
    if "expected" in kept:
        return {"en": " expected ", "zh": "预计 "}[language]
    return {"en": " ", "zh": "："}[language]


def _plain(details: Mapping[str, Any], language: str) -> str:
    kept = details.get("kept") or {}
    unit = str(kept.get("unit") or "")
    unit = "" if unit == "state" else _UNITS_ZH.get(unit, unit) if language == "zh" else unit
    number = f"{_begin(kept, language)}{_amount(details['value'])} {unit}".rstrip()
    if details.get("threshold") is None:
        return number
    return f"{number} ({_limit(details, language, format(details['threshold'], 'g'))})"


def _ratio(details: Mapping[str, Any], language: str) -> str:
    kept = details.get("kept") or {}
    amount = kept["expected"] if "expected" in kept else kept["observed"]
    base = kept.get("capacity") if details["of"] == "capacity" else kept.get("observed")
    against = f"{_AGAINST[language, details['of']]} {base:g}"
    limit = _limit(details, language, format(details["threshold"], ".0%"))
    return f"{_begin(kept, language)}{_amount(amount)} / {against} = {details['value']:.0%} ({limit})"


def _risk(details: Mapping[str, Any], language: str) -> str:
    kept = details.get("kept") or {}
    until = stamp(datetime.fromisoformat(kept["period_end"]), kept.get("timezone"))
    chance, capacity = f"{details['value']:.0%}", f"{kept['capacity']:g}"
    limit = _limit(details, language, format(details["threshold"], ".0%"))
    observed = kept.get("observed")
    if language == "zh":
        now = "" if observed is None else f"，现为 {observed:g}"
        return f"：到 {until} 超过容量 {capacity} 的概率 {chance}（{limit}{now}）"
    now = "" if observed is None else f", now {observed:g}"
    return f" exceeds capacity {capacity} by {until} with probability {chance} ({limit}{now})"


def _stale(details: Mapping[str, Any], language: str) -> str:
    kept = details.get("kept") or {}
    published = stamp(datetime.fromisoformat(kept["published_at"]), kept.get("timezone"))
    silent, allowed = _amount(details["value"]), f"{details['threshold']:g}"
    if language == "zh":
        return f"：{published}，距今 {silent} 小时（允许 {allowed} 小时）"
    return f" {published}, {silent} hours ago (allowed {allowed} hours)"
