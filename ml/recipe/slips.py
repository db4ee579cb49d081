"""Values that stand alone, many times over all around them: slips of the pen, which would rule for months."""

from __future__ import annotations

import numpy as np

from ..panel import Floats, last_known

TIMES = 10.0  # of the larger of both neighbours and of the usual value
ALLOWED = 10.0  # counts that a small number may jump to


def slips(y: Floats) -> np.ndarray:
    """Return [series, period] whether a value is more than tenfold its neighbours and the series' median.

    Neighbours are the last value before and the next one after, whatever is missing between. The newest value
    has no next one and is taken as it is: a surge begins so. What lasts for two periods is no slip either.
    """
    before = np.full_like(y, np.nan)
    before[:, 1:] = last_known(y)[:, :-1]
    after = np.full_like(y, np.nan)
    after[:, :-1] = last_known(y[:, ::-1])[:, ::-1][:, 1:]
    around = np.maximum(before, after)
    found = np.zeros(y.shape, dtype=bool)
    for row in np.flatnonzero((y > TIMES * (around + ALLOWED)).any(axis=1)):
        usual = float(np.nanmedian(y[row]))
        found[row] = y[row] > TIMES * (np.maximum(around[row], usual) + ALLOWED)
    return found
