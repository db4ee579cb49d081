"""A CSV that would be read as something else is refused, with the line and what is wrong with it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from caregrid.errors import CareGridError

from ml.backtest.reading import read
from ml.backtest.times import zone_named
from tests.unit.ml.backtest import toys

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("unique_id,ds,y,y\na,2024-03-01,1,2", "line 1", "there are 2 columns called y"),
        ("unique_id,ds,y,beds,beds\na,2024-03-01,1,2,3", "line 1", "there are 2 columns called beds"),
        ("unique_id;ds;y\na;2024-03-01;1", "line 1", "its columns are parted by semicolons"),
        # With decimal commas every line but the header has more cells.
        ("unique_id;ds;y\na;2024-03-01;1,5", "line 1", "its columns are parted by semicolons"),
        ("unique_id\tds\ty\na\t2024-03-01\t1", "line 1", "its columns are parted by tabs"),
        ("unique_id,ds,y\na,2024-03-01,1\na,2024-03-02", "line 3", "has 2 cells, the header 3"),
        ("unique_id,ds,y\na,2024-03-01,1\na,2024-03-02,2,5", "line 3", "has 4 cells, the header 3"),
        ("unique_id,ds,y\na,2024-03-01,1\na", "line 3", "has 1 cell, the header 3"),
        ("unique_id,ds,y,line\na,2024-03-01,1,2", "", "a column is called line"),
    ],
)
def test_what_would_be_misread_is_refused_with_its_line(
    tmp_path: Path, text: str, where: str, said: str
) -> None:
    path = tmp_path / "series.csv"
    path.write_text(text + "\n", encoding="utf-8")
    packed = tmp_path / "series.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for file in (path, packed):
        with pytest.raises(CareGridError) as refused:
            read(file)
        assert refused.value.message.startswith(said)
        assert refused.value.where.startswith(file.name)
        assert refused.value.where.endswith(where)
        assert refused.value.fix


@pytest.mark.parametrize("place", ["header", "start", "middle", "checksum", "end"])
def test_a_damaged_gz_is_told_as_that(tmp_path: Path, place: str) -> None:
    rows = "".join(f"a,2024-03-01,{number * 7919 % 1000}\n" for number in range(20_000))
    packed = bytearray(gzip.compress(f"unique_id,ds,y\n{rows}".encode()))
    at = {"header": 2, "start": 14, "middle": len(packed) // 2, "checksum": len(packed) - 8}.get(place)
    if at is None:
        packed = packed[: len(packed) // 2]
    else:
        packed[at : at + 4] = bytes(0xFF ^ byte for byte in packed[at : at + 4])
    path = tmp_path / "series.csv.gz"
    path.write_bytes(packed)
    with pytest.raises(CareGridError, match="is damaged, it cannot be unpacked") as refused:
        read(path)
    assert refused.value.where == "series.csv.gz"
    assert "anew" in refused.value.fix


@pytest.mark.parametrize("name", ["/proc/self/mem", "/" + "x" * 300])
def test_what_the_system_refuses_to_read_is_told_by_its_name(name: str) -> None:
    """The first opens and cannot be read from its begin, the second cannot even be looked for."""
    with pytest.raises(CareGridError, match="is not a table that can be read") as refused:
        read(Path(name))
    assert refused.value.where == Path(name).name
    assert isinstance(refused.value.__cause__, OSError)


def test_empty_cells_blank_lines_and_quotes_are_no_fault(tmp_path: Path) -> None:
    text = 'unique_id,ds,y,beds\n"a, north",2024-03-01,1,\n"a, north",2024-03-02,2,\n\n'
    path = tmp_path / "series.csv"
    path.write_text("\ufeff" + text, encoding="utf-8")
    assert read(path)["unique_id"].to_list() == ["a, north"] * 2


def test_the_first_time_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    days = [f"a,{1 + number % 28:02}/{1 + number // 28:02}/2024,{number}" for number in range(200)]
    rows = "\n".join(["unique_id,ds,y", "a,2024-01-01,1", *days])
    for zone in (None, zone_named("Europe/Berlin")):
        with pytest.raises(CareGridError, match="'01/01/2024' is no date or time") as refused:
            read(toys.written(tmp_path, rows), zone=zone)
        assert refused.value.where == "series.csv, line 3, ds"
        for form in ("2024-03-01,", "2024-03-01T06:00", "2024-03-01 06:00:00"):
            assert form in refused.value.fix


def test_further_columns_keep_their_names_where_a_clock_changes(tmp_path: Path) -> None:
    rows = """
        unique_id,ds,y,place,moved,of
        a,2024-11-03T01:00,1,10,20,30
        a,2024-11-03T01:00,2,11,21,31
    """
    found = read(toys.written(tmp_path, rows), zone=zone_named("America/Montreal"))
    assert found.select("place", "moved", "of").rows() == [(10, 20, 30), (11, 21, 31)]
    assert found["ds"].diff().to_list()[1] == 3_600_000_000
