"""Fetching from a real https server: conditional, verified, limited; the mirror serves offline."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from caregrid import loading, paths

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
    redirects: dict[str, str] = field(default_factory=dict)  # beginning of a path → where it leads
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
            leads = [to for path, to in state.redirects.items() if self.path.startswith(path)]
            status = 302 if leads else status
            state.answers.append(status)
            self.send_response(status)
            self.send_header("ETag", tag)
            self.send_header("Last-Modified", "Sun, 02 Mar 2025 07:00:00 GMT")
            for to in leads or [state.redirect]:
                if to:
                    self.send_header("Location", to)
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


# Logging as Airflow sets it up in a task, told to say everything.
AS_A_TASK = """
import sys
from pathlib import Path
from airflow.sdk.log import configure_logging
configure_logging(json_output=True, output=open(sys.argv[2], "wb", buffering=0), log_level="DEBUG")
import logging
from caregrid.feeds import load_feed
from caregrid.landing import transports
from caregrid.landing.addresses import place_of
feed = load_feed(Path(sys.argv[1]))
with place_of(feed, feed.sources["beds"]) as place:
    (address,) = transports.list_addresses(place)
    try:
        with transports.open_one(place, address, transports.Known()) as answer:
            print(len(b"".join(answer.pieces)))
    except transports.FetchFailedError as error:
        logging.getLogger("task").error(error.message)
logging.getLogger("task").debug("the task has ended")
"""


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_signed_address_is_in_no_log_and_in_no_message(
    web: Any, server: Server, tmp_path: Path, scheme: str
) -> None:
    log = tmp_path / "task.log"
    signed = f"{scheme}://localhost:{server.port}/signed/beds.csv?X-Signature=0123456789abcdef"
    server.redirects = {"/files/": signed}
    own = {"PYTHONPATH": str(paths.ROOT / "plugins"), "AIRFLOW_HOME": str(tmp_path / "airflow")}
    done = subprocess.run(
        [sys.executable, "-c", AS_A_TASK, web.feed, log], capture_output=True, text=True, check=True,
        env=os.environ | own,
    )  # fmt: skip
    assert done.stdout.strip() == (str(len(server.content)) if scheme == "https" else "")
    said = log.read_text() + done.stdout + done.stderr
    assert "the task has ended" in said
    assert ("which is not https" in said) == (scheme == "http")
    if scheme == "http":
        with pytest.raises(loading.IngestFailedError, match="not https") as refused:
            web.ingest()
        said += str(refused.value) + str(web.query("select * from landing.fetch"))
    assert "0123456789abcdef" not in said


def test_more_than_the_limit_is_not_taken(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREGRID_FETCH_LIMIT_BYTES", "20")
    with pytest.raises(loading.IngestFailedError, match="limit of 20"):
        web.ingest()
    assert web.query("select count(*) from landing.file") == [(0,)]


def test_a_mirror_below_the_base_serves_offline(web: Any, server: Server) -> None:
    web.publish("2025-03-02", ["A,,2025-03-01,11,20"])
    assert web.ingest()["files_landed"] == 1
    assert server.requests == []
