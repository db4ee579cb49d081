"""What a reader of paths may rely on: none missing, as the forecast says, and totals that add up."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cells import Floats


class Checks:
    """What holds of the paths of one model, cutoff by cutoff."""

    def __init__(self) -> None:
        self.fewest, self.without, self.targets, self.below, self.broken = 0, 0, 0, 0, 0
        self.apart: list[float] = []
        self.sums, self.worst = 0, 0.0

    def see(
        self, drawn: Floats, point: Floats, ids: tuple[str, ...], parts: dict[str, list[str]] | None
    ) -> None:
        """Take in [path, series, step] draws of a cutoff beside the medians [series, step]."""
        self.fewest = min(self.fewest or len(drawn), len(drawn))
        there = np.isfinite(drawn)
        full, none = there.all(axis=0), ~there.any(axis=0)
        wanted = np.isfinite(point)
        self.targets += int(wanted.sum())
        self.without += int((wanted & none).sum())
        self.broken += int((~full & ~none).sum())
        self.below += int((drawn < 0).sum())
        both = wanted & full
        if both.any():
            cell = drawn[:, both]
            low, middle, high = np.quantile(cell, (0.025, 0.5, 0.975), axis=0)
            self.apart += (np.abs(middle - point[both]) / np.where(high > low, high - low, np.nan)).tolist()
        at = {name: number for number, name in enumerate(ids)}
        for total, summed in (parts or {}).items():
            if total in at and summed and all(name in at for name in summed):
                whole, added = drawn[:, at[total]], drawn[:, [at[name] for name in summed]].sum(axis=1)
                known = np.isfinite(whole) & np.isfinite(added)
                self.sums += int(known.sum())
                if known.any():
                    gap = np.abs(whole - added)[known] / np.maximum(np.abs(whole[known]), 1.0)
                    self.worst = max(self.worst, float(gap.max()))

    def miss(self, point: Floats) -> None:
        """Take in the medians of cutoffs that have no path at all."""
        wanted = int(np.isfinite(point).sum())
        self.targets += wanted
        self.without += wanted

    def rows(self, model: str) -> list[tuple[Any, ...]]:
        """Return model, check, number of cases and value."""
        apart = np.array(self.apart)
        known = np.isfinite(apart)
        found: list[tuple[Any, ...]] = [
            (model, "fewest paths of a cutoff", self.targets, float(self.fewest)),
            (model, "forecast cells without any path", self.targets, float(self.without)),
            (model, "cells with some paths missing", self.targets, float(self.broken)),
            (model, "values below 0", self.targets, float(self.below)),
        ]
        if known.any():
            text = "median of paths off the forecast's, in widths of the 95 % interval"
            found.append((model, text, int(known.sum()), float(apart[known].mean())))
        if self.sums:
            text = "largest difference of a total and the sum of its parts, path by path, share of it"
            found.append((model, text, self.sums, self.worst))
        return found
