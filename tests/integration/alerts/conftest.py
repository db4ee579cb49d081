"""A warehouse with feeds, places and newest values to raise alerts about, and real receivers on loopback."""

from __future__ import annotations

import hashlib
import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from caregrid.alerts import Evaluation, evaluate

NOW = datetime(2025, 3, 3, 12, tzinfo=UTC)
_numbers = itertools.count(1)

_FILE = """
insert into landing.file (feed, source, uri, version, sha256, byte_size, published_at,
    published_at_is_assumed)
values (%s, 'all', %s, 1, %s, 10, %s, false) returning file_id
"""
_LOAD = """
insert into raw.load (file_id, feed, source, owner, visibility, mapping_version, mapping, status, accepted_at,
    refused_at, decision_reason, known_at_max)
values (%s, %s, 'all', 'tester', 'public', 'v1', '{}', %s,
    case when %s = 'accepted' then clock_timestamp() end,
    case when %s = 'refused' then clock_timestamp() end, %s, %s) returning load_id
"""
_FEED = """
insert into ledger.feed (feed, name_en, name_zh, owner, visibility, timezone, expected_every,
    lateness_tolerance)
values (%s, %s, %s, 'tester', 'public', 'Asia/Taipei', %s, %s)
"""
_PLACE = """
insert into canonical.place (place_level, id_system, code, name, timezone)
values ('facility', 'test', %s, %s, 'America/Toronto')
on conflict (id_system, place_level, code) do update set name = excluded.name returning place_id
"""
_SERIES = """
insert into canonical.series (series_key, feed, place_id, service_or_resource, measure, statistic, unit,
    grain, timezone)
values (%s, %s, %s, 'stretcher', %s, 'snapshot', 'beds', 'instant', 'America/Toronto')
on conflict (series_key) do update set feed = excluded.feed returning series_id
"""
_LATEST = """
insert into canonical.latest (series_id, period_start, period_end, known_at, load_id, line, value,
    value_status, is_provisional, known_at_is_assumed)
values (%s, %s, %s, %s, %s, 2, %s, 'reported', false, false)
on conflict (series_id) do update set period_start = excluded.period_start, period_end = excluded.period_end,
    known_at = excluded.known_at, value = excluded.value
"""
_GATE = """
insert into ledger.gate_result (gate, suite, load_id, build_id, expectation, severity, success, message)
values (%s, 'suite', %s, %s, 'something', %s, %s, 'Something is there · 有东西')
"""


@dataclass
class Stage:
    """What the tests change between evaluations."""

    warehouse: Any
    rules: Path
    channels: Path

    def write_rules(self, text: str) -> None:
        """Replace the rules."""
        (self.rules / "rules.yml").write_text(text, encoding="utf-8")

    def evaluate(self, as_of: datetime | None = NOW) -> Evaluation:
        """Evaluate the rules of this test."""
        return evaluate(as_of, rules_dir=self.rules, channels_file=self.channels)

    def sql(self, query: str, *values: Any, role: str = "owner") -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, if any."""
        with self.warehouse.connect(role) as connection:
            cursor = connection.execute(query.encode(), values)
            return list(cursor.fetchall()) if cursor.description else []

    def add_feed(self, feed: str, every: timedelta, tolerance: timedelta) -> None:
        """Register a feed."""
        self.sql(_FEED, feed, f"Feed {feed}", f"数据源 {feed}", every, tolerance)

    def add_load(
        self, feed: str, published: datetime, status: str = "accepted", reason: str | None = None
    ) -> int:
        """Add a file and its load, decided now; return load_id."""
        number = next(_numbers)
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        ((file_id,),) = self.sql(_FILE, feed, f"file:///{feed}/{number}.csv", sha256, published)
        values = (file_id, feed, status, status, status, reason, published)
        ((load_id,),) = self.sql(_LOAD, *values)
        return int(load_id)

    def add_unreadable_file(self, feed: str, published: datetime, reason: str) -> None:
        """Add a file that nothing could be made of."""
        number = next(_numbers)
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        ((file_id,),) = self.sql(_FILE, feed, f"file:///{feed}/{number}.csv", sha256, published)
        self.sql(
            "insert into rejected.file (file_id, feed, mapping_version, code, reason)"
            " values (%s, %s, 'v1', 'html', %s)", file_id, feed, reason,
        )  # fmt: skip

    def put_value(
        self, place: str, measure: str, value: float, at: datetime = NOW, feed: str = "beds"
    ) -> int:
        """Make a value the newest of its series; return series_id."""
        loads = self.sql("select max(load_id) from raw.load where feed = %s", feed)
        load_id = loads[0][0] or self.add_load(feed, at)
        ((place_id,),) = self.sql(_PLACE, place, place)
        ((series_id,),) = self.sql(_SERIES, f"{feed}/{place}/{measure}", feed, place_id, measure)
        self.sql(_LATEST, series_id, at, at, at, load_id, value)
        return int(series_id)

    def add_gate_result(
        self, load_id: int | None, severity: str, success: bool, build_id: int | None = None
    ) -> None:
        """Add one result of a gate."""
        self.sql(_GATE, "marts" if load_id is None else "landing", load_id, build_id, severity, success)

    def events(self) -> list[tuple[str, str, str]]:
        """Return rule, subject and state of every event in order."""
        return self.sql("select rule, subject, state from action.alert_event order by alert_event_id")

    def outbox(self) -> list[dict[str, Any]]:
        """Return the messages of the file channel."""
        file = self.warehouse.var / "outbox" / "alerts.ndjson"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def stage(warehouse: Any, tmp_path: Path) -> Stage:
    """A warehouse, an empty directory of rules, and the outbox as the only channel."""
    rules = tmp_path / "rules"
    rules.mkdir()
    channels = tmp_path / "channels.yml"
    channels.write_text("channels:\n  - channel: outbox\n    outbox: alerts.ndjson\n")
    return Stage(warehouse, rules, channels)


@dataclass
class MailServer:
    """What a real mail server on loopback was given; it refuses while `refuses` is set."""

    port: int = 0
    refuses: bool = False
    letters: list[EmailMessage] = field(default_factory=list)

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """Take a sender, or not."""
        if self.refuses:
            return "451 not now"
        envelope.mail_from = address
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep a letter."""
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 kept"


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """A mail server on a free port."""
    kept = MailServer()
    with socket.create_server(("127.0.0.1", 0)) as free:
        kept.port = free.getsockname()[1]
    controller = Controller(kept, hostname="127.0.0.1", port=kept.port)
    controller.start()
    yield kept
    controller.stop()


@dataclass
class Webhook:
    """Keeps what is posted to it; answers with `status`."""

    port: int = 0
    status: int = 200
    posts: list[tuple[dict[str, str], Any]] = field(default_factory=list)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """An HTTP receiver on a free port."""
    kept = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.posts.append((dict(self.headers), json.loads(body)))
            self.send_response(kept.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield kept
        server.shutdown()
        thread.join(timeout=5)


@pytest.fixture
def as_channel(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Make an Apprise URL the only channel, under a name."""

    def use(channel: str, url: str) -> None:
        variable = f"CAREGRID_ALERT_{channel.upper()}_URL"
        monkeypatch.setenv(variable, url)
        text = f"channels:\n  - channel: {channel}\n    url_from_environment: {variable}\n"
        stage.channels.write_text(text)

    return use
