"""A lone value many times those around it is no value: it would rule its series for months."""

from __future__ import annotations

import numpy as np
import pytest

from ml.recipe.slips import slips
from tests.unit.ml.recipe import panels

pytestmark = pytest.mark.unit


def test_a_lone_value_is_a_slip_and_what_lasts_or_is_newest_is_none() -> None:
    y = np.array(
        [
            [50, 5000, 50, 52, 51, 50],
            [50, 5000, 5000, 52, 51, 50],
            [50, 51, 50, 52, 51, 5000],
            # Its zeros are the slips: what stands between them is the usual.
            [0, 208, 0, 210, 205, 207],
            [1, 0, 90, 0, 2, 1],
            [50, np.nan, 5000, np.nan, 51, 50],
        ],
        dtype=float,
    )
    assert np.argwhere(slips(y)).tolist() == [[0, 1], [5, 2]]


@pytest.mark.parametrize("back", [20, 120])
def test_a_slip_of_months_ago_moves_no_forecast(back: int) -> None:
    y = panels.census(6, 300)[0]
    known = panels.panel(y, 14)
    clean = panels.small().fit(known).predict(known, (0.1, 0.5, 0.9))
    spoiled = y.copy()
    spoiled[2, -back] = 5000
    panel = panels.panel(spoiled, 14)
    fitted = panels.small().fit(panel)
    said = fitted.predict(panel, (0.1, 0.5, 0.9))
    assert np.abs(said - clean)[2].max() < 0.05 * clean[2].mean()
    assert "taken for slips" in fitted.how["s02"]
    assert "taken for slips" not in fitted.how.get("s03", "")
