"""`dbt source freshness` runs over every source and is read: written lately, long ago, never, and broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from caregrid.cli import main
from caregrid.errors import CareGridError
from caregrid.paths import ROOT
from caregrid.platform import maintenance
from caregrid.warehouse.dbt import source_freshness

pytestmark = pytest.mark.integration

LAND = (
    "insert into landing.file (feed, source, uri, version, sha256, byte_size, published_at,"
    " published_at_is_assumed, landed_at)"
    " values ('beds', 'all', 'file:///beds.csv', 1, repeat('a', 64), 1, now(), false, %s)"
    " returning file_id"
)
LOAD = (
    "insert into raw.load (file_id, feed, source, owner, visibility, mapping_version, mapping, status,"
    " loaded_at) values (%s, 'beds', 'all', 'tester', 'public', 'v1', '{}', 'staged', %s)"
)


def declared() -> set[str]:
    """Return schema.table of every source."""
    document = yaml.safe_load((ROOT / "dbt" / "models" / "staging" / "sources.yml").read_text())
    return {
        f"{source['name']}.{table['name']}" for source in document["sources"] for table in source["tables"]
    }


def test_every_source_is_looked_at_by_the_clock(warehouse: Any, capsys: pytest.CaptureFixture[str]) -> None:
    long_ago, lately = (datetime.now(UTC) - timedelta(days=days) for days in (30, 1))
    with warehouse.connect("owner") as connection:
        (file_id,) = connection.execute(LAND, [long_ago]).fetchone() or (None,)
        connection.execute(LOAD, [file_id, lately])
    ages = {age.table: age for age in source_freshness()}
    assert set(ages) == declared()
    assert {age.status for age in ages.values()} == {"pass", "warn"}
    assert (ages["landing.file"].status, ages["landing.file"].written_at) == ("warn", long_ago)
    assert (ages["canonical.usage"].status, ages["canonical.usage"].written_at) == ("pass", lately)
    assert (ages["ledger.build"].status, ages["ledger.build"].written_at) == ("warn", None)

    told = maintenance.check_sources()
    since = f"since {long_ago:%Y-%m-%d}"
    assert f"not lately: landing.file {since}, rejected.file {since}; never: " in told
    assert "ledger.build" in told.partition("never: ")[2]
    assert "canonical.usage" not in told

    assert main(["warehouse", "sources"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(ages)
    assert any(line.split()[:2] == ["warn", "landing.file"] for line in printed)

    with warehouse.connect("owner") as connection:
        connection.execute("drop table action.delivery")
    with pytest.raises(CareGridError, match=r"action\.delivery"):
        maintenance.check_sources()
    assert main(["warehouse", "sources"]) == 1
