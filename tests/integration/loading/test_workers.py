"""Workers that load at the same time share places and never load a file twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from caregrid import loading

pytestmark = pytest.mark.integration


def together(*calls: Any) -> list[Any]:
    """Run the calls at the same moment and return their results; an exception of one is raised."""
    start = Barrier(len(calls))

    def run(call: Any) -> Any:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


def test_two_workers_on_one_feed_load_each_file_once(publisher: Any) -> None:
    for day in range(1, 6):
        publisher.publish(f"2025-03-{day + 1:02d}", [f"S{n},,2025-03-{day:02d},{n},9" for n in range(40)])
    first, second = together(publisher.ingest, publisher.ingest)
    load_ids = {*first["load_ids"], *second["load_ids"]}
    assert len(load_ids) == 5
    assert publisher.query("select count(*), count(distinct file_id) from raw.load") == [(5, 5)]
    assert publisher.query("select count(*) from canonical.usage") == [(400,)]
    # Both may give the verdict, too.
    together(lambda: loading.accept(load_ids), lambda: loading.accept(load_ids))
    assert publisher.query("select count(*) from canonical.latest") == [(80,)]


def test_feeds_that_meet_the_same_new_places_in_opposite_order_do_not_deadlock(publisher: Any) -> None:
    other = publisher.feed.with_name("other_beds.yml")
    publisher.write_feed(path="other_*.csv")
    other.write_text(publisher.feed.read_text().replace("ward_beds", "other_beds"))
    publisher.write_feed()
    for turn in range(4):
        places = [f"T{turn}-{n}" for n in range(60)]
        publisher.publish(f"2025-03-0{turn + 2}", [f"{place},,2025-03-01,1,2" for place in places])
        path = publisher.base / f"other_2025-03-0{turn + 2}.csv"
        path.write_text("site,site_name,day,occupied,capacity\n"
                        + "".join(f"{place},,2025-03-01,1,2\n" for place in reversed(places)))  # fmt: skip
        together(publisher.ingest, lambda: loading.ingest(other))
    assert publisher.query("select count(*), count(distinct code) from canonical.place") == [(240, 240)]
    assert publisher.query("select count(*), count(distinct series_key) from canonical.series") == [
        (960, 960)
    ]
