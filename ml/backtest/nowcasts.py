"""The newest values beside what they became: as reported, and as the nowcast corrects them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..panel import Floats, Panel
from ..recipe.configuration import CONFIGURATIONS
from ..recipe.revisions import nowcast
from .table import Table
from .times import Cutoff

COLUMNS = (
    "age", "cells", "mae_as_reported", "mae_nowcast", "ratio", "bias_as_reported", "bias_nowcast", "reason",
)  # fmt: skip


@dataclass
class Nowcasts:
    """Newest values of every cutoff.

    Args:
        seen: per cutoff (names, columns of the table [age], as reported, as corrected [series, age]).
    """

    seen: list[tuple[tuple[str, ...], np.ndarray, Floats, Floats]] = field(default_factory=list)

    def see(self, panel: Panel, table: Table, cutoff: Cutoff) -> None:
        """Keep what a cutoff knew of its newest periods; nothing where no version tells of revisions."""
        if panel.versions is None:
            return
        ages = min(CONFIGURATIONS[panel.frequency].revisions + 1, panel.width)
        newest = table.column_at(cutoff.at) - np.arange(ages)
        # Age 0 is the cutoff's own period.
        reported = panel.y[:, ::-1][:, :ages]
        corrected = nowcast(panel, CONFIGURATIONS[panel.frequency].revisions)[:, ::-1][:, :ages]
        self.seen.append((panel.ids, newest, reported, corrected))

    def rows(self, table: Table, truth: Floats) -> list[tuple[Any, ...]]:
        """Return a row of COLUMNS per age in periods: errors against the later value, on the same cells.

        Args:
            truth: [series of the table, column].
        """
        of = {name: row for row, name in enumerate(table.ids)}
        ages = max((len(newest) for _, newest, _, _ in self.seen), default=0)
        found: list[tuple[Any, ...]] = []
        for age in range(ages):
            parts = []
            for names, newest, reported, corrected in self.seen:
                if age < len(newest):
                    later = truth[[of[name] for name in names], newest[age]]
                    parts.append(np.stack([later, reported[:, age], corrected[:, age]]))
            later, as_reported, corrected = np.concatenate(parts, axis=1)
            kept = np.isfinite(later) & np.isfinite(as_reported)
            if not kept.any():
                found.append((age, 0, *[None] * 5, "nothing is known of a period this young"))
                continue
            errors = [(one - later)[kept] for one in (as_reported, corrected)]
            size = [float(np.abs(one).mean()) for one in errors]
            bias = [float(one.mean()) for one in errors]
            ratio = size[1] / size[0] if size[0] > 0 else None
            reason = "" if ratio is not None else "values of this age were never revised"
            found.append((age, int(kept.sum()), *size, ratio, *bias, reason))
        return found
