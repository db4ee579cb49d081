"""Conservation and arrival order, over records that hypothesis makes up."""

from __future__ import annotations

from typing import Any

import pytest
from caregrid import loading
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.integration

FEW = settings(
    max_examples=8, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
VALUES = st.sampled_from(["1", "2", "3", "*", ""])
ANYTHING = st.sampled_from(["1", "2", "-1", "*", "", "many", "1e3", "0"])
SITES = st.sampled_from(["A", "B", "IGNORED", ""])
DAYS = st.sampled_from(["2025-03-01", "2025-03-02", "yesterday"])


def records(names: list[str]) -> st.SearchStrategy[list[str]]:
    """Lines of a file, right and wrong, whose sites bear one of the names."""
    record = st.tuples(SITES, st.sampled_from(names), DAYS, ANYTHING, ANYTHING).map(",".join)
    return st.lists(record, min_size=1, max_size=12)


RECORDS = records(["", "Alpha", "Beta"])
# One published file: a value or none for every site and day.
VERSION = st.dictionaries(
    st.tuples(st.sampled_from("AB"), st.sampled_from("12")), VALUES, min_size=1, max_size=4
)


def empty(publisher: Any) -> None:
    """Empty the warehouse and the publisher's directory: every example starts anew."""
    for path in publisher.base.iterdir():
        path.unlink()
    with publisher.warehouse.connect("owner") as connection:
        connection.execute("truncate landing.file, canonical.place cascade")
        connection.execute("truncate canonical.usage")


@FEW
@given(first=RECORDS, second=RECORDS, policy=st.sampled_from(["reject", "sum", "last"]))
def test_received_is_what_became_of_it(
    publisher: Any, first: list[str], second: list[str], policy: str
) -> None:
    empty(publisher)
    publisher.write_feed(on_conflict=policy)
    for day, records in (("2025-03-04", first), ("2025-03-03", second)):
        publisher.publish(day, records)
        (load_id,) = publisher.load(accept=False)
        assert publisher.account(load_id).received == len(records)
        loading.accept([load_id])


@FEW
@given(records=records([""]), order=st.randoms(use_true_random=False))
def test_the_order_of_records_in_a_file_changes_nothing(
    publisher: Any, records: list[str], order: Any
) -> None:
    shuffled = records[:]
    order.shuffle(shuffled)
    outcomes = []
    for arrangement in (records, shuffled):
        empty(publisher)
        publisher.write_feed()
        publisher.publish("2025-03-04", arrangement)
        (load_id,) = publisher.load()
        account = publisher.account(load_id)
        rows = sorted(map(str, (row[:-1] for row in publisher.usage())))
        outcomes.append((rows, publisher.latest(), account))
    assert outcomes[0] == outcomes[1]


@FEW
@given(versions=st.lists(VERSION, min_size=2, max_size=4), order=st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(
    publisher: Any, versions: list[dict[Any, str]], order: Any
) -> None:
    days = list(range(len(versions)))
    shuffled = days[:]
    order.shuffle(shuffled)
    outcomes = []
    for arrangement in (days, shuffled):
        empty(publisher)
        publisher.write_feed()
        for day in arrangement:
            records = [
                f"{site},,2025-03-0{number},{value},5" for (site, number), value in versions[day].items()
            ]
            publisher.publish(f"2025-03-1{day}", records)
            publisher.load()
        for (load_id,) in publisher.query("select load_id from raw.load"):
            publisher.account(load_id)
        outcomes.append((publisher.usage(), publisher.latest()))
    assert outcomes[0] == outcomes[1]
