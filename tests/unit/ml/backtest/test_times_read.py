"""Cutoffs, spans and instants as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from caregrid.errors import CareGridError
from hypothesis import given
from hypothesis import strategies as st

from ml.backtest import times

pytestmark = pytest.mark.unit
HOUR, DAY = times.STEPS["H"], times.STEPS["D"]


@pytest.mark.parametrize(
    ("text", "frequency", "made"),
    [
        ("2024-01-06:2024-01-27:7D", "W", ["2024-01-06", "2024-01-13", "2024-01-20", "2024-01-27"]),
        ("2024-01-06:2024-01-27:1W", "W", ["2024-01-06", "2024-01-13", "2024-01-20", "2024-01-27"]),
        ("2024-01-06:2024-01-26:1w", "W", ["2024-01-06", "2024-01-13", "2024-01-20"]),
        ("2024-01-06:2024-01-07:31h", "H", ["2024-01-06"]),
        ("2024-01-06T05:00:2024-01-07T12:00:00:31h", "H", ["2024-01-06T05:00", "2024-01-07T12:00"]),
        ("2024-01-06:2024-01-08:1", "D", ["2024-01-06", "2024-01-07", "2024-01-08"]),
        ("2024-02-01, 2024-01-01,2024-02-01", "D", ["2024-01-01", "2024-02-01"]),
        ("2024-01-06:2024-01-06:28D", "D", ["2024-01-06"]),
    ],
)
def test_cutoffs(text: str, frequency: str, made: list[str]) -> None:
    assert [str(one) for one in times.cutoffs(text, frequency)] == made


def test_cutoffs_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "cutoffs.txt"
    file.write_text("2024-01-02\n2024-01-01\n\n", encoding="utf-8")
    assert [str(one) for one in times.cutoffs(str(file), "D")] == ["2024-01-01", "2024-01-02"]


def test_a_long_list_is_no_name_of_a_file() -> None:
    days = [f"2024-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]
    assert [str(one) for one in times.cutoffs(",".join(days), "D")] == days


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2024-01-06:2024-01-01:1D", "2024-01-01:2024-02-01:0", "2024-01-01:2024-02-01:1M",
     "2024-01-01:2024-13-01:1D", "0001-01-01:9999-01-01:1h"],
)  # fmt: skip
def test_what_is_no_cutoff_is_refused_with_the_option(text: str) -> None:
    with pytest.raises(CareGridError) as refused:
        times.cutoffs(text, "D")
    assert refused.value.where == "--cutoffs"
    assert refused.value.fix


def test_a_bad_cutoff_of_a_file_is_named_with_its_line_and_a_missing_file_as_one(tmp_path: Path) -> None:
    file = tmp_path / "cutoffs.txt"
    file.write_text("2024-01-02 06:00\n\n31/12/2024\n", encoding="utf-8")
    with pytest.raises(CareGridError, match="'31/12/2024' is no date or time") as refused:
        times.cutoffs(str(file), "D")
    assert refused.value.where == f"--cutoffs {file}, line 3"
    assert "2024-03-01T06:00" in refused.value.fix
    for text in ("missing.txt", "2024-01-01,missing.txt", str(tmp_path)):
        with pytest.raises(CareGridError, match=r"is neither a date or time .*, nor a file that exists"):
            times.cutoffs(text, "D")
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CareGridError, match="cannot be read"):
        times.cutoffs(str(file), "D")
    # A line may part date and time by a space.
    file.write_text("2024-01-02 06:00\n", encoding="utf-8")
    assert [str(one) for one in times.cutoffs(str(file), "D")] == ["2024-01-02T06:00"]


def test_a_cutoff_that_names_a_day_knows_that_whole_day_but_of_hours_its_first_instant() -> None:
    daily, hourly = times.cutoff("2024-01-06", "D"), times.cutoff("2024-01-06", "H")
    assert daily.known - daily.at == DAY - 1
    assert hourly.known == hourly.at == daily.at
    exact = times.cutoff("2024-01-06T06:00", "D")
    assert exact.known == exact.at == daily.at + 6 * HOUR


def test_spans_and_instants() -> None:
    assert times.span("0", "D", "--publication-lag") == 0
    assert times.span("2", "W", "x") == 14 * DAY
    assert times.span("90min", "H", "x") == HOUR * 3 // 2
    assert times.instant("1970-01-02T00:00:00+01:00") == DAY - HOUR
    zone = times.zone_named("Asia/Taipei")
    assert times.instant("1970-01-02", zone) == DAY - 8 * HOUR
    with pytest.raises(CareGridError, match="Mars"):
        times.zone_named("Mars/Olympus")


@given(st.integers(0, 4_000_000_000))
def test_as_text_reads_back(second: int) -> None:
    assert times.instant(times.as_text(second * times.SECOND)) == second * times.SECOND
