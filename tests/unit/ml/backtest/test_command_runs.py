"""The command line: from a file to forecasts, scores and a report; refusals come before the work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ml.backtest import leaks
from ml.backtest.command import main
from tests.unit.ml.backtest import toys

pytestmark = pytest.mark.unit
QUICK = "last_value,seasonal_naive,climatology"


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "beds.csv"
    rows = toys.frame("D", 200).drop("line").with_columns(pl.from_epoch("ds", time_unit="us").dt.date())
    rows.with_columns(beds=25, region=pl.Series(np.repeat(["n", "n", "s", "s"], 200))).write_csv(path)
    return path


def asked(series: Path, out: Path, *more: str) -> list[str]:
    return [
        "--series", str(series), "--freq", "D", "--horizon", "7", "--cutoffs", "2023-05-01:2023-06-12:14D",
        "--out", str(out), "--publication-lag", "1D", "--capacity", "beds", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def out(series: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    assert main(asked(series, out, "--models", QUICK, "--hierarchy", "region", "--paths", "all")) == 0
    return out


def test_a_run_leaves_forecasts_scores_and_what_it_was(out: Path) -> None:
    rows = pl.read_parquet(out / "forecasts.parquet")
    assert rows.columns == ["unique_id", "cutoff", "ds", "horizon", "model", "quantile", "value"]
    assert len(rows) == 3 * 4 * (4 + 2) * 7 * 23
    assert rows["value"].is_not_nan().all()
    paths = pl.read_parquet(out / "paths.parquet")
    assert len(paths) == 3 * 4 * (4 + 2) * 7 * 200
    scores = pl.read_csv(out / "scores.csv", infer_schema=False)
    needed = (
        "model,horizon,n,mae,rmse,mape,mase,wis,wis_log1p,rwis,rwis_pairwise,cov50,cov80,cov95,width95,bias"
    )
    assert set(needed.split(",")) <= set(scores.columns)
    whole = scores.filter((pl.col("horizon") == "all") & (pl.col("model") == "seasonal_naive"))
    assert float(whole["rwis"][0]) == 1.0
    assert (out / "report.html").read_text(encoding="utf-8").count("ssumed") > 0
    info = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert info["asked"]["data_sha256"]
    assert info["asked"]["cutoffs_made"] == ["2023-05-01", "2023-05-15", "2023-05-29", "2023-06-12"]
    assert info["parts"] == {"region=n": ["s00", "s01"], "region=s": ["s02", "s03"]}
    assert set(info["seconds"]) == set(QUICK.split(","))
    assert info["vintages_assumed"] is True


def test_an_earlier_run_is_reused_to_the_last_bit_and_refused_where_it_was_asked_otherwise(
    series: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again"
    more = ("--models", QUICK, "--hierarchy", "region", "--reuse", str(out), "--anew", "climatology")
    assert main(asked(series, again, *more)) == 0
    order = ["model", "cutoff", "unique_id", "horizon", "quantile"]
    one, other = (pl.read_parquet(folder / "forecasts.parquet").sort(order) for folder in (out, again))
    assert one.equals(other)
    assert main([*asked(series, again, *more), "--horizon", "6"]) == 1
    assert "another horizon" in capsys.readouterr().err
    assert main([*asked(series, again, *more), "--anew", "best"]) == 1
    assert "--anew: there is no model 'best' in this run" in capsys.readouterr().err
    assert main([*asked(series, again, "--reuse", str(tmp_path))]) == 1
    assert "holds no run" in capsys.readouterr().err


def test_a_cutoff_that_the_earlier_run_had_not_is_made_now(series: Path, out: Path, tmp_path: Path) -> None:
    more = ("--models", QUICK, "--reuse", str(out), "--cutoffs", "2023-06-12,2023-06-13")
    assert main(asked(series, tmp_path / "more", *more)) == 0
    assert pl.read_parquet(tmp_path / "more" / "forecasts.parquet")["cutoff"].n_unique() == 2


def test_a_run_that_broke_off_is_taken_up_again(series: Path, out: Path, tmp_path: Path) -> None:
    """Stopped at the third cutoff: the first two are read, the others made, and all is as if in one go."""
    again = tmp_path / "out"
    toys.Stopped.calls = 0
    stopped = asked(series, again, "--models", f"{QUICK},stopped=tests.unit.ml.backtest.toys:Stopped")
    with pytest.raises(KeyboardInterrupt):
        main(stopped)
    assert not (again / "forecasts.parquet").exists()
    assert pl.read_parquet(again / "forecasts.unfinished.parquet")["cutoff"].n_unique() == 3
    assert main(asked(series, again, "--models", QUICK, "--reuse", str(again))) == 0
    assert not (again / "forecasts.unfinished.parquet").exists()
    order = ["model", "cutoff", "unique_id", "horizon", "quantile"]
    whole = pl.read_parquet(out / "forecasts.parquet").filter(~pl.col("unique_id").str.contains("="))
    assert pl.read_parquet(again / "forecasts.parquet").sort(order).equals(whole.sort(order))


def test_the_future_is_forecast_and_not_scored(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table ends on 19 July, and a day is known on the next."""
    assert main([*asked(series, tmp_path, "--models", QUICK), "--cutoffs", "2023-07-20"]) == 0
    assert "nothing is scored" in capsys.readouterr().err
    rows = pl.read_parquet(tmp_path / "forecasts.parquet")
    assert str(rows["ds"].min()) == "2023-07-21 00:00:00"
    assert not (tmp_path / "scores.csv").exists()


def test_it_runs_as_a_module_and_says_how_far_it_is(series: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "ml.backtest", *asked(series, tmp_path / "out", "--models", "last_value")]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "4/4 2023-06-12: 4 series" in done.stderr
    # The baseline is there though nobody asked for it.
    assert "seasonal_naive" in done.stderr


def test_newest_values_are_scored_as_reported_and_as_corrected(tmp_path: Path) -> None:
    """First reports are a tenth too low and set right a week later; every fifth week is reported in full."""
    draws = np.random.default_rng(4)
    rows = []
    for number in range(4):
        for week in range(120):
            last_day = np.datetime64("2022-01-08") + np.timedelta64(7 * week, "D")
            whole = 300 + 40 * number + int(draws.normal(0, 8))
            first = whole if week % 5 == 0 else round(0.9 * whole)
            for known, value in ((last_day, first), (last_day + np.timedelta64(7, "D"), whole)):
                rows.append((f"s{number}", str(last_day), value, str(known)))
    table = tmp_path / "weeks.csv"
    pl.DataFrame(rows, schema=["unique_id", "ds", "y", "known_at"], orient="row").write_csv(table)
    line = ["--series", str(table), "--freq", "W", "--horizon", "2", "--known-at", "known_at"]
    line += ["--cutoffs", "2023-06-03:2024-03-02:14D", "--out", str(tmp_path / "out")]
    assert main([*line, "--models", "last_value", "--baseline", "last_value"]) == 0
    found = pl.read_csv(tmp_path / "out" / "nowcast.csv")
    youngest, older = found.row(0, named=True), found.row(1, named=True)
    assert youngest["age"] == 0
    assert youngest["cells"] == 4 * 20
    assert youngest["mae_as_reported"] == pytest.approx(0.08 * 360, rel=0.15)
    assert youngest["ratio"] < 0.8
    assert abs(youngest["bias_nowcast"]) < 0.5 * abs(youngest["bias_as_reported"])
    # A week later nothing is revised any more.
    assert older["mae_as_reported"] == 0
    assert older["reason"] == "values of this age were never revised"


SLOW = """
import time
from pathlib import Path

class Slow:
    name = "slow"

    def fit(self, panel):
        Path("begun").touch()
        time.sleep(120)
"""


def test_a_run_ended_from_outside_ends_and_takes_it_for_no_failure_of_a_model(
    series: Path, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    out = tmp_path / "out"
    line = [sys.executable, "-m", "ml.backtest", *asked(series, out, "--models", "slow=slow:Slow")]
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    run = subprocess.Popen(
        line, cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (tmp_path / "begun").exists()
        run.terminate()
        assert run.wait(60) == 128 + signal.SIGTERM
    finally:
        run.kill()
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["finished"] is False


def test_the_leak_check_ends_with_nothing_found(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked(series, tmp_path / "out", "--models", QUICK, "--leak-check")) == 0
    assert capsys.readouterr().err.count("unchanged by noise after the cutoff") == 3
    assert not (tmp_path / "out").exists()
    assert leaks.LEAK == 3


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--models", "best"), "there is no model 'best'"),
        (("--baseline", "best", "--models", QUICK), "there is no model 'best' in this run"),
        (("--models", QUICK, "--paths", "best"), "there is no model 'best' in this run"),
        (("--horizon", "0"), "0 periods are none"),
        (("--horizon", "100000000000"), "100000000000 periods are too many"),
        (("--seed", "-1"), "-1 is no seed"),
        (("--model-time-limit", "nan"), "nan seconds are no time"),
        (("--model-time-limit", "0"), "0 seconds are no time"),
        (("--models", "x=command:'"), "is no command line: No closing quotation"),
        (("--known-at", "ds"), "ds cannot also tell when a row became known"),
        (("--known-at", "unique_id"), "unique_id cannot also tell when a row became known"),
        (("--path-count", "5"), "5 paths are too few"),
        (("--baseline", "best", "--models", "last_value"), "auto_ets_recalibrated"),
        (("--cutoffs", "soon"), "'soon' is neither a date or time"),
        (("--publication-lag", "-1D"), "argument --publication-lag: expected one argument"),
        (("--publication-lag=-1D",), "'-1D' is no span of time"),
        (("--horizon", "abc"), "argument --horizon: invalid int value: 'abc'"),
        (("--freq", "Y"), "argument --freq: invalid choice: 'Y'"),
        (("--no-such-option",), "unrecognized arguments: --no-such-option"),
        (("--truth-as-of", "later"), "--truth-as-of: 'later' is no date"),
        (("--publication-lag", "soon"), "--publication-lag: 'soon' is no span"),
        (("--known-in-advance", "sun"), "no further column 'sun'"),
        (("--models", QUICK, "--external", "/no/such"), "no such directory"),
        (("--known-at", "seen"), "no column seen"),
        (("--series", "/no/such.csv"), "there is no such file"),
        (("--time-zone", "Mars/Base"), "no time zone 'Mars/Base'"),
        (("--models", QUICK, "--cutoffs", "2020-01-01"), "no model answered anything"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_message(
    series: Path, tmp_path: Path, more: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*asked(series, tmp_path / "out"), *more]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "fix: " in told
    assert not (tmp_path / "out" / "scores.csv").exists()


@pytest.mark.parametrize("name", ["beds.csv", "beds.csv/below", "/proc/caregrid"])
def test_an_out_that_cannot_be_written_is_refused_before_the_work(
    series: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = series.parent / name
    assert main(asked(series, out, "--models", QUICK)) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: --out {out}: nothing can be written there")
    assert "fix: name a folder" in told
    # Not even the table was read.
    assert "assumed" not in told


@pytest.mark.parametrize("name", ["forecasts.parquet", "unanswered.csv", "scores.csv"])
def test_a_folder_in_the_place_of_a_file_is_told_without_a_traceback(
    series: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).mkdir()
    assert main([*asked(series, tmp_path, "--models", "last_value"), "--cutoffs", "2023-05-01"]) == 1
    told = capsys.readouterr().err
    assert f"error: --out {tmp_path}: cannot be written" in told
    assert name in told
    assert "fix: " in told


@pytest.mark.parametrize("option", ["--series", "--external"])
def test_what_cannot_be_read_is_not_told_as_what_cannot_be_written(
    series: Path, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = str(tmp_path / ("x" * 300))
    assert main([*asked(series, tmp_path / "out", "--models", "last_value"), option, name]) == 1
    told = capsys.readouterr().err
    assert "x" * 300 in told
    assert "File name too long" in told
    assert "cannot be written" not in told
    assert "--out" not in told
    assert "fix: " in told


def test_a_model_that_answers_nothing_is_named_at_the_end(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = "mute=command:/no/such/prog"
    short = ("--cutoffs", "2023-05-01")
    assert main([*asked(series, tmp_path / "some", "--models", f"last_value,{none}"), *short]) == 0
    told = capsys.readouterr().err
    assert "1 line in unanswered.csv" in told
    last = told.strip().splitlines()[-2]
    assert last.startswith("mute answered nothing: CareGridError: model mute: cannot be started")
    assert "last_value answered nothing" not in told
    alone = asked(series, tmp_path / "none", "--models", f"{none},other=command:/no/such/other")
    assert main([*alone, *short, "--cutoffs", "2020-01-01"]) == 1
    told = capsys.readouterr().err
    assert "mute answered nothing: nothing was known by any cutoff" in told
    assert "no model answered anything" in told


def test_submissions_of_a_hub_stand_in_the_same_table(tmp_path: Path) -> None:
    rows = toys.frame("W", 130, start="2022-01-01").drop("line")
    rows = rows.with_columns(pl.from_epoch("ds", time_unit="us").dt.date())
    rows.write_csv(tmp_path / "weeks.csv")
    hub = tmp_path / "hub" / "Other-team"
    hub.mkdir(parents=True)
    truth = dict(
        zip(rows["ds"].cast(pl.String), rows.filter(pl.col("unique_id") == "s01")["y"], strict=False)
    )
    # The file of the reference date a week after the cutoff, its horizon 0 our first step.
    lines = ["reference_date,target,horizon,target_end_date,location,output_type,output_type_id,value"]
    for level in ("0.25", "0.5", "0.75"):
        ends = "2024-03-02"
        lines.append(
            f"2024-03-02,wk inc flu hosp,0,{ends},s01,quantile,{level},{truth[ends] + float(level) - 0.5}"
        )
    (hub / "2024-03-02-Other-team.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    line = [
        "--series", str(tmp_path / "weeks.csv"), "--freq", "W", "--horizon", "2", "--cutoffs", "2024-02-24",
        "--publication-lag", "0", "--models", "last_value", "--external", str(tmp_path / "hub"),
        "--out", str(out),
    ]  # fmt: skip
    assert main(line) == 0
    theirs = pl.read_parquet(out / "forecasts.parquet").filter(pl.col("model") == "Other-team")
    assert theirs.select("unique_id", "horizon").unique().rows() == [("s01", 1)]
    scores = pl.read_csv(out / "scores.csv", infer_schema=False)
    row = scores.filter((pl.col("model") == "Other-team") & (pl.col("horizon") == "all"))
    assert float(row["mae"][0]) == 0


WIDTHS = """
from ml.backtest.naive import SeasonalNaive


class Model(SeasonalNaive):
    def fit(self, panel):
        return Fitted(super().fit(panel))


class Fitted:
    \"\"\"The middle of another, its intervals in another width.\"\"\"

    def __init__(self, inner):
        self.inner = inner

    def predict(self, panel, quantiles):
        said = self.inner.predict(panel, quantiles)
        middle = said[:, :, [len(quantiles) // 2]]
        return middle + (said - middle) * SHARE
"""


def test_the_gate_says_whether_a_model_of_ones_own_would_take_the_place_of_another(
    series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Far too narrow may not serve at all; what knows the season wins, but holds 61 % where it says 50."""
    for name, share in (("narrow", 0.05), ("seasonal", 1.2)):
        (tmp_path / f"made_{name}.py").write_text(WIDTHS.replace("SHARE", str(share)), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    mine = "narrow=made_narrow:Model,seasonal=made_seasonal:Model"
    line = [*asked(series, tmp_path / "out", "--models", f"last_value,{mine}"), "--baseline", "last_value"]
    line += ["--champion", "last_value"]
    line[line.index("--cutoffs") + 1] = "2023-03-01:2023-07-08:3D"
    assert main(line) == 0
    told = capsys.readouterr().err
    verdicts = pl.read_csv(tmp_path / "out" / "verdicts.csv")
    assert dict(verdicts.select("model", "answer").iter_rows()) == {
        "narrow": "refused", "seasonal": "refused",
    }  # fmt: skip
    assert verdicts["beside"].unique().to_list() == ["last_value"]
    assert "gate: seasonal in place of last_value: refused (day refused: coverage of 50 % is 0.6063" in told
    assert "gate: narrow in place of last_value: refused (day is kept back: coverage of 80 %" in told
    checks = pl.read_csv(tmp_path / "out" / "gate.csv")
    passed = dict(checks.filter(model="seasonal").select("check", "passed").iter_rows())
    assert passed["interval score less the champion's"]
    assert passed["loss beyond the champion's, region=n"]
    assert passed["coverage of 50 %"] is False
    assert checks.filter(model="narrow", check="cells beside last_value")["cells"].to_list() == [4 * 7 * 44]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert 'id="gate"' in page
    assert "coverage of 50 % is 0.6063" in page


def test_where_the_gate_has_nobody_to_judge_it_says_nothing(
    series: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not (out / "verdicts.csv").exists()
    assert 'id="gate"' not in (out / "report.html").read_text(encoding="utf-8")
    assert main([*asked(series, tmp_path / "no", "--models", QUICK), "--champion", "best"]) == 1
    told = capsys.readouterr().err
    assert "--champion" in told
    assert "fix: name one of last_value, seasonal_naive, climatology" in told


@pytest.fixture(scope="module")
def awkward(series: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The series with texts that are called as the gate calls its own columns, and a name for each."""
    path = tmp_path_factory.mktemp("awkward") / "beds.csv"
    rows = pl.read_csv(series).with_columns(
        cutoff=pl.col("region"), theirs=pl.col("region"), covered50=pl.col("region"), feed=pl.col("region"),
        name=pl.col("unique_id"),
    )  # fmt: skip
    rows.write_csv(path)
    return path


def test_texts_of_any_name_make_subgroups_but_names_make_none(
    awkward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made_wide.py").write_text(WIDTHS.replace("SHARE", "1.2"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    out = tmp_path / "out"
    line = asked(awkward, out, "--models", "last_value,wide=made_wide:Model,mute=command:/no/such/prog")
    line += ["--baseline", "last_value", "--champion", "last_value"]
    line[line.index("--cutoffs") + 1] = "2023-03-01:2023-07-08:3D"
    assert main(line) == 0
    checks = set(pl.read_csv(out / "gate.csv")["check"])
    assert {check.split(", ")[1] for check in checks if "beyond the champion's, " in check} == {
        f"{kind}={value}" for kind in ("region", "cutoff", "theirs", "covered50", "feed") for value in "ns"
    }
    # Who answers nothing has an answer as well.
    verdicts = dict(pl.read_csv(out / "verdicts.csv").select("model", "reason").iter_rows())
    assert verdicts["mute"] == "mute answered nothing that could be scored"
    # What an earlier run left there is no answer of this one.
    quick = asked(awkward, out, "--models", "last_value", "--baseline", "last_value")
    assert main(quick) == 0
    assert not (out / "verdicts.csv").exists()
    assert not (out / "gate.csv").exists()


def test_scores_over_other_quantiles_are_not_compared(
    tmp_path: Path,
) -> None:
    """A submission with fewer quantiles than the champion seems to lose less: that is no evidence."""
    rows = toys.frame("W", 130, start="2022-01-01").drop("line")
    rows.with_columns(pl.from_epoch("ds", time_unit="us").dt.date()).write_csv(tmp_path / "weeks.csv")
    team = tmp_path / "hub" / "Other-team"
    team.mkdir(parents=True)
    lines = ["reference_date,target,horizon,target_end_date,location,output_type,output_type_id,value"]
    lines += [
        f"2024-03-02,wk inc flu hosp,0,2024-03-02,s01,quantile,{level},{20 + level}"
        for level in (0.25, 0.5, 0.75)
    ]
    (team / "2024-03-02-Other-team.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    line = [
        "--series", str(tmp_path / "weeks.csv"), "--freq", "W", "--horizon", "2", "--cutoffs", "2024-02-24",
        "--publication-lag", "0", "--models", "last_value", "--external", str(tmp_path / "hub"),
        "--out", str(out), "--champion", "last_value",
    ]  # fmt: skip
    assert main(line) == 0
    assert pl.read_csv(out / "verdicts.csv").rows() == [
        (
            "Other-team", "last_value", "not enough evidence",
            "Other-team says 3 quantiles, last_value 23: such scores cannot be compared",
        )
    ]  # fmt: skip
