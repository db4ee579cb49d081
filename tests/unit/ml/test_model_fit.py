"""Fitting and back-testing small frames: sorted, clipped at 0 alone, repeatable, blind to the future."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ml import fitting, forecasting, origins, pipeline, scores
from ml import model as models
from ml.data import Frames
from ml.eligibility import usable_rows
from ml.features import FeatureMaker
from ml.settings import DEMO, WHOLE, Settings
from ml.spine import microseconds
from tests.unit.ml.frames import FIRST, frame, spines, wave

pytestmark = pytest.mark.unit
SMALL = replace(DEMO, rows=3000, backtest_rows=2000, rounds=20)


@pytest.fixture(scope="module")
def fitted() -> tuple[Frames, models.QuantileModel]:
    """Twelve wards, 220 days, the last of them empty for long."""
    columns = {number: wave(220, 40.0 + 10 * number, seed=number) for number in range(1, 12)}
    columns[12] = np.zeros(220)
    data = frame(columns)
    found = fitting.fit([spines(data)[0].as_known(None)], SMALL, SMALL.rows)
    assert found is not None
    return data, found


def test_quantiles_are_sorted_and_never_negative(fitted: tuple[Frames, models.QuantileModel]) -> None:
    data, model = fitted
    grid = spines(data)[0].as_known(None)
    made = forecasting.forecast_grid(model, grid, SMALL)
    assert made is not None
    assert made.quantiles.shape == (12, 14, 7)
    assert (np.diff(made.quantiles, axis=2) >= 0).all()
    assert (made.quantiles >= 0).all()
    assert np.isfinite(made.quantiles).all()
    assert made.quantiles[11].max() < 1


def test_the_same_data_give_the_same_trees(fitted: tuple[Frames, models.QuantileModel]) -> None:
    data, model = fitted
    one_worker = replace(SMALL, workers=1)
    again = fitting.fit([spines(data)[0].as_known(None)], one_worker, SMALL.rows)
    assert again is not None
    assert pipeline.model_sha256({"day": again}) == pipeline.model_sha256({"day": model})


def test_a_saved_model_says_the_same(fitted: tuple[Frames, models.QuantileModel], tmp_path: Path) -> None:
    data, model = fitted
    models.save({"day": model}, tmp_path)
    grid = spines(data)[0].as_known(None)
    said = [forecasting.forecast_grid(one, grid, SMALL) for one in (model, models.load(tmp_path)["day"])]
    assert said[0] is not None
    assert said[1] is not None
    assert np.array_equal(said[0].quantiles, said[1].quantiles)


def test_a_department_at_120_percent_is_forecast_above_capacity() -> None:
    """Capacity 100, demand about 120: nothing may press the forecast down to what the beds allow."""
    columns = {number: wave(300, 120.0, seed=number, noise=5.0) for number in range(1, 9)}
    capacity = {number + 100: np.full(300, 100.0) for number in range(1, 9)}
    data = frame(
        {**columns, **capacity},
        place_id=[*range(1, 9), *range(1, 9)],
        unit="beds",
        measure=["occupied"] * 8 + ["staffed_capacity"] * 8,
        is_forecast=[True] * 8 + [False] * 8,
    )
    test = origins.run(spines(data), SMALL)
    table = {
        (score.model, score.metric): score.value
        for score in scores.table([test], SMALL.quantiles)
        if score.grain == "day"
    }
    said = np.concatenate([cells.quantiles[origins.OURS] for cells in test.cells])
    truth = np.concatenate([cells.truth for cells in test.cells])
    above = truth > 100
    assert above.mean() > 0.6
    # Calibrated above capacity, not only over all.
    inside = (truth >= said[:, 1]) & (truth <= said[:, 5])
    assert 0.7 <= inside[above].mean() <= 0.92
    assert said[:, 3].max() > 130
    assert (said[:, -1] > 100).mean() > 0.8
    assert table[origins.OURS, "relative_loss"] < 1


def test_a_panel_that_shrinks_is_no_fall_in_demand() -> None:
    """Case 22 drawn out: 100 hospitals at 84 beds each, of which 60 report from week 130 on."""
    weeks = 150
    units = np.where(np.arange(weeks) < 130, 100, 60)
    draws = np.random.default_rng(5)
    starts = [FIRST + timedelta(weeks=number) for number in range(weeks)]
    parts = []
    for number in range(1, 9):
        per_unit = 70.0 + 2 * number + draws.normal(0, 0.5, weeks)
        parts.append(pl.DataFrame({
            "series_id": [number] * weeks, "period_start": starts, "value": np.round(per_unit * units),
            "period_end": [start + timedelta(weeks=1) for start in starts], "reporting_units": units,
        }))  # fmt: skip
    data = Frames(pl.DataFrame({"series_id": range(1, 9), "grain": ["week"] * 8}), pl.concat(parts))
    spine = spines(data)[0]
    assert spine.is_panel.all()
    grid = spine.as_known(None)
    model = fitting.fit([grid], SMALL, SMALL.rows)
    assert model is not None
    made = forecasting.forecast_grid(model, grid, SMALL)
    assert made is not None
    middle = made.quantiles[:, :, 3] / 60
    # Per hospital it stays what it was; raw counts would have fallen by 40 % and be forecast to rise again.
    assert np.abs(middle - (70.0 + 2 * np.arange(1, 9))[:, None]).max() < 3
    assert forecasting.panels([grid]) == {str(number): 60.0 for number in range(1, 9)}


def test_case_22_reads_a_rate_and_not_a_fall() -> None:
    ends = [
        datetime(2024, 4, 21, tzinfo=UTC),
        datetime(2024, 4, 28, tzinfo=UTC),
        datetime(2024, 5, 5, tzinfo=UTC),
        datetime(2024, 5, 12, tzinfo=UTC),
        datetime(2024, 11, 10, tzinfo=UTC),
    ]
    data = Frames(
        pl.DataFrame({"series_id": [1], "grain": ["week"], "place_level": ["panel"]}),
        pl.DataFrame({
            "series_id": [1] * 5, "period_start": [end - timedelta(weeks=1) for end in ends], "period_end":
            ends,
            "value": [8400.0, 8350.0, 5010.0, 4960.0, 8600.0], "reporting_units": [100, 100, 60, 60, 101],
        }),
    )  # fmt: skip
    grid = spines(data)[0].as_known(None)
    rates = grid.y[0][~np.isnan(grid.y[0])]
    assert rates.round(2).tolist() == [84.0, 83.5, 83.5, 82.67, 85.15]
    at_may = spines(data)[0].as_known(microseconds(datetime(2024, 5, 13, tzinfo=UTC)))
    assert at_may.units.tolist() == [60.0]


@pytest.fixture(scope="module")
def two_versions() -> list[origins.Backtest]:
    """The same frame twice: in the second, everything known after the earliest cut is other."""
    columns = {number: wave(200, 30.0 + 10 * number, seed=number) for number in range(1, 9)}
    data = frame(columns)
    settings = _one_origin()
    spine = spines(data, settings)[0]
    cut = origins.cuts_of(spine, settings)[-1]
    draws = np.random.default_rng(99)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=cut)
    later = pl.col("known_at") > moment
    noise = pl.Series("noise", draws.integers(0, 9999, len(data._values)).astype(float))
    changed = data._values.with_columns(
        value=pl.when(later).then(noise).otherwise(pl.col("value"))
    )  # fmt: skip
    # And a correction of the past that comes after the cut.
    corrections = data._values.filter(~later).tail(300).with_columns(
        value=pl.lit(5555.0), known_at=pl.lit(moment + timedelta(seconds=1))
    )  # fmt: skip
    other = Frames(data.series(), pl.concat([changed, corrections]))
    return [origins.run(spines(one, settings), settings) for one in (data, other)]


def _one_origin() -> Settings:
    """Many origins: the earliest cut is the one that is looked at."""
    return replace(SMALL, grains={**SMALL.grains, "day": replace(SMALL.grains["day"], origins=5)})


def test_what_is_known_after_a_cut_changes_no_forecast_from_it(two_versions: list[origins.Backtest]) -> None:
    """Noise for all values and corrections after the cut: all forecasts stay bit for bit the same."""
    earliest = [max(test.cells, key=lambda cells: int(cells.origin[0])) for test in two_versions]
    assert (earliest[0].series_id == earliest[1].series_id).all()
    assert not np.array_equal(earliest[0].truth, earliest[1].truth)
    for model in origins.MODELS:
        assert np.array_equal(earliest[0].quantiles[model], earliest[1].quantiles[model]), model
        assert np.array_equal(earliest[0].points[model], earliest[1].points[model]), model


def test_every_model_is_scored_on_the_same_cells_of_five_origins(
    two_versions: list[origins.Backtest],
) -> None:
    test = two_versions[0]
    assert len(test.cuts["frame"]) == 5
    assert test.cuts["frame"] == sorted(test.cuts["frame"], reverse=True)
    table = scores.table([test], SMALL.quantiles)
    assert {score.cells for score in table if score.grain == "day"} == {8 * 14 * 5}
    assert {score.origins for score in table} == {5}


def test_knowing_later_makes_the_forecast_longer_and_worse() -> None:
    """The same values known six days late: the origin lies six days further back."""
    columns = {
        number: np.cumsum(np.random.default_rng(number).normal(0, 3, 260)) + 200 for number in range(1, 9)
    }
    early = frame(columns)
    late = Frames(early.series(), early._values.with_columns(known_at=pl.col("known_at") + timedelta(days=6)))
    settings = _one_origin()
    moment = microseconds(FIRST + timedelta(days=200))
    grids = [spines(one, settings)[0].as_known(moment) for one in (early, late)]
    assert grids[0].last[0] - grids[1].last[0] == 6
    error = []
    for grid in grids:
        maker = FeatureMaker(grid, settings.grains["day"], [], power=1)
        rows = usable_rows(grid, settings)
        from ml import baselines

        points = baselines.persistence(maker, rows, grid.last[rows])
        error.append(np.mean([np.abs(points[at] - columns[at + 1][201:207]).mean() for at in range(8)]))
    assert error[1] > error[0]


def test_settings_survive_json_and_refuse_nonsense() -> None:
    for settings in (DEMO, WHOLE):
        assert Settings.from_json(settings.as_json()) == settings
        assert len(settings.fingerprint()) == 12
    assert len(WHOLE.quantiles) == 23
    assert {0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975} <= set(WHOLE.quantiles)
    with pytest.raises(ValueError, match="ascend"):
        replace(DEMO, quantiles=(0.5, 0.1))


def test_importing_the_package_is_light() -> None:
    heavy = ("mlflow", "lightgbm", "pandas", "polars", "matplotlib", "airflow", "numpy")
    code = f"import sys, ml; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_short_history_has_its_five_origins_close_together() -> None:
    """Sixty days with a horizon of fourteen: the usual step of nine days would leave four origins."""
    (spine,) = spines(frame({number: wave(60, 40.0 + number, seed=number) for number in range(1, 9)}))
    cuts = origins.cuts_of(spine, SMALL)
    assert len(cuts) == 5
    assert len(set(np.diff(cuts))) == 1


def test_a_short_history_is_not_all_kept_out_of_training() -> None:
    """Sixty days, of which fifty-six would be kept for calibration: a third is."""
    short = frame({number: wave(60, 40.0 + number, seed=number) for number in range(1, 9)})
    found = fitting.fit([spines(short)[0].as_known(None)], SMALL, SMALL.rows)
    assert found is not None
    assert found.rows >= fitting.FEWEST_ROWS
