"""Delivery through real servers on loopback: once per change of state, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest
from caregrid.alerts import evaluate

pytestmark = pytest.mark.integration

FULL = """
rules:
  - {rule: full, kind: observed, measure: occupied, above: 10, severity: critical,
     name: {en: "Over ten", zh: "超过十"}}
"""
_AGAIN = "update action.delivery set attempted_at = attempted_at - interval '2 hours'"


@pytest.fixture
def full(stage: Any) -> Any:
    """One place over the threshold."""
    stage.write_rules(FULL)
    stage.put_value("林口長庚", "occupied", 20)
    return stage


def test_mail_reaches_a_mail_server_in_both_languages(full: Any, mail_server: Any, as_channel: Any) -> None:
    url = (
        f"mailto://127.0.0.1:{mail_server.port}/?from=caregrid@example.org&to=desk@example.org&mode=insecure"
    )
    as_channel("mail", url)
    assert full.evaluate().messages_sent == {"mail": 1}
    assert full.evaluate().messages_sent == {}
    (letter,) = mail_server.letters
    assert letter["To"] == "desk@example.org"
    assert "caregrid@example.org" in letter["From"]
    assert letter["Subject"] == "[CRITICAL] Over ten: 1 firing · 【紧急】超过十：1 项触发"
    text = letter.get_body(("plain", "html")).get_content()
    assert "林口長庚" in text
    assert "20 beds (threshold over 10)" in text
    assert "首次出现" in text


def test_a_name_that_is_a_script_is_plain_text_in_the_mail(
    stage: Any, mail_server: Any, as_channel: Any
) -> None:
    stage.write_rules(FULL)
    stage.put_value("<script>alert(1)</script><img src=x onerror=alert(2)>", "occupied", 20)
    as_channel(
        "mail", f"mailto://127.0.0.1:{mail_server.port}/?from=a@example.org&to=desk@example.org&mode=insecure"
    )
    assert stage.evaluate().messages_sent == {"mail": 1}
    (letter,) = mail_server.letters
    # One part, and that plain text: whatever a name holds, no reader of mail runs it.
    assert [part.get_content_type() for part in letter.walk()] == ["text/plain"]
    assert "<script>alert(1)</script>" in letter.get_content()


def test_webhook_receives_a_post_with_its_key(full: Any, webhook: Any, as_channel: Any) -> None:
    as_channel("webhook", f"json://127.0.0.1:{webhook.port}/alerts")
    assert full.evaluate().events_sent == {"webhook": 1}
    ((headers, post),) = webhook.posts
    assert post["type"] == "failure"
    assert "Over ten" in post["title"]
    assert "林口長庚" in post["message"]
    assert len(headers["Idempotency-Key"]) == 32


def test_chat_receives_a_message(full: Any, webhook: Any, as_channel: Any) -> None:
    as_channel("chat", f"mmost://127.0.0.1:{webhook.port}/3ccdd113474722377935511fc85d3dd4")
    assert full.evaluate().messages_sent == {"chat": 1}
    ((_, post),) = webhook.posts
    assert "林口長庚" in post["text"]


def test_failed_delivery_is_tried_again_and_sent_once(full: Any, mail_server: Any, as_channel: Any) -> None:
    as_channel(
        "mail", f"mailto://127.0.0.1:{mail_server.port}/?from=a@example.org&to=b@example.org&mode=insecure"
    )
    mail_server.refuses = True
    for _ in range(2):
        result = full.evaluate()
        assert result.messages_sent == {}
        assert len(result.failures) == 1
    assert full.evaluate().failures == []  # from now on it waits
    full.sql(_AGAIN)
    mail_server.refuses = False
    assert full.evaluate().messages_sent == {"mail": 1}
    full.sql(_AGAIN)
    assert full.evaluate().messages_sent == {}
    assert len(mail_server.letters) == 1
    outcomes = full.sql("select outcome from action.delivery order by delivery_id")
    assert outcomes == [("failed",), ("failed",), ("sent",)]


def test_channel_that_fails_does_not_hold_back_the_other(full: Any, webhook: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("CAREGRID_ALERT_WEBHOOK_URL", f"json://127.0.0.1:{webhook.port}/")
    webhook.status = 500
    full.channels.write_text(
        "channels:\n  - {channel: webhook, url_from_environment: CAREGRID_ALERT_WEBHOOK_URL}\n"
        "  - {channel: outbox, outbox: alerts.ndjson}\n"
    )
    result = full.evaluate()
    assert result.messages_sent == {"outbox": 1}
    assert [failure.split(":")[0] for failure in result.failures] == ["webhook"]


def test_failure_never_tells_the_secret(full: Any, as_channel: Any) -> None:
    as_channel("mail", "mailto://desk:hunter2@127.0.0.1:1/?to=b@example.org&mode=insecure")
    result = full.evaluate()
    assert len(result.failures) == 1
    assert "hunter2" not in result.failures[0]
    assert "hunter2" not in str(full.sql("select message from action.delivery"))


def test_channel_added_later_is_not_told_old_news(full: Any, webhook: Any, as_channel: Any) -> None:
    full.evaluate()
    as_channel("webhook", f"json://127.0.0.1:{webhook.port}/")
    assert full.evaluate().messages_sent == {}
    assert webhook.posts == []


def test_severity_decides_the_channel(full: Any) -> None:
    full.channels.write_text(
        "channels:\n  - {channel: outbox, outbox: alerts.ndjson, severities: [warning]}\n"
    )
    assert full.evaluate().messages_sent == {}
    assert len(full.events()) == 1


def _killed_at(stage: Any, point: str) -> None:
    code = (
        "import sys; from pathlib import Path; from datetime import datetime;"
        "from caregrid.alerts import evaluate;"
        "evaluate(datetime.fromisoformat('2025-03-03T12:00:00+00:00'), rules_dir=Path(sys.argv[1]),"
        " channels_file=Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(stage.rules), str(stage.channels)]
    done = subprocess.run(command, env={**os.environ, "CAREGRID_FAULT": point}, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL


def test_killed_between_event_and_delivery_is_sent_by_the_next_once(full: Any) -> None:
    _killed_at(full, "alerts:events_written")
    assert len(full.events()) == 1
    assert full.outbox() == []
    assert full.evaluate().messages_sent == {"outbox": 1}
    assert full.evaluate().messages_sent == {}
    assert len(full.outbox()) == 1


def test_killed_after_sending_is_not_written_twice(full: Any) -> None:
    _killed_at(full, "alerts:sent")
    assert len(full.outbox()) == 1
    assert full.sql("select * from action.delivery") == []
    full.evaluate()
    assert len(full.outbox()) == 1
    assert full.sql("select outcome from action.delivery") == [("sent",)]


def test_evaluations_at_the_same_time_send_once(full: Any) -> None:
    results: list[Any] = []

    def run() -> None:
        results.append(full.evaluate())

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.messages_sent.get("outbox", 0) for result in results) == 1
    assert len(full.outbox()) == 1
    assert len(full.events()) == 1


def test_torn_line_in_the_outbox_spoils_nothing(full: Any) -> None:
    outbox = full.warehouse.var / "outbox"
    outbox.mkdir()
    (outbox / "alerts.ndjson").write_text('{"key": "torn')
    full.evaluate()
    lines = (outbox / "alerts.ndjson").read_text().splitlines()
    assert len(lines) == 2
    assert "Over ten" in lines[1]


def test_broken_rule_does_not_silence_the_others(full: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    full.write_rules(
        FULL + "  - {rule: silent, kind: stale_feed, severity: critical, name: {en: Silent, zh: 中断}}\n"
    )
    full.sql("revoke select on ledger.feed from caregrid_action")
    result = full.evaluate()
    assert set(result.broken) == {"silent"}
    assert result.messages_sent == {"outbox": 1}


def test_rules_and_channels_of_caregrid_run_on_an_empty_warehouse(warehouse: Any) -> None:
    result = evaluate()
    assert (result.fired, result.broken, result.failures) == ({}, {}, [])


def test_commands_show_what_fires_and_try_a_channel(
    full: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from caregrid.cli import main

    full.evaluate()
    assert main(["alerts", "firing"]) == 0
    assert "critical    full: 林口長庚: Occupied, Emergency stretcher 20 beds (threshold over 10)" in (
        capsys.readouterr().out
    )
    monkeypatch.setenv("CAREGRID_ALERT_CHANNELS", str(full.channels))
    assert main(["alerts", "try", "outbox"]) == 0
    assert len(full.outbox()) == 2
    assert main(["alerts", "try", "pager"]) == 2
    assert main(["alerts", "check", str(full.rules)]) == 0
