"""Doing anything twice changes nothing, whatever the records: ingest, accept, replay, backfill."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from caregrid import loading
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.integration

# Right and wrong: unknown sites and names, a day that is none, missing, suppressed, negative, words.
RECORD = st.tuples(
    st.sampled_from(["A", "B", "IGNORED", ""]),
    st.sampled_from(["", "Alpha", "Beta"]),
    st.sampled_from(["2025-03-01", "2025-03-02", "yesterday"]),
    st.sampled_from(["0", "1", "2", "-1", "*", "", "many"]),
    st.sampled_from(["5", "6", ""]),
).map(",".join)


@settings(max_examples=8, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(RECORD, min_size=1, max_size=10), policy=st.sampled_from(["reject", "sum", "last"]))
def test_twice_is_once(publisher: Any, records: list[str], policy: str) -> None:
    with publisher.warehouse.connect("owner") as connection:
        connection.execute("truncate landing.file, canonical.place cascade")
        connection.execute("truncate canonical.usage")
    publisher.write_feed(on_conflict=policy)
    publisher.publish("2025-03-04", records)
    (load_id,) = publisher.load()
    rows, served = publisher.counts(), (publisher.usage(), publisher.latest())
    for again in (
        lambda: publisher.ingest(),
        lambda: loading.accept([load_id]),
        lambda: loading.replay(publisher.feed),
    ):
        again()
        assert publisher.counts() == rows
        assert (publisher.usage(), publisher.latest()) == served
    # A backfill loads the day once more and supersedes the load there is: the same values are served.
    (done,) = loading.backfill(publisher.feed, date(2025, 3, 4))
    loading.accept(done["load_ids"])
    assert len(done["load_ids"]) == 1
    assert publisher.query("select status from raw.load order by load_id") == [("superseded",), ("accepted",)]
    assert (publisher.usage(), publisher.latest()) == served
    publisher.account(done["load_ids"][0])
