"""Parquet with times of any zone: read in UTC, or refused by the column's name."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from caregrid.errors import CareGridError

from ml import parquet
from ml.backtest.__main__ import main
from ml.backtest.reading import read
from ml.evaluation import hub
from ml.periods import is_zone
from ml.risk import table

pytestmark = pytest.mark.unit
DAYS = [datetime(2024, 1, 1, 6, tzinfo=UTC), datetime(2024, 1, 2, 6, tzinfo=UTC)]


def written(folder: Path, zone: str | None) -> Path:
    """Write two days of one series whose times bear a zone."""
    path = folder / "days.parquet"
    times = pa.array(DAYS, pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us", tz=zone))
    pq.write_table(pa.table({"unique_id": ["a", "a"], "ds": times, "y": [1.0, 2.0]}), path)
    return path


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "+05:30", "-03:00"])
def test_a_known_zone_or_an_offset_is_read_in_utc(tmp_path: Path, zone: str) -> None:
    found = read(written(tmp_path, zone))
    assert found["ds"].to_list() == [int(day.timestamp() * 1e6) for day in DAYS]
    assert found["y"].to_list() == [1.0, 2.0]


def test_a_table_without_zones_is_read_as_polars_reads_it(tmp_path: Path) -> None:
    path = written(tmp_path, None)
    assert parquet.read(path).equals(pl.read_parquet(path))


@pytest.mark.parametrize("zone", ["Mars/Phobos", "Europe", "posix/UTC"])
def test_an_unknown_zone_is_refused_with_its_column_and_what_to_do(tmp_path: Path, zone: str) -> None:
    path = written(tmp_path, zone)
    for reads in (read, table.read, lambda one: hub._one_file(one, Counter())):
        with pytest.raises(CareGridError) as refused:
            reads(path)
        assert repr(zone) in refused.value.message
        assert refused.value.where == "days.parquet, ds"
        assert "IANA" in refused.value.fix


def test_the_command_says_so_and_ends_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "Mars/Phobos")
    asked = ["--series", str(path), "--freq", "D", "--horizon", "1", "--cutoffs", "2024-01-02",
             "--publication-lag", "0", "--out", str(tmp_path / "out")]  # fmt: skip
    assert main(asked) == 1
    assert "days.parquet, ds: its times are of the zone 'Mars/Phobos'" in capsys.readouterr().err


def test_what_is_no_parquet_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "days.parquet"
    path.write_bytes(b"unique_id,ds,y")
    with pytest.raises(CareGridError, match="is not a table that can be read"):
        read(path)


def test_a_zone_is_known_where_python_and_polars_both_know_it() -> None:
    assert all(is_zone(name) for name in ("UTC", "Asia/Taipei", "America/Toronto"))
    assert not any(is_zone(name) for name in ("", "Europe", "localtime", "../x", "x" * 300))
