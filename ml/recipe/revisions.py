"""Nowcast: the newest values as they will stand once revised, learned from how earlier ones were revised."""

from __future__ import annotations

import numpy as np

from ..panel import Floats, Panel, Versions

# A cell's revision weighs half after so many periods.
HALF_LIFE = {"H": 7 * 24, "D": 28, "W": 5, "M": 6}
# A series' own revisions are drawn towards all series' as if so many middling series had been revised so.
DRAWN_TOWARDS_ALL = 4.0
LARGEST = 0.7  # of the log ratio: more is another definition, not a late report
LOOKBACK = 6  # half-lives


def nowcast(panel: Panel, ages: int) -> Floats:
    """Return y with values younger than `ages` periods multiplied by how such values used to be revised.

    For each age the factor is the mean log ratio of today's value to the one that was known when the cell had
    that age, over cells that are older than `ages` now: recent ones weigh more, large ones weigh by the root
    of their size, and each series is drawn towards all (after the chain ladder of late reports, Mack 1993).
    Values are left as they are where no version tells of revisions.
    """
    versions = panel.versions
    if versions is None or not len(versions.known):
        return panel.y
    corrected: Floats = np.array(panel.y, dtype=float)
    periods = _period_at(panel, versions.known)
    # What becomes known the day after its day is a day old when it comes: its own period has no value yet.
    now = int(_period_at(panel, np.array([panel.cutoff]))[0])
    for age in range(ages + 1):
        column = now - age
        if not 0 <= column < panel.width:
            continue
        factor = _factors(panel, versions, periods, age, now, ages)
        if factor is None:
            continue
        corrected[:, column] = (corrected[:, column] + 1) * np.exp(factor) - 1
    return np.where(np.isnan(panel.y), np.nan, np.maximum(corrected, 0.0))


def _period_at(panel: Panel, moments: np.ndarray) -> np.ndarray:
    """Return [moment] the newest column, targets among them, whose period had begun to count by then."""
    ends = panel.times.astype("datetime64[us]").astype(np.int64)
    found: np.ndarray = np.searchsorted(ends, moments, side="right") - 1
    return found


def _factors(
    panel: Panel, versions: Versions, periods: np.ndarray, age: int, now: int, ages: int
) -> Floats | None:
    """Return [series] log factors for cells of one age; None where no revision of such was seen."""
    count, width = len(panel.ids), panel.width
    half_life = HALF_LIFE[panel.frequency]
    # The last version of each cell that was known when it had this age; versions are in order of known.
    then = periods - versions.column <= age
    old = versions.column < now - ages
    recent = versions.column >= now - ages - LOOKBACK * half_life
    kept = np.flatnonzero(then & old & recent)
    early = np.full((count, width), np.nan)
    early[versions.row[kept], versions.column[kept]] = versions.value[kept]
    # Cells that first became known in bulk, long after, tell of no revision.
    both = ~np.isnan(early) & ~np.isnan(panel.y)
    if not both.any():
        return None
    ratio = np.log((np.where(both, panel.y, 0.0) + 1) / (np.where(both, early, 0.0) + 1))
    back = now - np.arange(width)
    weight = np.where(both, 0.5 ** (back / half_life)[None, :] * np.sqrt(np.nan_to_num(early) + 1), 0.0)
    own, total = (weight * np.clip(ratio, -LARGEST, LARGEST)).sum(axis=1), weight.sum(axis=1)
    prior = DRAWN_TOWARDS_ALL * float(np.median(total[total > 0]))
    found: Floats = (own + prior * own.sum() / total.sum()) / (total + prior)
    return found
