"""What a feed says of events is checked: only what adds up over files may be counted of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from caregrid.feeds import parse_feed
from caregrid.feeds.check import check_text

pytestmark = pytest.mark.unit

FILE = Path("ward_messages.yml")
GOOD = """\
feed: ward_messages
name: {en: "Messages", zh: "消息"}
owner: {id: someone, name: "Someone"}
visibility: network
country: GB
timezone: Europe/London
schedule: null
expected_every: null
lateness_tolerance: null
licence: "none"
provenance: "invented"
sources:
  messages:
    path: some/*.csv
    format: {type: csv}
    published_at: {file_name: '(\\d{4}-\\d{2}-\\d{2})', format: "%Y-%m-%d"}
    events: {id: [sender, number]}
  others:
    path: other/*.csv
    format: {type: csv}
    published_at: {file_name: '(\\d{4}-\\d{2}-\\d{2})', format: "%Y-%m-%d"}
outputs:
  - name: admissions
    contract: usage
    source: messages
    place: {level: facility, system: some, code: site}
    period: {column: day, format: "%Y-%m-%d", role: label, grain: day}
    service_or_resource: inpatient
    on_conflict: sum
    values:
      - {constant: 1, measure: admissions, statistic: count}
  - name: sites
    contract: facility
    source: [messages, others]
    place: {level: facility, system: some, code: site}
    fields: {name: site}
"""


def test_a_good_feed_of_events_has_no_problem() -> None:
    assert check_text(FILE, GOOD) == []
    sources = parse_feed(FILE, GOOD).sources
    assert (sources["messages"].events, sources["others"].events) == (("sender", "number"), None)


@pytest.mark.parametrize(
    ("written", "columns"),
    [("true", ()), ("false", None), ("{id: number}", ("number",)), ("{id: [a, b]}", ("a", "b"))],
)
def test_how_events_may_be_written(written: str, columns: tuple[str, ...] | None) -> None:
    text = GOOD.replace("{id: [sender, number]}", written)
    assert parse_feed(FILE, text).sources["messages"].events == columns


def test_saying_it_is_another_mapping() -> None:
    versions = {
        parse_feed(FILE, text).mapping_version("messages")
        for text in (
            GOOD,
            GOOD.replace("[sender, number]", "number"),
            GOOD.replace("{id: [sender, number]}", "true"),
        )
    }
    assert len(versions) == 3


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("    on_conflict: sum\n", "", "outputs[0]", "added up"),
        ("on_conflict: sum", "on_conflict: last", "outputs[0].on_conflict", "added up"),
        ("{constant: 1, ", "{column: persons, ", "outputs[0].values[0]", "is no event"),
        ("{constant: 1, ", "{constant: 0, ", "outputs[0].values[0]", "is no event"),
        ("{constant: 1, ", "{constant: -1, ", "outputs[0].values[0]", "is no event"),
        ("{constant: 1, ", "{constant: 1, reporting_units: n, ", "outputs[0].values[0].reporting_units",
         "count of"),
        ("    on_conflict: sum", "    is_provisional: {constant: true}\n    on_conflict: sum",
         "outputs[0].is_provisional", "count of"),
        ("    source: messages\n", "    source: [messages, others]\n", "outputs[0].source", "are not"),
        ("    contract: usage\n    source: messages", "    contract: usage\n    source: others",
         "sources.messages.events", "no output"),
        ("{id: [sender, number]}", "{id: []}", "sources.messages.events.id", ""),
        ("{id: [sender, number]}", "{key: number}", "sources.messages.events", ""),
    ],
)  # fmt: skip
def test_what_does_not_add_up_is_told(old: str, new: str, field: str, words: str) -> None:
    assert old in GOOD
    found = check_text(FILE, GOOD.replace(old, new))
    assert [problem for problem in found if problem.field.startswith(field) and words in problem.message], (
        found
    )
