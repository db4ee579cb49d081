"""What desks and regulators ask for has a code from the start, with unit, statistics and both names."""

from __future__ import annotations

import csv

import pytest
from caregrid.contracts import codes
from caregrid.feeds import load_feeds
from caregrid.paths import SEEDS_DIR

pytestmark = pytest.mark.unit

CANONICAL = (
    "uses", "users", "minutes_used", "occupied", "waiting", "arrivals", "admissions", "discharges",
    "capacity", "staffed_capacity", "free", "reserve",
)  # fmt: skip
ASKED_FOR = (
    "being_cleaned", "medically_ready", "staff_on_duty", "staff_needed", "supplies_on_hand",
    "supplies_hours_left", "service_status", "diversion_status", "ambulances_waiting", "downstream_free",
)  # fmt: skip
# The measures of demand, which are forecast; no other is.
DEMAND = {"arrivals", "present", "waiting", "occupied", "admissions"}


def rows() -> list[dict[str, str]]:
    with (SEEDS_DIR / "measure.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("measure", [*CANONICAL, *ASKED_FOR])
def test_it_has_a_code_with_unit_and_statistics(measure: str) -> None:
    known = codes.measures()[measure]
    assert known.unit
    assert known.statistics


def test_every_code_is_named_in_both_languages_and_says_how_it_adds_up() -> None:
    for row in rows():
        assert row["name_en"], row
        assert any("一" <= letter <= "鿿" for letter in row["name_zh"]), row
        assert row["additivity"], row
        assert row["definition"], row


def test_demand_is_forecast_and_nothing_else() -> None:
    assert {row["measure"] for row in rows() if row["forecast"] == "true"} == DEMAND


@pytest.mark.parametrize("measure", ASKED_FOR)
def test_a_feed_fills_it_be_it_the_simulator(measure: str) -> None:
    told = [
        value.get("measure", output.spec.get("measure"))
        for feed in load_feeds().values()
        for output in feed.outputs
        for value in output.spec.get("values", [])
        if output.contract == "usage"
    ]
    # A column may say of which measure a value is: then the map names them.
    filled = {code for one in told for code in (one["map"].values() if isinstance(one, dict) else [one])}
    assert measure in filled
