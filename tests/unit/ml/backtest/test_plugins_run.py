"""Anybody's model: a class of Python, and a command in a directory of files."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from caregrid.errors import CareGridError
from caregrid.paths import ROOT

from ml.backtest import asking, models, plugins
from ml.backtest.rolling import ask
from ml.backtest.times import cutoff
from ml.panel import Panel
from tests.unit.ml.backtest import toys

pytestmark = pytest.mark.unit
LEVELS = (0.1, 0.5, 0.9)
# The last value in fit's memory, a tenth either way, and the holiday known in advance on top.
SCRIPT = """
import csv, json, sys
action, folder = sys.argv[1:]
panel = list(csv.DictReader(open(folder + "/panel.csv")))
if action == "fit":
    last = {row["unique_id"]: float(row["y"]) for row in panel if row["y"]}
    json.dump(last, open(folder + "/learned.json", "w"))
else:
    last = json.load(open(folder + "/learned.json"))
    levels = [float(row["quantile"]) for row in csv.DictReader(open(folder + "/quantiles.csv"))]
    with open(folder + "/forecasts.csv", "w") as file:
        print("unique_id,ds,quantile,value", file=file)
        for row in csv.DictReader(open(folder + "/targets.csv")):
            if row["unique_id"] == "s03":
                continue
            for level in levels:
                value = last[row["unique_id"]] + level + 100 * float(row["holiday"])
                print(row["unique_id"], row["ds"], level, value, sep=",", file=file)
"""


@pytest.fixture
def panel(request: pytest.FixtureRequest) -> Panel:
    frequency = getattr(request, "param", "D")
    rows = toys.frame(frequency, 60).with_columns(
        holiday=(pl.col("ds") // 86_400_000_000 % 2).cast(pl.Float64),
        sick=pl.lit(3.0),
        region=pl.lit("north"),
    )
    rows = rows.with_columns(y=pl.when(pl.col("line") == 10).then(None).otherwise(pl.col("y")))
    table = toys.made(rows, frequency, ahead=("holiday",))
    return table.panel(cutoff("2023-02-10" if frequency == "D" else "2023-01-02T05:00", frequency), 3)


def command(tmp_path: Path, script: str, limit: float = 60.0) -> plugins.Command:
    path = tmp_path / "their model.py"
    path.write_text(script, encoding="utf-8")
    made = plugins.plugin(f"theirs=command:{sys.executable} '{path}'")
    assert isinstance(made, plugins.Command)
    made.time_limit = limit
    return made


@pytest.mark.parametrize("panel", ["D", "H"], indirect=True)
def test_a_command_learns_and_answers_through_files(panel: Panel, tmp_path: Path) -> None:
    answer = ask(command(tmp_path, SCRIPT), panel, LEVELS)
    assert answer.values is not None, answer.reason
    last = np.array([row[~np.isnan(row)][-1] for row in panel.y])
    wanted = (last[:, None] + 100 * panel.ahead["holiday"][:, panel.width :])[:, :, None] + LEVELS
    np.testing.assert_allclose(answer.values[:3], wanted[:3])
    assert np.isnan(answer.values[3]).all()


def test_the_files_hold_what_is_known_and_an_empty_cell_where_nothing_is(
    panel: Panel, tmp_path: Path
) -> None:
    plugins._write(tmp_path, panel, LEVELS)
    told = pl.read_csv(tmp_path / "panel.csv")
    assert told.columns == ["unique_id", "ds", "y", "sick", "holiday", "region"]
    assert len(told) == panel.y.size
    assert told["y"].null_count() == int(np.isnan(panel.y).sum()) == 1
    assert told["ds"][0] == "2023-01-01"
    assert pl.read_parquet(tmp_path / "panel.parquet")["y"].to_list() == told["y"].cast(pl.Float64).to_list()
    targets = pl.read_csv(tmp_path / "targets.csv")
    assert targets.columns == ["unique_id", "ds", "holiday", "region"]
    assert targets["ds"].unique().sort().to_list() == ["2023-02-11", "2023-02-12", "2023-02-13"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import sys; print('no such column: beds'); sys.exit(4)", "ended with 4: no such column: beds"),
        ("import time; time.sleep(600)", "took longer than"),
        ("pass", "wrote no forecasts.csv"),
        ("import sys; open(sys.argv[2] + '/forecasts.csv', 'w').write('a,b\\n1,2\\n')", "cannot be read"),
        (
            "import sys; open(sys.argv[2] + '/forecasts.csv', 'w')"
            ".write('unique_id,ds,quantile,value\\ns00,tomorrow,0.5,2\\n')",
            "cannot be read",
        ),
    ],
)
def test_a_command_that_fails_is_told_with_its_last_words(
    panel: Panel, tmp_path: Path, script: str, said: str
) -> None:
    answer = ask(command(tmp_path, script, limit=2.0), panel, LEVELS)
    assert answer.values is None
    assert said in answer.reason
    assert "model theirs" in answer.reason


def test_a_command_that_is_not_there_is_told(panel: Panel) -> None:
    answer = ask(plugins.plugin("theirs=command:/no/such/command"), panel, LEVELS)
    assert "cannot be started" in answer.reason


def test_a_class_of_python_is_one_too(panel: Panel) -> None:
    made = plugins.plugin("borrowed=ml.backtest.naive:LastValue")
    assert made.name == "borrowed"
    assert ask(made, panel, LEVELS).values is not None


@pytest.mark.parametrize(
    "text",
    ["=x:y", "a=", "a=module", "a=command:", "a=no.such.module:Class", "a=ml.backtest.naive:Nothing",
     "a=ml.backtest.naive:filled", "a=datetime:datetime", "a=collections:OrderedDict"],
)  # fmt: skip
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(CareGridError) as refused:
        plugins.plugin(text)
    assert text in refused.value.where
    assert refused.value.fix


def test_names_are_known_or_refused_and_none_twice() -> None:
    assert [model.name for model in models.named(["climatology", "last_value", "climatology"])[0]] == [
        "climatology",
        "last_value",
    ]
    with pytest.raises(CareGridError, match="there is no model 'best'"):
        models.named(["best"])
    with pytest.raises(CareGridError, match="two models are called last_value"):
        models.named(["last_value", "last_value=ml.backtest.naive:SeasonalNaive"])


def test_a_library_that_is_absent_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(models.NEEDS, "auto_ets", "no_such_library")
    found, absent = models.named(["all"])
    assert absent["auto_ets"] == "no_such_library is not installed here"
    assert {"last_value", "seasonal_naive", "climatology"} <= {model.name for model in found}


def test_all_is_the_table_of_the_docs_and_what_is_run_unless_models_are_named() -> None:
    found = [model.name for model in models.named(["all"])[0]]
    text = (ROOT / "docs" / "forecasting.md").read_text(encoding="utf-8")
    table = text.split("### The models that are always there", 1)[1].split("\n## ", 1)[0]
    lines = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = [name for line in lines for name in re.findall(r"`(\w+)`", line)]
    assert len(listed) > 5
    assert sorted(found) == sorted(listed)
    assert asking.parser().get_default("models").split(",") == found
