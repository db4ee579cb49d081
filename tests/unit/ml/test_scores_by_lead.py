"""The back-test tells our loss by how far ahead: what comes true of forecasts is held against it."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from ml.evaluation.reading import read
from ml.warehouse.scores import TOLD_LEADS, at_lead, table
from ml.warehouse.tested import Tested
from tests.unit.ml.evaluation import tables

pytestmark = pytest.mark.unit

LEVELS = (0.1, 0.5, 0.9)


def test_our_scaled_loss_is_told_by_lead_over_whole_grains() -> None:
    """All quantiles on one value: the interval score is the absolute error, here the lead or four of it."""
    parts, truths = [], {}
    for days in (0, 7):
        cutoff = tables.CUTOFF + timedelta(days=days)
        cells = {
            (name, lead): [10.0 + lead * size] * 3
            for name, size in (("a", 1), ("b", 4))
            for lead in (1, 2, 3)
        }
        parts.append(
            tables.forecasts({"caregrid": (LEVELS, cells), "seasonal_naive": (LEVELS, cells)}, cutoff)
        )
        truths[days] = tables.truth(dict.fromkeys(cells, 10.0), cutoff)
    forecasts, truth = pl.concat(parts), pl.concat(truths.values())
    scale = forecasts.select("unique_id", "cutoff").unique()
    scale = scale.with_columns(naive_error=pl.when(pl.col("unique_id") == "a").then(1.0).otherwise(2.0))
    cells_read = read(forecasts, truth, scale)
    tested = Tested("day", "wards", [0, 7], cells_read, truth.select("unique_id").unique(), False)
    found = {
        (one.model, one.grain, one.metric): (one.value, one.cells)
        for one in table([tested])
        if one.metric.startswith(at_lead(0)[:-1])
    }
    # Series a loses the lead, b twice the lead, in units of their naive errors.
    assert found == {
        ("caregrid", "day", at_lead(1)): (pytest.approx(1.5), 4),
        ("caregrid", "day", at_lead(2)): (pytest.approx(3.0), 4),
    }
    assert {1, 2} < set(TOLD_LEADS)
    assert 3 not in TOLD_LEADS
