"""The model of a person's own wards runs as docs/forecasting.md prints it, and says what it lacks."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import polars as pl
import pytest
from caregrid.paths import ROOT

from ml.backtest.command import main

pytestmark = pytest.mark.unit
STAY = 4  # days


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with wards.py as it is printed and with the beds of one ward, and work in it."""
    text = (ROOT / "docs" / "forecasting.md").read_text(encoding="utf-8")
    told = text.split("## Where stays are known", 1)[1].split("\n## ", 1)[0]
    printed = re.search(r"```python\n(# wards\.py.*?)```", told, re.DOTALL)
    assert printed is not None
    (tmp_path / "wards.py").write_text(printed[1], encoding="utf-8")
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 3, 31), eager=True)
    beds = [min(at + 1, STAY) for at in range(len(days))]
    pl.DataFrame({"unique_id": "w", "ds": days, "y": beds}).write_csv(tmp_path / "beds.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wards", raising=False)
    return tmp_path


def asked(folder: Path) -> list[str]:
    return [
        "--series", "beds.csv", "--freq", "D", "--horizon", "3", "--cutoffs", "2024-03-20", "--paths", "none",
        "--publication-lag", "0", "--models", "census=wards:model", "--out", str(folder / "out"),
    ]  # fmt: skip


def test_the_printed_model_forecasts_the_beds_of_its_stays(folder: Path) -> None:
    """Every noon one patient comes for four days: the beds are as told, and nothing else can be expected."""
    begin = pl.datetime_range(pl.datetime(2024, 1, 1, 12), pl.datetime(2024, 3, 31, 12), "1d", eager=True)
    stays = pl.DataFrame({"place": "w", "begin": begin}).with_columns(
        end=pl.col("begin") + pl.duration(days=STAY)
    )
    stays.write_parquet(folder / "stays.parquet")
    assert main(asked(folder)) == 0
    rows = pl.read_parquet(folder / "out" / "forecasts.parquet")
    middle = rows.filter((pl.col("model") == "census") & (pl.col("quantile") == 0.5))
    assert middle.sort("horizon")["value"].round().to_list() == [STAY] * 3
    # The stays make the beds that the series tells, so that there is nothing to remark.
    assert len(pl.read_csv(folder / "out" / "remarks.csv")) == 0


def test_without_its_stays_one_message_says_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked(folder)) == 1
    told = capsys.readouterr().err
    assert "--models census=wards:model: cannot be made: stays.parquet: there is no such file" in told
    assert told.count("fix: ") == 1
    assert "check the path given to Census" in told
