"""On real emergency departments: beat seasonal naive by much, and a list of who is full with the risks."""

from __future__ import annotations

import polars as pl
import pytest
from caregrid.paths import feeds_base

from ml.warehouse import scores, tested
from ml.warehouse.data import Frames
from ml.warehouse.settings import DEMO
from ml.warehouse.spine import build_spines

pytestmark = pytest.mark.integration
FILE = feeds_base() / "ca_quebec_ed_hourly" / "quebec_ed_hourly.csv.gz"


def test_hourly_departments_of_quebec() -> None:
    if not FILE.is_file():
        pytest.skip("the mirror of the feeds is not beside this checkout")
    table = pl.read_csv(FILE, infer_schema_length=0).with_columns(
        period_start=pl.col("published_at")
        .str.to_datetime("%Y-%m-%dT%H:%M", time_unit="us")
        .dt.replace_time_zone("America/Toronto", ambiguous="earliest", non_existent="null")
        .dt.convert_time_zone("UTC"),
        place_id=pl.col("permit_id").cast(pl.Int64),
    )
    columns = {"occupied_stretchers": "occupied", "functional_stretchers": "capacity"}
    long = table.unpivot(
        list(columns), index=["place_id", "period_start"], variable_name="measure", value_name="value"
    ).with_columns(
        pl.col("measure").replace_strict(columns), pl.col("value").cast(pl.Float64, strict=False)
    )  # fmt: skip
    series = (
        long.select("place_id", "measure").unique().sort("place_id", "measure").with_row_index("series_id")
    )
    values = long.join(series, on=["place_id", "measure"]).drop_nulls("period_start")
    named = series.with_columns(
        grain=pl.lit("instant"), timezone=pl.lit("America/Toronto"), country_code=pl.lit("CA"),
        is_forecast=pl.col("measure") == "occupied",
    )  # fmt: skip
    data = Frames(named, values.select("series_id", "period_start", "value"))
    history = {grain: one.configuration.history for grain, one in DEMO.grains.items()}
    (spine,) = build_spines(data.series(), data._values, history)
    test = tested.run(spine, DEMO)
    assert test is not None
    found = {(score.model, score.metric): score for score in scores.table([test]) if score.grain == "hour"}
    loss = found[tested.OURS, "relative_loss"]
    assert loss.cells > 5000
    assert loss.origins >= 5
    assert (loss.value or 9) < 0.75
    assert 0.92 <= (found[tested.OURS, "coverage_95"].value or 0) <= 0.98
    assert 0.75 <= (found[tested.OURS, "coverage_80"].value or 0) <= 0.87
    assert (found[tested.OURS, "brier_skill_vs_persistence"].value or 0) > 0.4
    assert (found[tested.OURS, "brier_skill_vs_past_share"].value or 0) > 0
