"""An answer in pages from a real https server: every way to the next, all or nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from caregrid import loading

from tests.integration.loading.servers import https_server, nothing_half_landed

pytestmark = pytest.mark.integration

SITES = ["A", "B", "C", "D", "E"]


@dataclass
class Server:
    """What it answers: page(query) gives the body and the headers. What it was asked is kept."""

    port: int = 0
    sites: list[str] = field(default_factory=lambda: list(SITES))
    page: Callable[[dict[str, str]], tuple[Any, dict[str, str]]] = lambda query: ([], {})
    tags: bool = True
    statuses: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def rows(self, start: int, count: int = 2) -> list[dict[str, Any]]:
        return [
            {"site": site, "site_name": "", "day": "2025-03-01", "occupied": 1, "capacity": 2}
            for site in self.sites[start : start + count]
        ]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {key: value[0] for key, value in parse_qs(url.query).items()}
            answer, headers = state.page(query)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            tag = f'"{hash(body)}"'
            status = state.statuses.get(url.query, 200)
            if status == 200 and state.tags and self.headers.get("If-None-Match") == tag:
                status, body = 304, b""
            state.asked.append((url.query, status))
            state.headers.append(dict(self.headers))
            self.send_response(status)
            if state.tags:
                self.send_header("ETag", tag)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with https_server(tmp_path, Handler) as state.port:
        yield state


@pytest.fixture
def api(publisher: Any, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    monkeypatch.setenv("CAREGRID_AS_OF", "2025-03-02T08:00:00+00:00")
    return publisher


def ask(
    publisher: Any, server: Server, paging: str, form: str = "{type: json, records: rows}", more: str = ""
) -> None:
    publisher.write_feed(
        path="none_*.csv", url=f'"https://localhost:{server.port}/beds?size=2"\n    paging: {paging}{more}'
    )
    text = publisher.feed.read_text().replace("format: {type: csv}", f"format: {form}")
    line = next(line for line in text.splitlines() if "published_at: {file_name" in line)
    stated = '    published_at: {value: "2025-03-02T06:00:00Z", assumed: true}'
    publisher.feed.write_text(text.replace(line, stated))


def sites(publisher: Any) -> list[str]:
    return sorted(
        {
            code
            for (code,) in publisher.query(
                "select p.code from canonical.usage join canonical.series using (series_id) "
                "join canonical.place as p using (place_id)"
            )
        }
    )


def by_number(server: Server) -> Callable[[dict[str, str]], tuple[Any, dict[str, str]]]:
    return lambda query: ({"rows": server.rows(2 * (int(query.get("page", 1)) - 1))}, {})


WAYS = {
    "{parameter: page}": by_number,
    "{parameter: offset, first: 0, step: 2}": lambda server: (
        lambda query: ({"rows": server.rows(int(query["offset"]))}, {})
    ),
    "{parameter: after, next: meta.cursor}": lambda server: (
        lambda query: (
            {
                "rows": server.rows(int(query.get("after", 0))),
                "meta": {
                    "cursor": int(query.get("after", 0)) + 2 if int(query.get("after", 0)) < 4 else None
                },
            },
            {},
        )
    ),
    "{next: links.0.href}": lambda server: (
        lambda query: (
            {
                "rows": server.rows(int(query.get("at", 0))),
                "links": [{"href": f"/beds?at={int(query.get('at', 0)) + 2}"}]
                if query.get("at") != "4"
                else [],
            },
            {},
        )
    ),
    "{next: link}": lambda server: (
        lambda query: (
            {"rows": server.rows(int(query.get("at", 0)))},
            {"Link": f'</beds?at={int(query.get("at", 0)) + 2}>; rel="next"'}
            if query.get("at") != "4"
            else {},
        )
    ),
}


@pytest.mark.parametrize("paging", WAYS)
def test_all_pages_are_one_landed_archive_and_unchanged_ones_are_not_sent_again(
    api: Any, server: Server, paging: str
) -> None:
    server.page = WAYS[paging](server)
    ask(api, server, paging)
    assert api.ingest()["records_received"] == 5
    assert sites(api) == SITES
    pages = api.query("select member, sha256 from landing.file order by member")
    assert [member for member, _ in pages] == ["page-00001.json", "page-00002.json", "page-00003.json"]
    assert len({sha256 for _, sha256 in pages}) == 1
    server.asked.clear()
    again = api.ingest()
    assert (again["files_unchanged"], again["files_landed"]) == (3, 0)
    assert [status for _, status in server.asked][:3] == [304, 304, 304]
    # One page changes: the others are taken from what is landed.
    server.sites[2] = "X"
    server.asked.clear()
    assert api.ingest()["records_received"] == 5
    assert [status for _, status in server.asked][:3] == [304, 200, 304]
    assert sites(api) == [*SITES, "X"]
    server.sites[4:] = []
    assert api.ingest()["files_landed"] > 0
    assert nothing_half_landed(api)


def test_without_tags_equal_pages_are_unchanged_all_the_same(api: Any, server: Server) -> None:
    server.page, server.tags = by_number(server), False
    ask(api, server, "{parameter: page}")
    assert api.ingest()["files_landed"] == 3
    assert api.ingest()["files_unchanged"] == 3


def test_pages_of_a_table_end_where_one_has_only_its_heading(api: Any, server: Server) -> None:
    def page(query: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        rows = [",".join(map(str, row.values())) for row in server.rows(2 * (int(query["page"]) - 1))]
        return "\n".join(["site,site_name,day,occupied,capacity", *rows, ""]).encode(), {}

    server.page = page
    ask(api, server, "{parameter: page}", "{type: csv}")
    assert api.ingest()["records_received"] == 5
    assert [query for query, _ in server.asked] == [f"size=2&page={number}" for number in (1, 2, 3, 4)]


def test_a_page_that_fails_lands_nothing_and_the_retry_lands_all(api: Any, server: Server) -> None:
    server.page = by_number(server)
    ask(api, server, "{parameter: page}")
    for status in (500, 404, 429):
        server.statuses = {"size=2&page=3": status}
        with pytest.raises(loading.IngestFailedError, match=str(status)):
            api.ingest()
        assert api.query("select count(*) from landing.file") == [(0,)]
        assert nothing_half_landed(api)
    server.statuses = {}
    assert api.ingest()["records_received"] == 5


@pytest.mark.parametrize(
    ("paging", "page", "told"),
    [
        (
            "{next: link}",
            {"Link": '<https://elsewhere.example/beds?sig=9f8e7d>; rel="next"'},
            "another server",
        ),
        ("{next: link}", {"Link": '<http://localhost/beds>; rel="next"'}, "another server"),
        ("{next: link}", {"Link": '</beds?size=2>; rel="next"'}, "leads back"),
        ("{parameter: page}", {}, "page is not heeded"),
    ],
)
def test_pages_that_lead_astray(
    api: Any, server: Server, paging: str, page: dict[str, str], told: str
) -> None:
    server.page = lambda query: ({"rows": server.rows(0)}, page)
    ask(api, server, paging)
    with pytest.raises(loading.IngestFailedError, match=told) as astray:
        api.ingest()
    assert "9f8e7d" not in f"{astray.value}{api.query('select * from landing.fetch')}"
    assert nothing_half_landed(api)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"<html>try again</html>", "page 2 is no JSON"),
        ({"error": "slow down"}, "page 2 holds no list at rows"),
    ],
)
def test_an_error_told_with_status_200_is_no_last_page(
    api: Any, server: Server, answer: Any, told: str
) -> None:
    server.page = lambda query: by_number(server)(query) if query["page"] == "1" else (answer, {})
    ask(api, server, "{parameter: page}")
    with pytest.raises(loading.IngestFailedError, match=told):
        api.ingest()
    assert nothing_half_landed(api)


def test_the_limit_is_of_all_pages_together(
    api: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.page = by_number(server)
    ask(api, server, "{parameter: page}")
    one = len(json.dumps({"rows": server.rows(0)}))
    monkeypatch.setenv("CAREGRID_FETCH_LIMIT_BYTES", str(one + 10))
    with pytest.raises(loading.IngestFailedError, match="more than the limit"):
        api.ingest()
    assert nothing_half_landed(api)


def test_credentials_are_sent_and_only_to_their_host(
    api: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.page = by_number(server)
    ask(api, server, "{parameter: page}", more="\n    connection: north_api")
    for login, password, extra, header, wanted in (
        ("reader", "s3cret", {}, "Authorization", "Basic " + base64.b64encode(b"reader:s3cret").decode()),
        ("", "s3cret", {}, "Authorization", "Bearer s3cret"),
        ("", "s3cret", {"header": "X-API-Key"}, "X-API-Key", "s3cret"),
    ):
        given = {
            "conn_type": "http",
            "host": "localhost",
            "login": login,
            "password": password,
            "extra": extra,
        }
        monkeypatch.setenv("AIRFLOW_CONN_NORTH_API", json.dumps(given))
        server.headers.clear()
        api.ingest()
        assert {headers.get(header) for headers in server.headers} == {wanted}
    given["host"] = "elsewhere.example"
    monkeypatch.setenv("AIRFLOW_CONN_NORTH_API", json.dumps(given))
    server.headers.clear()
    with pytest.raises(loading.IngestFailedError, match="sent to no other"):
        api.ingest()
    assert server.headers == []
    # A redirect to another name of the same machine gets nothing either.
    given["host"] = "localhost"
    monkeypatch.setenv("AIRFLOW_CONN_NORTH_API", json.dumps(given))
    server.statuses = {"size=2&page=1": 302}
    server.page = lambda query: ([], {"Location": f"https://127.0.0.1:{server.port}/beds?size=9"})
    with pytest.raises(loading.IngestFailedError, match="credentials are not meant") as refused:
        api.ingest()
    assert "s3cret" not in str(refused.value)
    assert [query for query, _ in server.asked if query == "size=9"] == []
