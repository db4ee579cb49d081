"""Events go on to a server in order, each once, and none is lost while it does not answer."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from caregrid.errors import CareGridError
from caregrid.lineage import events, journal
from caregrid.lineage.send import SETTING, send, server

pytestmark = pytest.mark.unit


class Collector(http.server.ThreadingHTTPServer):
    """Takes what Marquez takes at /api/v1/lineage, until it is told to refuse."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.takes_at_most = 1_000

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        takes = self.path == "/api/v1/lineage" and len(self.server.taken) < self.server.takes_at_most
        if takes:
            self.server.taken.append(body)
            self.server.keys.add(self.headers["Authorization"])
        self.send_response(201 if takes else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path))
    with Collector() as running:
        monkeypatch.setenv(SETTING, running.address)
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def tell(*names: str) -> None:
    journal.write([events.run_event("START", name, events.run_id(name)) for name in names])


def names(collector: Collector) -> list[str]:
    return [event["job"]["name"] for event in collector.taken]


def test_each_event_is_sent_once_and_in_order(collector: Collector) -> None:
    tell("a", "b")
    assert send() == 2
    assert send() == 0
    tell("c")
    assert send() == 1
    assert names(collector) == ["a", "b", "c"]
    assert collector.taken == list(journal.read())
    assert collector.keys == {None}


def test_what_was_not_taken_is_sent_when_the_server_answers_again(collector: Collector) -> None:
    tell("a", "b", "c")
    collector.takes_at_most = 2
    with pytest.raises(CareGridError, match="after 2 that it took"):
        send()
    tell("d")
    collector.takes_at_most = 1_000
    assert send() == 2
    assert names(collector) == ["a", "b", "c", "d"]


def test_the_next_day_is_sent_after_the_rest_of_this_one(collector: Collector) -> None:
    tell("a")
    assert send() == 1
    tell("b")
    (today,) = journal.files()
    tomorrow = today.with_name("events-9999-01-01.ndjson")
    tomorrow.write_text(today.read_text().splitlines()[0].replace('"a"', '"z"') + "\n")
    assert send() == 2
    # Days that maintain has removed are no longer looked for.
    today.unlink()
    assert send() == 0
    assert names(collector) == ["a", "b", "z"]


def test_a_line_that_is_still_being_written_waits(collector: Collector) -> None:
    tell("a")
    (file,) = journal.files()
    whole = file.read_bytes()
    with file.open("ab") as stream:
        stream.write(whole[:40])
    assert send() == 1
    with file.open("ab") as stream:
        stream.write(whole[40:])
    assert send() == 1
    assert names(collector) == ["a", "a"]


def test_a_key_goes_with_each_event(collector: Collector, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "openlineage_api_key").write_text("the-key\n")
    tell("a")
    send()
    assert collector.keys == {"Bearer the-key"}


def test_without_a_server_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    assert server() is None
    with pytest.raises(CareGridError, match="no server of lineage is named"):
        send()
    monkeypatch.setenv(SETTING, "ftp://marquez")
    with pytest.raises(CareGridError, match="no address of http"):
        server()
