"""A record is shown as it was received, whatever has become of its feed since."""

from __future__ import annotations

from typing import Any

import pytest
from caregrid.errors import CareGridError
from caregrid.loading.records import show

pytestmark = pytest.mark.integration

RECORD = {"site": "A", "site_name": "Alpha", "day": "2025-03-01", "occupied": "10", "capacity": "20"}


@pytest.fixture
def load_id(publisher: Any) -> int:
    """The load of a file with one record."""
    publisher.publish("2025-03-02", [",".join(RECORD.values())])
    (load_id,) = publisher.load()
    return int(load_id)


def test_a_feed_that_is_read_otherwise_now_changes_nothing(publisher: Any, load_id: int) -> None:
    text = publisher.feed.read_text()
    publisher.feed.write_text(
        text.replace("format: {type: csv}", "format: {type: csv, delimiter: ';', skip_rows: 1}")
    )
    assert show(load_id, 2)["record"] == RECORD
    publisher.feed.write_text(
        text.replace("  beds:\n", "  wards:\n").replace("source: beds", "source: wards")
    )
    assert show(load_id, 2)["record"] == RECORD
    with pytest.raises(CareGridError, match="has no source 'beds'"):
        show(load_id, 2, publisher.feed)


def test_a_feed_that_is_gone_changes_nothing(publisher: Any, load_id: int) -> None:
    publisher.feed.unlink()
    for path in publisher.base.iterdir():
        path.unlink()
    shown = show(load_id, 2)
    assert shown["record"] == RECORD
    assert set(shown["rows"]) == {"usage", "facility"}


def test_another_yaml_reads_the_same_bytes_otherwise(publisher: Any, load_id: int) -> None:
    publisher.feed.write_text(
        publisher.feed.read_text().replace("format: {type: csv}", "format: {type: csv, delimiter: ';'}")
    )
    assert show(load_id, 2, publisher.feed)["record"] == {
        ",".join(RECORD): ",".join(RECORD.values()),
    }
