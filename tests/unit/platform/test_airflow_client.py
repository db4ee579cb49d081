"""The client of Airflow's API asks again where the server stumbles, and only where asking is harmless."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from caregrid.errors import CareGridError
from caregrid.platform import airflow_client
from caregrid.platform.airflow_client import AirflowClient


@pytest.fixture
def server() -> Iterator[Any]:
    """An API that answers with the given statuses, one after the other, then with the last for ever."""

    class Handler(BaseHTTPRequestHandler):
        statuses: list[int] = []  # noqa: RUF012
        asked: list[str] = []  # noqa: RUF012

        def _answer(self) -> None:
            self.asked.append(self.command)
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    Handler.statuses, Handler.asked = [200], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        Handler.client = AirflowClient(f"http://127.0.0.1:{running.server_address[1]}", "token")  # type: ignore[attr-defined]
        yield Handler
        running.shutdown()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_client, "_PAUSES", (0.0, 0.0))


@pytest.mark.unit
def test_a_stumble_is_asked_again(server: Any) -> None:
    server.statuses = [500, 503, 200]
    assert server.client.request("GET", "/dags") == {}
    assert server.asked == ["GET"] * 3


@pytest.mark.unit
def test_a_lasting_fault_is_told(server: Any) -> None:
    server.statuses = [500]
    with pytest.raises(CareGridError, match="answered 500"):
        server.client.request("GET", "/dags")
    assert len(server.asked) == 3


@pytest.mark.unit
@pytest.mark.parametrize(("method", "status"), [("POST", 500), ("GET", 404)])
def test_a_trigger_or_a_refusal_is_not_repeated(server: Any, method: str, status: int) -> None:
    server.statuses = [status]
    with pytest.raises(CareGridError, match=f"answered {status}"):
        server.client.request(method, "/dags")
    assert len(server.asked) == 1
