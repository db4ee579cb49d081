"""Benchmarks at the smallest sizes: every area runs, and bench.json has the form that is promised."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from caregrid.bench import airflow, figures, run
from caregrid.bench.figures import Figure, Goal
from caregrid.bench.sizes import AREAS, Sizes
from caregrid.errors import CareGridError
from caregrid.paths import var

pytestmark = pytest.mark.integration

SMALLEST = Sizes(rows=(2200,), mebibytes=(2,), short_days=14, times=2, feeds="", series=(2, 3))
# Each of its histories, and the comparison with plain SQL, builds the warehouse two or three times.
PATIENT = {"warehouse": [pytest.mark.timeout(1800)]}
KEYS = ["name", "value", "unit", "reference", "reference_value", "ratio", "goal", "met"]


def found() -> list[dict[str, Any]]:
    return list(json.loads(var("bench.json").read_text()))


@pytest.mark.parametrize("area", [pytest.param(area, marks=PATIENT.get(area, [])) for area in AREAS])
def test_an_area_is_measured_and_written(area: str, test_var: Path) -> None:
    run.run([area], SMALLEST)
    entries = [entry for entry in found() if entry["name"].startswith(f"{area}.")]
    assert entries
    assert len({entry["name"] for entry in entries}) == len(entries)
    for entry in entries:
        assert list(entry) == KEYS
        assert entry["value"] > 0
        assert (entry["reference"] is None) == (entry["reference_value"] is None) == (entry["ratio"] is None)
        assert (entry["goal"] is None) == (entry["met"] is None)
        if entry["ratio"] is not None:
            assert entry["ratio"] == entry["value"] / entry["reference_value"]
    # It leaves nothing: neither a server nor a file beside the results.
    assert not var("bench").exists()


def test_the_figures_of_other_areas_stay(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    figures.write(file, [Figure("load.a", 2, "s", "b", 4, Goal("at least", 0.5))], ["load"])
    figures.write(file, [Figure("airflow.a", 2, "s", goal=Goal("under", 2))], ["airflow"])
    figures.write(file, [Figure("load.b", 1, "s")], ["load"])
    assert [(entry["name"], entry["met"]) for entry in json.loads(file.read_text())] == [
        ("airflow.a", False),
        ("load.b", None),
    ]


def test_a_goal_is_of_the_ratio_where_there_is_a_reference() -> None:
    assert Figure("a", 2, "s", "b", 4, Goal("at least", 0.5)).met
    assert not Figure("a", 2, "s", "b", 4, Goal("under", 0.5)).met
    assert Figure("a", 0.4, "s", goal=Goal("under", 0.5)).met


def test_work_at_one_time_counts_once() -> None:
    def at(second: int) -> datetime:
        return datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=second)

    # two overlap, one lies within another, two seconds are idle before the last
    spans = [(at(0), at(4)), (at(3), at(6)), (at(4), at(5)), (at(8), at(9))]
    assert airflow.covered(spans) == 7
    assert airflow.covered(spans[::-1]) == 7


def test_an_area_that_is_not_there_is_named() -> None:
    with pytest.raises(CareGridError, match="nowhere"):
        run.run(["nowhere"], SMALLEST)
