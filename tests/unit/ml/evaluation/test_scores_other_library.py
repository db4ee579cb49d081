"""The same figures by another implementation: utilsforecast."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from utilsforecast import losses

from ml.evaluation import scores

pytestmark = pytest.mark.unit

LEVELS = (
    0.01, 0.025, *(round(0.05 * number, 2) for number in range(1, 20)), 0.975, 0.99,
)  # fmt: skip
SERIES, STEPS, PAST, SEASON = 5, 14, 60, 7
START = datetime.fromisoformat("2024-01-01")


@pytest.fixture(scope="module")
def made() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return past and truth as unique_id, ds, y, wide forecasts, and the same long."""
    random = np.random.default_rng(7)
    y = random.poisson(20, (SERIES, PAST + STEPS)).astype(float)
    times = [START + timedelta(days=number) for number in range(PAST + STEPS)]
    names = [f"s{number}" for number in range(SERIES)]
    whole = pl.DataFrame(
        {"unique_id": np.repeat(names, len(times)), "ds": times * SERIES, "y": y.ravel()},
    )
    cutoff = times[PAST - 1]
    said = np.sort(random.normal(20, 6, (SERIES, STEPS, len(LEVELS))), axis=2)
    future = whole.filter(pl.col("ds") > cutoff)
    columns = {f"q{level}": said[:, :, at].ravel() for at, level in enumerate(LEVELS)}
    wide = future.with_columns(**{name: pl.Series(values) for name, values in columns.items()})
    long = pl.DataFrame(
        {
            "unique_id": np.repeat(names, STEPS * len(LEVELS)),
            "cutoff": [cutoff] * said.size,
            "ds": np.tile(np.repeat(np.array(times[PAST:], dtype="datetime64[us]"), len(LEVELS)), SERIES),
            "horizon": np.tile(np.repeat(np.arange(1, STEPS + 1), len(LEVELS)), SERIES),
            "model": ["m"] * said.size,
            "quantile": np.tile(LEVELS, SERIES * STEPS),
            "value": said.ravel(),
        }
    )
    return whole.filter(pl.col("ds") <= cutoff), future, wide, long


def test_errors_coverage_and_interval_score_agree(
    made: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame],
) -> None:
    past, future, wide, long = made
    lagged = past.with_columns(apart=(pl.col("y") - pl.col("y").shift(SEASON).over("unique_id")).abs())
    errors = lagged.group_by("unique_id").agg(naive_error=pl.col("apart").mean())
    cutoff = long["cutoff"][0]
    found = scores.score_table(long, future, errors.with_columns(cutoff=pl.lit(cutoff)), "m").row(
        0, named=True
    )
    point = wide.with_columns(m=pl.col("q0.5"))

    def theirs(frame: pl.DataFrame, column: str = "m") -> float:
        return float(frame[column].mean())  # type: ignore[arg-type]

    assert found["mae"] == pytest.approx(theirs(losses.mae(point, ["m"])))
    assert found["rmse"] ** 2 == pytest.approx(theirs(losses.mse(point, ["m"])))
    assert found["mape"] == pytest.approx(theirs(losses.mape(point, ["m"])))
    assert found["mase"] == pytest.approx(theirs(losses.mase(point, ["m"], SEASON, past)))
    assert found["bias"] == pytest.approx(theirs(losses.bias(point, ["m"])))
    for level in (50, 80, 95):
        low, high = (f"q{(100 + sign * level) / 200:g}" for sign in (-1, 1))
        interval = wide.with_columns(pl.col(low).alias(f"m-lo-{level}"), pl.col(high).alias(f"m-hi-{level}"))
        assert found[f"cov{level}"] == pytest.approx(theirs(losses.coverage(interval, ["m"], level)))
    pinball = [theirs(losses.quantile_loss(wide, {"m": f"q{level}"}, q=level)) for level in LEVELS]
    assert found["wis"] == pytest.approx(2 * float(np.mean(pinball)))
