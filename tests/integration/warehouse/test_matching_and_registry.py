"""The steps before dbt, on the real database: the crosswalk of facilities and the registry of feeds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from caregrid.database.connect import connect
from caregrid.feeds.spec import load_feeds
from caregrid.warehouse import match_facilities, register_feeds

pytestmark = pytest.mark.integration

PUBLISHED = datetime(2025, 3, 1, tzinfo=UTC)
CROSSWALK = (
    "select place_id, same_place_id, method, status, reviewer, decided_at "
    "from canonical.facility_crosswalk order by 1, 2"
)


def described(code: str, system: str, name: str) -> dict[str, Any]:
    return {
        "code": code,
        "system": system,
        "published_at": PUBLISHED,
        "name": name,
        "region_code": "AL",
        "country_code": "US",
        "postal_code": "36301",
    }


def test_crosswalk_follows_the_accepted_loads_and_keeps_what_a_person_decided(
    network: Any, rows_of: Callable[..., list[tuple[Any, ...]]]
) -> None:
    load = network.load(PUBLISHED, source="sites")
    network.facility(
        load,
        [
            described("1", "cms", "Mercy Hospital"),
            described("2", "hifld", "MERCY HOSPITAL"),
            described("3", "cms", "Grace"),
            described("4", "hifld", "Grace"),
            described("5", "hifld", "GRACE"),
        ],
    )
    one, two, three, four, five = (network.places[code] for code in "12345")
    # staged: nothing is known yet
    assert match_facilities() == {"matched": 0, "ambiguous": 0, "reviewed": 0}
    network.accept(load)
    assert match_facilities() == {"matched": 1, "ambiguous": 2, "reviewed": 0}
    found = rows_of(CROSSWALK, role="dbt")
    assert [row[:4] for row in found] == [
        (one, two, "name_region_postal_code", "matched"),
        (three, four, "name_region_postal_code", "ambiguous"),
        (three, five, "name_region_postal_code", "ambiguous"),
    ]
    assert match_facilities() == {"matched": 1, "ambiguous": 2, "reviewed": 0}
    assert rows_of(CROSSWALK, role="dbt") == found
    with connect("loader") as connection:
        connection.execute(
            "update canonical.facility_crosswalk set status = 'refused', reviewer = 'someone' "
            "where place_id = %s",
            [one],
        )
    assert match_facilities() == {"matched": 0, "ambiguous": 2, "reviewed": 1}
    assert rows_of(CROSSWALK, role="dbt")[0][3:5] == ("refused", "someone")


def test_registry_holds_every_feed_with_what_it_leaves_out(
    warehouse_module: Any, rows_of: Callable[..., list[tuple[Any, ...]]]
) -> None:
    feeds = load_feeds()
    assert register_feeds(feeds.values()) == len(feeds) > 0
    register_feeds(feeds.values())
    rows = rows_of("select feed, name_zh, jsonb_array_length(left_out) from ledger.feed", role="dbt")
    assert {feed: (name, left_out) for feed, name, left_out in rows} == {
        name: (feed.title["zh"], len(feed.left_out)) for name, feed in feeds.items()
    }
