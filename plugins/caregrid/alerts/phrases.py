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
# As model_output.risk names it where capacity is counted as occupied plus free.
_RESERVE = "free under a reserve"
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


def time_phrase(details: Mapping[str, Any], language: str) -> str:
    """Return when an observed value was true, which is not the now it was looked at; "" for other kinds."""
    kept = details.get("kept") or {}
    if details["kind"] != "observed" or "period_start" not in kept:
        return ""
    start, end = (
        stamp(datetime.fromisoformat(kept[key]), kept.get("timezone"))
        for key in ("period_start", "period_end")
    )
    if kept["grain"] == "instant" or start == end:
        return {"en": f"value of {end}", "zh": f"数值时间 {end}"}[language]
    return {"en": f"value of {start} to {end}", "zh": f"数值时段 {start} 至 {end}"}[language]


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
    """Return the threshold in brackets, those of the language."""
    words = f"{_THRESHOLD[language, bool(details.get('above', True))]} {shown}"
    return {"en": f" ({words})", "zh": f"（{words}）"}[language]


def _begin(kept: Mapping[str, Any], language: str) -> str:
    if "expected" in kept:
        until = stamp(datetime.fromisoformat(kept["period_end"]), kept.get("timezone"))
        return {"en": f" expected by {until}: ", "zh": f"预计到 {until}："}[language]
    return {"en": " ", "zh": "："}[language]


def _span(hours: float, language: str) -> str:
    """Return a span to read: hours, from two days on days."""
    number, unit, unit_zh = (hours, "hour", "小时") if hours < 48 else (hours / 24, "day", "天")
    shown = _amount(number)
    if language == "zh":
        return f"{shown} {unit_zh}"
    return f"{shown} {unit}" if shown == "1" else f"{shown} {unit}s"


def _plain(details: Mapping[str, Any], language: str) -> str:
    kept = details.get("kept") or {}
    unit = str(kept.get("unit") or "")
    unit = "" if unit == "state" else _UNITS_ZH.get(unit, unit) if language == "zh" else unit
    number = f"{_begin(kept, language)}{_amount(details['value'])} {unit}".rstrip()
    if details.get("threshold") is None:
        return number
    return number + _limit(details, language, format(details["threshold"], "g"))


def _ratio(details: Mapping[str, Any], language: str) -> str:
    kept = details.get("kept") or {}
    amount = kept["expected"] if "expected" in kept else kept["observed"]
    base = kept.get("capacity") if details["of"] == "capacity" else kept.get("observed")
    against = f"{_AGAINST[language, details['of']]} {base:g}"
    limit = _limit(details, language, format(details["threshold"], ".0%"))
    return f"{_begin(kept, language)}{_amount(amount)} / {against} = {details['value']:.0%}{limit}"


def _risk(details: Mapping[str, Any], language: str) -> str:
    kept = details.get("kept") or {}
    until = stamp(datetime.fromisoformat(kept["period_end"]), kept.get("timezone"))
    chance, capacity = f"{details['value']:.0%}", f"{kept['capacity']:g}"
    observed = kept.get("observed")
    now = "" if observed is None else {"en": f", now {observed:g}", "zh": f"，现为 {observed:g}"}[language]
    limit = _limit(details, language, format(details["threshold"], ".0%") + now)
    if kept.get("definition") == _RESERVE:
        most = f"{kept['occupied_limit']:g}"
        if language == "zh":
            return f"：到 {until} 占用超过 {most}（容量 {capacity}，空闲低于储备）的概率 {chance}{limit}"
        what = f"has over {most} of {capacity} occupied, less than its reserve free,"
        return f" {what} by {until} with probability {chance}{limit}"
    if language == "zh":
        return f"：到 {until} 超过容量 {capacity} 的概率 {chance}{limit}"
    return f" exceeds capacity {capacity} by {until} with probability {chance}{limit}"


def _stale(details: Mapping[str, Any], language: str) -> str:
    kept = details.get("kept") or {}
    published = stamp(datetime.fromisoformat(kept["published_at"]), kept.get("timezone"))
    silent, allowed = _span(details["value"], language), _span(details["threshold"], language)
    if language == "zh":
        return f"：{published}，距今 {silent}（允许 {allowed}）"
    return f" {published}, {silent} ago (allowed {allowed})"
