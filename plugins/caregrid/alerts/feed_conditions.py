"""Conditions on the data itself: a feed that fell silent, a load or a publication that a gate refused."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg

from caregrid.alerts.condition import Condition, State, ask
from caregrid.alerts.names import Words
from caregrid.alerts.rules import Rule
from caregrid.errors import CareGridError
from caregrid.moment import Moments

log = logging.getLogger(__name__)
States = Mapping[str, State]
# A refusal older than this is history, not news.
REMEMBERED = timedelta(days=30)
_PUBLISHED: Words = {"en": "newest accepted publication", "zh": "最新通过的发布"}
_NEVER_ACCEPTED: Words = {
    "en": "nothing was accepted yet; first publication",
    "zh": "尚无通过的发布；首次发布",
}
# What became of the newest file that came since.
_LATE_BECAUSE: dict[str, Words] = {
    "refused": {"en": "was refused by the gate", "zh": "被质量门拒绝"},
    "unreadable": {"en": "could not be read", "zh": "无法读取"},
    "waiting": {"en": "waits for the gate", "zh": "正等待质量门检查"},
}
_REFUSED: Words = {"en": "load refused by the gate", "zh": "数据被质量门拒绝"}
_UNREADABLE: Words = {"en": "file could not be read", "zh": "文件无法读取"}
_WARNED: Words = {"en": "warnings of the gate:", "zh": "质量门警告"}
_NOT_PUBLISHED: Words = {
    "en": "tables not published; the last good ones stay",
    "zh": "数据表未发布；仍提供上一版",
}
_WAREHOUSE = "warehouse · 数据仓库"


def stale_feed(
    connection: psycopg.Connection[Any], rule: Rule, moments: Moments, states: States
) -> list[Condition]:
    """Return every feed with a cadence and whether it is late; dbt's macro feed_lateness says what late is.

    The value is hours since the publication that lateness counts from, the threshold the hours allowed; the
    reason says what came since and what became of it. A feed of which nothing ever arrived, or only what
    still waits for the gate, is not spoken of.
    """
    feeds = {
        feed["feed"]: feed
        for feed in expected_feeds(connection)
        if not rule.feeds or feed["feed"] in rule.feeds
    }
    values = {
        "feeds": list(feeds),
        "moments": [moments.of(feed) for feed in feeds],
        "every": [feed["expected_every"] for feed in feeds.values()],
        "tolerance": [feed["lateness_tolerance"] for feed in feeds.values()],
    }
    found = []
    for row in ask(connection, "late_feeds", values):
        if row["counts_from"] is None:
            continue
        feed, as_of = feeds[row["feed"]], moments.of(row["feed"])
        found.append(
            Condition(
                f"feed:{row['feed']}",
                _hours(as_of - row["counts_from"]),
                row["is_late"],
                as_of,
                feed["name_en"],
                _PUBLISHED if row["last_accepted_published_at"] else _NEVER_ACCEPTED,
                details={
                    "feed": row["feed"],
                    "label_zh": feed["name_zh"],
                    "threshold": _hours(row["due_at"] - row["counts_from"]),
                    "unit": "hours",
                    "published_at": row["counts_from"].isoformat(),
                    "timezone": feed["timezone"],
                    "late_because": row["late_because"],
                    "reason": _late_because(row),
                },
            )
        )
    return found


def failed_gate(
    connection: psycopg.Connection[Any], rule: Rule, moments: Moments, states: States
) -> list[Condition]:
    """Return what gates refused (a load, a file, a publication), or what they warned of."""
    found = (
        _warnings(connection, moments)
        if rule.counts == "warnings"
        else _refusals(connection, moments, states)
    )
    found += _build(connection, rule, moments)
    if rule.feeds:
        found = [condition for condition in found if condition.details.get("feed") in rule.feeds]
    return found


def expected_feeds(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """Return feed, names, timezone, cadence and tolerance of every feed that has a cadence.

    The register in the database counts; before the first build has written it, the feeds' YAML does.
    """
    columns = ["feed", "name_en", "name_zh", "timezone", "expected_every", "lateness_tolerance"]
    rows = connection.execute(
        "select feed, name_en, name_zh, timezone, expected_every, lateness_tolerance from ledger.feed"
    ).fetchall()
    if rows:
        return [dict(zip(columns, row, strict=True)) for row in rows if row[4] is not None]
    from caregrid.feeds import feed_files, load_feed

    found = []
    for file in feed_files():
        try:
            feed = load_feed(file)
        except CareGridError as error:
            # `caregrid feeds check` tells its author; the other feeds are still watched.
            log.warning("%s is not watched: %s", file.stem, error)
            continue
        if feed.expected_every:
            every, tolerance = _interval(connection, feed.expected_every, feed.lateness_tolerance)
            values = (feed.name, feed.title["en"], feed.title["zh"], feed.timezone, every, tolerance)
            found.append(dict(zip(columns, values, strict=True)))
    return found


def _interval(connection: psycopg.Connection[Any], *texts: str | None) -> list[timedelta | None]:
    """Return ISO 8601 durations as PostgreSQL reads them: a month is thirty days."""
    return [
        None if text is None else (connection.execute("select %s::interval", [text]).fetchone() or (None,))[0]
        for text in texts
    ]


def _refusals(connection: psycopg.Connection[Any], moments: Moments, states: States) -> list[Condition]:
    """Return the refusals not yet made good; each is told once even when a later file has passed since."""
    firing = {subject: state for subject, state in states.items() if state.is_firing}
    values = {
        "since": moments.default - REMEMBERED,
        "subjects": list(firing),
        "told": [state.recorded_at for state in firing.values()],
    }
    found = []
    for row in ask(connection, "refusals", values):
        before = states.get(row["subject"])
        if before is not None and not before.is_firing and before.recorded_at >= row["failed_at"]:
            continue
        file, is_load = row["uri"].rsplit("/", 1)[-1], row["load_id"] is not None
        found.append(
            Condition(
                row["subject"],
                None,
                not row["is_made_good"],
                moments.of(row["feed"]),
                f"{row['feed']}/{row['source']}",
                _named(_REFUSED if is_load else _UNREADABLE, file),
                details={
                    "feed": row["feed"],
                    "load_id": row["load_id"],
                    "file": file,
                    "reason": _reason(row["messages"], row["reason"]),
                    **({} if is_load else {"fix": _fix(row["feed"])}),
                    "published_at": row["published_at"].isoformat(),
                },
            )
        )
    seen = {condition.subject for condition in found}
    gone = {
        subject: state
        for subject, state in firing.items()
        if subject.startswith(("load:", "file:")) and subject not in seen
    }
    # What was refused and no longer is (replayed, accepted after all) is over.
    found += [
        Condition(
            subject,
            None,
            False,
            moments.of(state.details.get("feed")),
            str(state.details.get("label")),
            dict(state.details.get("what") or _REFUSED),
            details=dict(state.details.get("kept") or {}),
        )
        for subject, state in gone.items()
    ]
    return found


def _named(what: Words, file: str) -> Words:
    """Return what became of a file, with its name."""
    return {"en": f"{what['en']}: {file}", "zh": f"{what['zh']}：{file}"}


def _fix(feed: str) -> Words:
    """Return what to do about a file that could not be read."""
    return {
        "en": f"correct the source or dags/feeds/{feed}.yml and run the feed again",
        "zh": f"修正来源或 dags/feeds/{feed}.yml 后重新运行该数据源",
    }


def _warnings(connection: psycopg.Connection[Any], moments: Moments) -> list[Condition]:
    return [
        Condition(
            f"source:{row['feed']}/{row['source']}",
            float(row["warnings"]),
            row["warnings"] > 0,
            moments.of(row["feed"]),
            f"{row['feed']}/{row['source']}",
            _WARNED,
            details={
                "feed": row["feed"],
                "load_id": row["load_id"],
                "reason": _reason(row["messages"], None),
            },
        )
        for row in ask(connection, "gate_warnings", {})
    ]


def _build(connection: psycopg.Connection[Any], rule: Rule, moments: Moments) -> list[Condition]:
    rows = ask(connection, "newest_build", {})
    if not rows:
        return []
    (row,) = rows
    holds = row["warnings"] > 0 if rule.counts == "warnings" else row["status"] == "failed"
    # Of tables that were not published the failures follow by name: their number would say nothing.
    number = float(row["warnings"]) if rule.counts == "warnings" else None
    messages = row["warning_messages"] if rule.counts == "warnings" else row["failure_messages"]
    return [
        Condition(
            "marts",
            number,
            bool(holds),
            moments.default,
            _WAREHOUSE,
            _WARNED if rule.counts == "warnings" else _NOT_PUBLISHED,
            details={"build_id": row["build_id"], "reason": _reason(messages, row["reason"])},
        )
    ]


def _late_because(row: dict[str, Any]) -> Words | None:
    """Return what came since and what became of it, in both languages; None of a feed that is not late."""
    if row["late_because"] is None:
        return None
    fate = _LATE_BECAUSE.get(row["late_because"])
    if fate is None:
        return {"en": "nothing newer came", "zh": "此后没有新数据"}
    files, why = row["later_files"], _reason(row["messages"], row["reason"])
    newer, since = ("newer ", "此后") if row["last_accepted_published_at"] else ("", "已")
    en = f"{files} {newer}file{'s' if files != 1 else ''} came, and the newest {fate['en']}"
    zh = f"{since}收到 {files} 个文件，最新的{fate['zh']}"
    return {
        "en": f"{en}: {why['en']}" if why["en"] else en,
        "zh": f"{zh}：{why['zh']}" if why["zh"] else zh,
    }


def _reason(messages: list[str] | None, otherwise: str | None) -> Words:
    """Return why, in both languages; a gate's message is "English · Chinese", what was raised is neither."""
    if not messages:
        return {"en": otherwise or "", "zh": otherwise or ""}
    parts = [message.partition(" · ") for message in dict.fromkeys(messages)]
    # A gate's message says what should be: read alone, it would be good news.
    return {
        "en": "; ".join(f"not so: {en}" if zh else en for en, _, zh in parts),
        "zh": "；".join(f"未满足：{zh}" if zh else en for en, _, zh in parts),
    }


def _hours(span: timedelta) -> float:
    return round(span.total_seconds() / 3600, 2)
