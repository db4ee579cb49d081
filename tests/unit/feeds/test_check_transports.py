"""What a feed says of where its files come from is checked before anything is fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
from caregrid.feeds.check import check_text
from caregrid.feeds.spec import parse_feed

pytestmark = pytest.mark.unit

FILE = Path("some_feed.yml")
FEED = """\
feed: some_feed
name: {{en: "Some feed", zh: "某来源"}}
owner: {{id: someone, name: "Someone"}}
visibility: network
country: CA
timezone: America/Toronto
schedule: null
expected_every: null
lateness_tolerance: null
licence: "none"
provenance: "invented"
sources:
  hourly:
{source}
    published_at: {{last_modified: true}}
outputs:
  - name: beds
    contract: usage
    source: hourly
    place: {{level: facility, system: some, code: id}}
    period: {{column: day, format: "%Y-%m-%d", role: label, grain: day}}
    service_or_resource: bed
    values:
      - {{column: taken, measure: occupied, statistic: snapshot, unit: beds}}
"""
SFTP = "url: sftp://files.example/outgoing/beds_*.csv\nconnection: north\nformat: {type: csv}"
S3 = "url: s3://bucket/beds/beds_{date:%Y-%m-%d}.csv\nconnection: north\nformat: {type: csv}"
SQL = "query: select 1 as id\nconnection: north\nformat: {type: csv}"
PAGES = "url: https://api.example/beds\npaging: {parameter: page}\nformat: {type: json}"


def feed(source: str) -> str:
    return FEED.format(source="\n".join(f"    {line}" for line in source.splitlines()))


@pytest.mark.parametrize("source", [SFTP, S3, SQL, PAGES, PAGES.replace("parameter: page", "next: link")])
def test_each_transport_has_a_form_that_is_right(source: str) -> None:
    assert [str(problem) for problem in check_text(FILE, feed(source))] == []


@pytest.mark.parametrize(
    ("source", "old", "new", "field", "words"),
    [
        (SFTP, "connection: north\n", "", "", "sftp needs credentials"),
        (S3, "connection: north\n", "", "", "s3 needs credentials"),
        (SQL, "connection: north\n", "", "", "a query needs credentials"),
        (SQL, "query: select 1 as id\n", "path: a.csv\n", "connection", "nothing that the connection opens"),
        (SQL, "query: select 1 as id\n", "", "", "neither path nor url nor query"),
        (SQL, "query:", "url: https://a.example/b\nquery:", "query", "a url and a query"),
        (SQL, "type: csv", "type: json", "format.type", "plain CSV"),
        (SQL, "type: csv", 'type: csv, delimiter: ";"', "format.delimiter", "plain CSV"),
        (SFTP, "outgoing/", "outgoing/../secret/", "url", "through . or .."),
        (S3, "beds/beds", "beds/%2e%2e/beds", "url", "through . or .."),
        (SFTP, "outgoing/", "**/", "url", "no slash"),
        (SFTP, "beds_*.csv", "", "url", "names a directory"),
        (SFTP, "sftp://files.example", "sftp://", "url", "names no host"),
        (SFTP, "sftp:", "ftp:", "url", "is not https"),
        (PAGES, "https:", "http:", "url", "is not https"),
        (SFTP, "connection: north", "connection: North-1", "connection", "lower_snake_case"),
        (S3, "url:", "paging: {next: link}\nurl:", "paging", "only an https address"),
        (PAGES, "parameter: page", "first: 1", "paging", "how the next page is found"),
        (PAGES, "parameter: page", "next: link, parameter: page", "paging.parameter", "followed as it is"),
        (PAGES, "parameter: page", "next: link, step: 2", "paging.step", "counts pages"),
        (PAGES, "parameter: page", "after: x", "paging.after", "unknown key"),
        (PAGES, "type: json", "type: parquet", "paging.parameter", "empty page"),
        (PAGES.replace("parameter: page", "next: a.b"), "json", "csv", "paging.next", "looked for in JSON"),
        (PAGES, "format:", "complete: true\nformat:", "complete", "a page is a part"),
        (PAGES, "format:", 'member: "*.json"\nformat:', "member", "the pages are the members"),
    ],
)
def test_each_mistake_is_told(source: str, old: str, new: str, field: str, words: str) -> None:
    assert old in source
    found = check_text(FILE, feed(source.replace(old, new, 1)))
    at = f"sources.hourly.{field}" if field else "sources.hourly"
    match = [problem for problem in found if problem.field == at]
    assert any(words in problem.message + problem.fix for problem in match), [str(one) for one in found]


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    source = SFTP.replace("files.example", "reader:s3cret@files.example")
    told = " ".join(map(str, check_text(FILE, feed(source))))
    assert "no place for credentials" in told
    assert "s3cret" not in told


def test_where_files_come_from_is_no_part_of_the_mapping() -> None:
    version = parse_feed(FILE, feed(SQL)).mapping_version("hourly")
    for source in (SQL.replace("1 as id", "2 as id"), SQL.replace("north", "south"), SFTP):
        assert parse_feed(FILE, feed(source)).mapping_version("hourly") == version
