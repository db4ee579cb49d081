"""A small hospital network that publishes files: a feed in YAML, and a directory to put its files in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from caregrid import loading

FEED = """
feed: ward_beds
name: {{en: "Ward beds", zh: "病区床位"}}
owner: {{id: test_network, name: "Test network"}}
visibility: network
country: GB
timezone: Europe/London
schedule: null
expected_every: P1D
lateness_tolerance: PT6H
licence: "made up"
provenance: "made by the test"
sources:
  beds:
    path: "{path}"
    url: {url}
    format: {{type: csv}}
    missing: [""]
    suppressed: ["*"]
    published_at: {{file_name: '(\\d{{4}}-\\d{{2}}-\\d{{2}})', format: "%Y-%m-%d"}}
    known_at: {{published_at: true}}
outputs:
  - name: beds
    contract: usage
    source: beds
    where: "site <> 'IGNORED'"
    place: {{level: facility, system: test_site, code: site, name: site_name}}
    period: {{column: day, format: "{day_format}", role: start, grain: day}}
    service_or_resource: {service}
    on_conflict: {on_conflict}
    values:
      - {{column: occupied, measure: {first}, statistic: {statistic}, unit: {unit}}}
      - {{name: capacity, column: {capacity}, measure: {second}, statistic: {statistic}, unit: {unit}}}
  - name: sites
    contract: facility
    source: beds
    where: "site_name <> ''"
    place: {{level: facility, system: test_site, code: site, name: site_name}}
    on_conflict: last
    fields: {{name: site_name}}
"""

HEADER = "site,site_name,day,occupied,capacity"
TABLES = [
    "landing.file", "raw.load", "raw.fate", "rejected.record", "rejected.file", "canonical.place",
    "canonical.series", "canonical.usage", "canonical.facility", "canonical.latest",
]  # fmt: skip


@dataclass
class Publisher:
    """Writes files and the feed that reads them, and asks the warehouse what came of it."""

    warehouse: Any
    base: Path
    feed: Path

    def write_feed(self, **changes: str) -> None:
        """Write the feed's YAML with another path, url, day_format, on_conflict or capacity column.

        Beds in stock cannot be summed: with on_conflict `sum` the columns count arrivals and admissions.
        """
        given = {
            "path": "beds_*.csv", "url": "null", "day_format": "%Y-%m-%d", "on_conflict": "reject",
            "capacity": "capacity",
        }  # fmt: skip
        stock = {
            "first": "occupied", "second": "capacity", "statistic": "snapshot", "unit": "beds",
            "service": "bed_general"
        }  # fmt: skip
        flow = {
            "first": "arrivals", "second": "admissions", "statistic": "count", "unit": "persons",
            "service": "emergency_department",
        }  # fmt: skip
        meaning = flow if changes.get("on_conflict") == "sum" else stock
        self.feed.write_text(FEED.format(**{**given, **meaning, **changes}))

    def publish(self, day: str, records: Iterable[str], header: str = HEADER) -> Path:
        """Write the file of one day."""
        path = self.base / f"beds_{day}.csv"
        path.write_text("\n".join([header, *records]) + "\n")
        return path

    def ingest(self, **options: Any) -> dict[str, Any]:
        """Run the feed."""
        return loading.ingest(self.feed, **options)

    def load(self, accept: bool = True) -> list[int]:
        """Run the feed and accept its loads."""
        load_ids: list[int] = self.ingest()["load_ids"]
        if accept and load_ids:
            loading.accept(load_ids)
        return load_ids

    def query(self, query: str, *given: Any) -> list[tuple[Any, ...]]:
        """Ask the warehouse as its owner."""
        with self.warehouse.connect("owner") as connection:
            return connection.execute(query.encode(), given).fetchall()

    def counts(self) -> dict[str, int]:
        """Return the number of rows of every table a load writes."""
        return {table: self.query(f"select count(*) from {table}")[0][0] for table in TABLES}

    def usage(self) -> list[tuple[Any, ...]]:
        """Return accepted usage without the numbers that depend on the order of arrival."""
        return self.query(
            "select p.code, s.measure, u.period_start, u.known_at, u.value, u.value_status, u.line "
            "from canonical.usage as u join canonical.series as s using (series_id) "
            "join canonical.place as p using (place_id) join raw.load as l using (load_id) "
            "where l.status = 'accepted' order by 1, 2, 3, 4, 7"
        )

    def latest(self) -> list[tuple[Any, ...]]:
        """Return canonical.latest without those numbers."""
        return self.query(
            "select p.code, s.measure, t.period_start, t.known_at, t.value, t.value_status "
            "from canonical.latest as t join canonical.series as s using (series_id) "
            "join canonical.place as p using (place_id) order by 1, 2"
        )

    def account(self, load_id: int) -> Any:
        """Return what became of a load's records; see Warehouse.account."""
        return self.warehouse.account(load_id)

    def status(self, load_id: int) -> str:
        """Return the verdict on a load."""
        ((status,),) = self.query("select status from raw.load where load_id = %s", load_id)
        return str(status)


@pytest.fixture
def publisher(warehouse: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    """A publisher of ward beds with an empty directory and a warehouse of its own."""
    base = tmp_path / "published"
    base.mkdir()
    monkeypatch.setenv("CAREGRID_FEEDS_BASE", str(base))
    made = Publisher(warehouse, base, tmp_path / "ward_beds.yml")
    made.write_feed()
    return made


@pytest.fixture
def next_publisher(warehouse_module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    """A publisher as above in a warehouse that the tests of one module share, emptied before each."""
    with warehouse_module.connect("owner") as connection:
        connection.execute("truncate landing.file, landing.fetch, canonical.place cascade")
        connection.execute("truncate canonical.usage")
    base = tmp_path / "published"
    base.mkdir()
    monkeypatch.setenv("CAREGRID_FEEDS_BASE", str(base))
    made = Publisher(warehouse_module, base, tmp_path / "ward_beds.yml")
    made.write_feed()
    return made
