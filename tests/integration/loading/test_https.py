"""Fetching from a real https server: conditional, verified, limited; the mirror serves offline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from caregrid import loading

from tests.integration.loading.servers import https_server

pytestmark = pytest.mark.integration

HEADER = "site,site_name,day,occupied,capacity\n"


@dataclass
class Server:
    """What the server offers, and what it was asked."""

    port: int = 0
    content: bytes = (HEADER + "A,,2025-03-01,10,20\n").encode()
    status: int = 200
    redirect: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An https server on loopback with a certificate made for this test."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(dict(self.headers))
            tag = f'"{hash(state.content)}"'
            status = 304 if state.status == 200 and self.headers.get("If-None-Match") == tag else state.status
            state.answers.append(status)
            self.send_response(status)
            self.send_header("ETag", tag)
            self.send_header("Last-Modified", "Sun, 02 Mar 2025 07:00:00 GMT")
            if state.redirect:
                self.send_header("Location", state.redirect)
            body = b"" if status != 200 else state.content
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with https_server(tmp_path, Handler) as state.port:
        yield state


@pytest.fixture
def web(publisher: Any, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The publisher with its file on the server, whose certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    publisher.write_feed(url=f'"https://localhost:{server.port}/files/beds_2025-03-02.csv?year=2025"')
    return publisher


def outcomes(publisher: Any) -> list[str]:
    return [outcome for (outcome,) in publisher.query("select outcome from landing.fetch order by fetch_id")]


def test_unchanged_content_is_not_sent_again(web: Any, server: Server) -> None:
    assert web.ingest()["files_landed"] == 1
    assert web.ingest()["files_unchanged"] == 1
    assert server.answers == [200, 304]
    assert server.requests[1]["If-Modified-Since"] == "Sun, 02 Mar 2025 07:00:00 GMT"
    assert outcomes(web) == ["new", "unchanged"]
    assert web.query("select published_at::date::text, last_modified::text from landing.file") == [
        ("2025-03-02", "2025-03-02 07:00:00+00")
    ]
    server.content += b"B,,2025-03-01,1,2\n"
    assert web.ingest()["records_received"] == 2
    assert server.answers[2:] == [200]
    # Content that was landed before and comes back is the newest version all the same.
    server.content = server.content.replace(b"B,,2025-03-01,1,2\n", b"")
    assert web.ingest()["files_landed"] == 1
    assert web.ingest()["files_unchanged"] == 1
    assert server.answers[3:] == [200, 304]
    assert web.query("select version from landing.file order by file_id") == [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html>\n<html><body><h1>503 Service Unavailable</h1></body></html>\n", "a web page came"),
        (b"Internal error: the report is not ready\n", "a line of text came"),
        (b"", "holds nothing"),
    ],
)
def test_an_error_page_with_status_200_is_a_rejected_file(
    web: Any, server: Server, content: bytes, words: str
) -> None:
    good, server.content = server.content, content
    with pytest.raises(loading.IngestFailedError) as failed:
        web.ingest()
    assert words in failed.value.summary["failures"][0]
    assert web.query("select count(*) from rejected.file") == [(1,)]
    assert web.query("select count(*) from raw.load") == [(0,)]
    server.content = good
    assert web.ingest()["records_received"] == 1


@pytest.mark.parametrize(("status", "outcome"), [(404, "missing"), (500, "failed"), (403, "failed")])
def test_an_error_status_fails_the_run_and_is_noted(
    web: Any, server: Server, status: int, outcome: str
) -> None:
    server.status = status
    with pytest.raises(loading.IngestFailedError, match=str(status)):
        web.ingest()
    assert outcomes(web) == [outcome]
    server.status = 200
    assert web.ingest()["loads_staged"] == 1


def test_an_untrusted_certificate_is_refused(
    web: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(loading.IngestFailedError, match="certificate verify failed"):
        web.ingest()
    assert server.requests == []


def test_a_redirect_to_plain_http_is_not_followed(web: Any, server: Server) -> None:
    server.status, server.redirect = 302, f"http://localhost:{server.port}/beds.csv"
    with pytest.raises(loading.IngestFailedError, match="not https"):
        web.ingest()
    assert len(server.requests) == 1


def test_more_than_the_limit_is_not_taken(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREGRID_FETCH_LIMIT_BYTES", "20")
    with pytest.raises(loading.IngestFailedError, match="limit of 20"):
        web.ingest()
    assert web.query("select count(*) from landing.file") == [(0,)]


def test_a_mirror_below_the_base_serves_offline(web: Any, server: Server) -> None:
    web.publish("2025-03-02", ["A,,2025-03-01,11,20"])
    assert web.ingest()["files_landed"] == 1
    assert server.requests == []
