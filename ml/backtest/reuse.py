"""Forecasts of an earlier run on the same data, so that only what changed is computed anew."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from caregrid.errors import CareGridError

from ..panel import Floats, Forecaster, Panel
from .files import FORECASTS, unfinished
from .times import Cutoff

# What an earlier run must have in common with this one.
SAME = (
    "data_sha256", "freq", "horizon", "known_at", "known_in_advance", "publication_lag", "capacity", "static",
    "time_zone", "quantiles",
)  # fmt: skip


def source(folder: Path) -> Path:
    """Return the forecasts of a run, also of one that broke off."""
    whole = folder / FORECASTS
    return whole if whole.is_file() else unfinished(whole)


def check(folder: Path, asked: dict[str, Any]) -> None:
    """Refuse an earlier run that was made of other data or asked otherwise.

    Raises:
        CareGridError: naming what differs.
    """
    try:
        made = json.loads((folder / "run.json").read_text(encoding="utf-8"))["asked"]
        found = source(folder).is_file()
    except (OSError, ValueError, KeyError):
        found = False
    if not found:
        raise CareGridError(
            "holds no run",
            where=f"--reuse {folder}",
            fix="name the --out directory of an earlier run",
        )
    other = [name for name in SAME if made.get(name) != asked.get(name)]
    if other:
        raise CareGridError(
            f"was made with another {', '.join(other)}",
            where=f"--reuse {folder}",
            fix="run without --reuse, or as the earlier run was asked",
        )


@dataclass
class Reused:
    """A model whose forecasts are read from an earlier run, and made where that one had none.

    Its paths are made of its quantiles, as those of any model that draws none itself.

    Args:
        cutoffs: {what was known by: cutoff}.
    """

    inner: Forecaster
    folder: Path
    cutoffs: dict[int, Cutoff]
    reasons: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = self.inner.name

    def fit(self, panel: Panel) -> Reused:
        """Learn nothing: a cutoff that has to be made is fitted where it is asked for."""
        return self

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        """Return [series, horizon, quantile] of the earlier run, or made now for a cutoff that it had not."""
        import polars as pl

        cutoff = self.cutoffs[panel.cutoff]
        mine = (pl.col("model") == self.name) & (
            pl.col("cutoff") == pl.lit(cutoff.label).cast(pl.Datetime("us"))
        )
        rows = pl.scan_parquet(source(self.folder)).filter(mine).collect()
        place = {name: row for row, name in enumerate(panel.ids)}
        series = np.array([place.get(name, -1) for name in rows["unique_id"].to_list()], dtype=int)
        if not (series >= 0).any():
            fitted = self.inner.fit(panel)
            said = fitted.predict(panel, quantiles)
            self.reasons = dict(getattr(fitted, "reasons", None) or {})
            return said
        self.reasons = dict.fromkeys(panel.ids, "no answer in the run that was reused")
        level = np.searchsorted(np.asarray(quantiles) - 1e-9, rows["quantile"].to_numpy(), side="right") - 1
        out = np.full((len(panel.ids), panel.horizon, len(quantiles)), np.nan)
        known = series >= 0
        out[series[known], rows["horizon"].to_numpy()[known] - 1, level[known]] = rows["value"].to_numpy()[
            known
        ]
        return out
