"""What a message says, in both languages."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from caregrid.alerts.message import Told, compose
from caregrid.alerts.names import series_words
from caregrid.alerts.outbox import NotifyOutbox, messages
from caregrid.alerts.phrases import news_phrase, value_phrase
from caregrid.errors import CareGridError
from caregrid.moment import declare
from caregrid.paths import SEEDS_DIR
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

NOW = datetime(2025, 3, 3, 12, tzinfo=UTC)


def _told(number: int, state: str = "firing", **details: Any) -> Told:
    given = {
        "rule_name": {"en": "Full", "zh": "满"},
        "kind": "observed",
        "label": f"Place {number}",
        "what": {"en": "Occupied", "zh": "占用"},
        "value": float(number),
        "threshold": 3.0,
        "above": True,
        "of": "value",
        "top": 2,
        "is_new": True,
        "link": "http://127.0.0.1:8081/",
        "kept": {"unit": "beds", "timezone": "Asia/Taipei"},
        **details,
    }
    return Told(number, "full", f"series:{number}", state, "critical", NOW, NOW, given)


def test_message_names_the_worst_and_counts_the_others() -> None:
    message = compose([_told(number) for number in (4, 9, 6, 7)], ("en", "zh"))
    assert message.title == "[CRITICAL] Full: 4 firing · 【紧急】满：4 项触发"
    english, chinese = message.body.split("\n\n")
    assert [line for line in english.splitlines() if line.startswith("•")] == [
        "• Place 9: Occupied 9 beds (threshold over 3); as of 2025-03-03 20:00 Asia/Taipei; new",
        "• Place 7: Occupied 7 beds (threshold over 3); as of 2025-03-03 20:00 Asia/Taipei; new",
    ]
    assert "… and 2 more" in english
    assert "• Place 9：占用：9 张（阈值高于 3）；截至 2025-03-03 20:00 Asia/Taipei；首次出现" in chinese
    assert english.endswith("Look: http://127.0.0.1:8081/")
    assert [fact["subject"] for fact in message.facts] == ["series:4", "series:9", "series:6", "series:7"]


def test_resolved_is_told_as_good_news() -> None:
    message = compose([_told(4, "resolved")], ("en",))
    assert message.tone == "resolved"
    assert message.title == "[CRITICAL] Full: 1 resolved"
    assert "new" not in message.body


def test_what_is_expected_is_said_with_its_time() -> None:
    """A forecast without "by when" helps no bed manager."""
    until = "2025-03-04T06:00:00+00:00"
    kept = {"timezone": "Asia/Taipei", "expected": 84.4, "capacity": 53.0, "period_end": until}
    message = compose([_told(1, value=1.59, threshold=1.5, of="capacity", kept=kept)], ("en", "zh"))
    english, chinese = message.body.split("\n\n")
    by = "2025-03-04 14:00 Asia/Taipei"
    assert f"Occupied expected by {by}: 84.4 / capacity 53 = 159% (threshold over 150%);" in english
    assert f"占用预计到 {by}：84.4 / 容量 53 = 159%（阈值高于 150%）；" in chinese


@pytest.mark.parametrize(
    ("hours", "allowed", "english", "chinese"),
    [
        (4.2, 1.0, "4.2 hours ago (allowed 1 hour)", "距今 4.2 小时（允许 1 小时）"),
        (36.0, 36.0, "36 hours ago (allowed 36 hours)", "距今 36 小时（允许 36 小时）"),
        (32034.0, 240.0, "1335 days ago (allowed 10 days)", "距今 1335 天（允许 10 天）"),
    ],
)
def test_silence_is_told_in_a_span_people_read(
    hours: float, allowed: float, english: str, chinese: str
) -> None:
    kept = {"timezone": "Asia/Taipei", "published_at": "2025-03-03T08:00:00+00:00"}
    told = _told(1, kind="stale_feed", value=hours, threshold=allowed, kept=kept)
    body = compose([told], ("en", "zh")).body
    assert f"2025-03-03 16:00 Asia/Taipei, {english};" in body
    assert f"2025-03-03 16:00 Asia/Taipei，{chinese}；" in body


def test_lowest_is_worst_under_a_lower_threshold() -> None:
    message = compose([_told(number, above=False) for number in (2, 1)], ("en",))
    assert message.body.index("Place 1") < message.body.index("Place 2")
    assert "threshold under 3" in message.body


def test_key_is_the_same_for_the_same_events_only() -> None:
    same = [compose([_told(4), _told(5)], languages).key for languages in (("en",), ("zh",))]
    assert same[0] == same[1]
    assert compose([_told(4)], ("en",)).key != same[0]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=150, unique=True), st.integers(1, 9))
def test_message_stays_short_however_many_change(numbers: list[int], top: int) -> None:
    message = compose([_told(number, top=top) for number in numbers], ("en", "zh"))
    assert len(re.findall("^•", message.body, re.MULTILINE)) == 2 * min(top, len(numbers))
    assert len(message.facts) == len(numbers)


def test_again_is_not_new() -> None:
    details = {"is_new": False, "last_resolved": "2025-03-01T10:00:00+00:00"}
    assert news_phrase(details, "en") == "again (last resolved 2025-03-01 10:00 UTC)"
    assert news_phrase(details, "zh") == "再次出现（上次解除 2025-03-01 10:00 UTC）"


def test_no_number_no_phrase() -> None:
    assert value_phrase({"value": None, "kind": "failed_gate"}, "en") == ""


def test_series_is_named_in_both_languages() -> None:
    words = series_words("waiting", "emergency_department", {"waiting_for": "ward_bed"})
    assert words == {
        "en": "Waiting, Emergency department (Waiting for a ward bed)",
        "zh": "等候，急诊科（等待住院）",
    }
    assert series_words("unheard_of", "x", {})["en"] == "unheard_of, x"


def test_outbox_writes_each_key_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path))
    for key in ("a", "b", "a"):
        channel = NotifyOutbox(host="alerts.ndjson")
        channel.key = key
        assert channel.send("body 满", "title")
    lines = (tmp_path / "outbox" / "alerts.ndjson").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert "满" in lines[0]


@pytest.mark.parametrize("wrong", ["yesterday", "2025-01-01T00:00:00"])
def test_declared_moment_needs_an_offset(wrong: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path))
    with pytest.raises(CareGridError, match="fix: write latest"):
        declare({"*": wrong})
    assert not (tmp_path / "run").exists()


def test_outbox_is_read_past_a_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path))
    assert messages() == []
    (tmp_path / "outbox").mkdir()
    lines = '{"title": "one", "body": "1"}\n{"title": "to\n{"title": "two", "body": "2"}\n'
    (tmp_path / "outbox" / "alerts.ndjson").write_text(lines)
    assert [message["title"] for message in messages()] == ["one", "two"]


def test_the_values_own_time_stands_beside_the_now() -> None:
    kept = {
        "unit": "state", "timezone": "Asia/Hong_Kong", "grain": "interval",
        "period_start": "2025-03-03T02:00:00+00:00", "period_end": "2025-03-03T08:00:00+00:00",
    }  # fmt: skip
    body = compose([_told(1, kept=kept)], ("en", "zh")).body
    assert (
        "; value of 2025-03-03 10:00 Asia/Hong_Kong to 2025-03-03 16:00 Asia/Hong_Kong;"
        " as of 2025-03-03 20:00 Asia/Hong_Kong; new" in body
    )
    assert "；数值时段 2025-03-03 10:00 Asia/Hong_Kong 至 2025-03-03 16:00 Asia/Hong_Kong；截至" in body
    instant = compose([_told(1, kept={**kept, "grain": "instant"})], ("en",)).body
    assert "; value of 2025-03-03 16:00 Asia/Hong_Kong; as of" in instant


@pytest.mark.parametrize(
    ("feed", "measure", "dimensions"),
    [
        ("sim_beds", "diversion_status", {"reason": "no_ward_beds"}),
        ("sim_staff_supplies", "supplies_hours_left", {"item": "protective_equipment"}),
    ],
)
def test_codes_of_a_feed_are_told_by_their_meaning(
    feed: str, measure: str, dimensions: dict[str, str]
) -> None:
    ((dimension, code),) = dimensions.items()
    told = series_words(measure, "emergency_department", dimensions, feed)
    with (SEEDS_DIR / "terminology.csv").open(encoding="utf-8", newline="") as file:
        (meaning,) = (
            row
            for row in csv.DictReader(file)
            if row["code_system"] == f"sim_{dimension}" and row["code"] == code
        )
    assert meaning["meaning_zh"] in told["zh"]
    assert meaning["meaning"] in told["en"]
    assert code not in told["zh"]
    assert code in series_words(measure, "emergency_department", dimensions, "elsewhere")["zh"]


def test_a_long_reason_is_cut_in_either_language_and_the_fix_is_not() -> None:
    tables = [f"planning_table_number_{number}" for number in range(40)]
    reason = {"en": f"would be empty: {', '.join(tables)}", "zh": f"将为空：{'、'.join(tables)}"}
    fix = {"en": "correct it and run it again", "zh": "更正后重新运行"}
    told = _told(4, kind="failed_gate", value=None, kept={"reason": reason, "fix": fix})
    english, chinese = compose([told], ("en", "zh")).body.split("\n\n")
    for body, language in ((english, "en"), (chinese, "zh")):
        assert reason[language][:200] in body
        assert reason[language] not in body
        assert f" …{'; ' if language == 'en' else '；'}{fix[language]}" in body


def test_what_ended_a_state_is_told_and_not_its_last_value() -> None:
    kept = {"unit": "state", "timezone": "Europe/London", "period_end": NOW.isoformat()}
    kept["reason"] = {"en": "a newer report says otherwise", "zh": "已有更新的报告"}
    english, chinese = compose([_told(4, "resolved", value=None, kept=kept)], ("en", "zh")).body.split("\n\n")
    assert "Occupied; a newer report says otherwise; as of" in english
    assert "占用；已有更新的报告；截至" in chinese
    assert "threshold" not in english
    assert "阈值" not in chinese
