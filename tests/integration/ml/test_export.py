"""A scoring run of the warehouse becomes a submission; what has no place in one is told or refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from caregrid.cli import main

from ml.evaluation import hub

pytestmark = pytest.mark.integration

TARGET = "wk inc flu hosp"
LEVELS = (0.025, 0.5, 0.975)
CORE = """
create schema if not exists core;
create table core.dim_place (place_id bigint primary key, place_level text, code text);
create table core.dim_series (series_id bigint primary key, feed text, place_id bigint, measure text,
    grain text, timezone text);
grant usage on schema core to caregrid_model;
grant select on all tables in schema core to caregrid_model;
insert into core.dim_place values (1, 'region', '01'), (2, 'region', '02'), (3, 'country', 'US');
insert into core.dim_series
select series_id, feed, place_id, measure, grain, 'America/New_York' from (values
    (11, 'flu', 1, 'admissions', 'week'), (12, 'flu', 2, 'admissions', 'week'),
    (13, 'flu', 3, 'admissions', 'week'), (14, 'flu', 3, 'deaths', 'week'),
    (15, 'hours', 1, 'occupied', 'hour')
) as made (series_id, feed, place_id, measure, grain);
"""
RUN = """insert into model_output.run (run_id, kind, model_name, model_version, made_at, as_of, known_at_cut,
    code_version, lock_sha256, load_ids) values (%s, %s, 'm', '1', %s, %s, %s, 'c', 'l', '{}')"""
# The week that ends on Saturday the 23rd ends at the midnight after it in New York.
WEEK = datetime(2024, 11, 24, 5, tzinfo=UTC)


def fill(connection: Any, run_id: str, series: dict[int, int], step: timedelta = timedelta(weeks=1)) -> None:
    """Store a run; {series_id: weeks that its first period lies behind}; a value tells series and week."""
    made = datetime(2024, 11, 20, len(run_id), tzinfo=UTC)
    connection.execute(RUN, (run_id, "score", made, made, made))
    for series_id, late in series.items():
        for horizon in range(1, 4):
            end = WEEK + (horizon - 1 - late) * step
            for place, level in enumerate(LEVELS):
                connection.execute(
                    "insert into model_output.forecast values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                    (run_id, series_id, end - step, end, horizon, level, series_id * 10 + place, made, made),
                )


@pytest.fixture(scope="module")
def stored(warehouse_module: Any) -> Any:
    """A warehouse with an older and a newer scoring run of a weekly feed, and one of an hourly feed."""
    with warehouse_module.connect("owner") as connection:
        connection.execute(CORE)
        fill(connection, "old", {11: 0})
        # 02 was known a week less far than 01
        fill(connection, "newer", {11: 0, 12: 1})
        fill(connection, "all", {13: 0, 14: 0})
        fill(connection, "h", {15: 0}, timedelta(hours=1))
        connection.execute(
            "insert into model_output.series_left_out values ('newer', 13, 'too_short', 'three weeks')"
        )
    return warehouse_module


def export(out: Path, *more: str) -> int:
    return main(["forecast", "export", "--hub", "--target", TARGET, "--out", str(out), *more])


def test_the_newest_run_becomes_a_submission(
    stored: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(tmp_path, "--feed", "flu", "--name", "Ours-m") == 0
    told = capsys.readouterr().out
    assert "run newer, reference date 2024-11-23" in told
    assert "left out: series not forecast: too_short: 1" in told
    assert f"left out: rows about periods before the reference date: {len(LEVELS)}" in told
    assert [path.name for path in tmp_path.rglob("*.csv")] == ["2024-11-23-Ours-m.csv"]
    found = hub.read(tmp_path)
    assert found.rows["model"].unique().to_list() == ["Ours-m"]
    cells = found.rows.filter(pl.col("quantile") == 0.5).sort("unique_id", "hub_horizon")
    assert cells.select("unique_id", "hub_horizon", pl.col("ds").dt.date(), "value").rows() == [
        ("01", 0, date(2024, 11, 23), 111), ("01", 1, date(2024, 11, 30), 111),
        ("01", 2, date(2024, 12, 7), 111),
        # the late one starts a week earlier, so that its last week is the hub's second
        ("02", 0, date(2024, 11, 23), 121), ("02", 1, date(2024, 11, 30), 121),
    ]  # fmt: skip


def test_a_named_run_and_date(stored: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(tmp_path, "--feed", "flu", "--run", "old", "--reference-date", "2024-11-30") == 0
    assert "reference date 2024-11-30" in capsys.readouterr().out
    rows = pl.read_csv(
        tmp_path / "CareGrid-caregrid" / "2024-11-30-CareGrid-caregrid.csv", infer_schema=False
    )
    assert tuple(rows.columns) == hub.COLUMNS
    assert rows["horizon"].unique().sort().to_list() == ["0", "1"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--feed", "absent"), "holds no forecast of feed absent"),
        (("--feed", "flu", "--run", "none"), "run none holds no forecast"),
        (("--feed", "flu", "--run", "all"), "2 series stand for location US"),
        (("--feed", "hours", "--run", "h"), "its forecasts are by hour"),
        (("--feed", "flu", "--reference-date", "2024-11-22"), "ends on 2024-11-22"),
        (("--feed", "flu", "--reference-date", "2025-11-22"), "no forecast is about the period"),
        (("--feed", "flu", "--model", "x"), "--model goes with --forecasts"),
        (("--forecasts", "nothing.parquet"), "nothing.parquet"),
    ],
)
def test_what_cannot_be_a_submission_is_refused_in_words(
    stored: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], told: str
) -> None:
    assert export(tmp_path, *more) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "fix:" in error
    assert not list(tmp_path.iterdir())


def test_a_measure_tells_two_series_apart(stored: Any, tmp_path: Path) -> None:
    assert export(tmp_path, "--feed", "flu", "--run", "all", "--measure", "deaths") == 0
    assert hub.read(tmp_path).rows.filter(pl.col("quantile") == 0.5)["value"].unique().to_list() == [141]


def test_a_back_test_s_file_is_exported_too(tmp_path: Path) -> None:
    moment = datetime.fromisoformat("2024-11-16")
    rows = [
        ("01", moment, moment + timedelta(weeks=step), step, "mine", level, 5.0)
        for step in (1, 2) for level in LEVELS
    ]  # fmt: skip
    columns = ["unique_id", "cutoff", "ds", "horizon", "model", "quantile", "value"]
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(tmp_path / "forecasts.parquet")
    file = str(tmp_path / "forecasts.parquet")
    assert export(tmp_path / "out", "--forecasts", file, "--model", "mine", "--name", "A-b") == 0
    assert [path.name for path in (tmp_path / "out").rglob("*.csv")] == ["2024-11-23-A-b.csv"]
