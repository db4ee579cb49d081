"""Bytes go to a bucket only where nothing is there: servers know that condition, refuse it, or say no."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from caregrid.errors import CareGridError
from caregrid.landing import store

pytestmark = pytest.mark.unit


class Keeper(BaseHTTPRequestHandler):
    """Keeps one object; while a writer is between its look and its write, another one writes `meanwhile`."""

    protocol_version = "HTTP/1.1"
    knows_the_condition = True
    meanwhile: bytes | None = None
    kept: bytes | None = None
    conditions: list[str | None]

    def do_HEAD(self) -> None:
        kind = type(self)
        kept = kind.kept
        if kept is None and kind.meanwhile is not None:
            kind.kept = kind.meanwhile
        self._answer(404 if kept is None else 200, length=len(kept or b""))

    def do_PUT(self) -> None:
        kind = type(self)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind.conditions.append(self.headers["If-None-Match"])
        if self.headers["If-None-Match"] and not kind.knows_the_condition:
            self._answer(501, b"<Error><Code>NotImplemented</Code></Error>")
        elif self.headers["If-None-Match"] and kind.kept is not None:
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        else:
            kind.kept = body
            self._answer(200)

    def _answer(self, status: int, body: bytes = b"", length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("ETag", '"0"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Keeper]]:
    kind = type("One", (Keeper,), {"conditions": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    given = {
        "conn_type": "aws", "login": "key", "password": "secret",
        "extra": {"endpoint_url": f"http://127.0.0.1:{server.server_port}"},
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_NORTH", json.dumps(given))
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path))
    monkeypatch.setenv("CAREGRID_LANDING", "s3://north@bucket/landed")
    yield kind
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_knows_the_condition_lets_the_first_writer_win(keeper: type[Keeper]) -> None:
    keeper.meanwhile = b"beds"
    store.keep([b"beds"])
    assert keeper.conditions == ["*"]
    assert keeper.kept == b"beds"


def test_other_content_that_came_first_stays_and_is_told(keeper: type[Keeper]) -> None:
    keeper.meanwhile = b"something else"
    with pytest.raises(CareGridError, match="are damaged"):
        store.keep([b"beds"])
    assert keeper.kept == b"something else"


def test_a_server_that_does_not_know_it_is_asked_without(keeper: type[Keeper]) -> None:
    keeper.knows_the_condition = False
    store.keep([b"beds"])
    assert keeper.conditions == ["*", None]
    assert keeper.kept == b"beds"
