"""What a run leaves beside its forecasts: how it was asked and made, and the truth that it is scored on."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import versions
from ..panel import WHOLE_QUANTILES
from . import hierarchy
from .files import FORECASTS, PATHS, unfinished
from .rolling import Plan, Told
from .table import Table
from .times import Cutoff

if TYPE_CHECKING:
    import polars as pl

LIBRARIES = ("numpy", "polars", "lightgbm", "statsforecast", "mlforecast", "scikit-learn", "scipy")


def asked_of(options: argparse.Namespace, cutoffs: list[Cutoff]) -> dict[str, Any]:
    """Return everything that the run was asked, as JSON can hold it."""
    asked = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in vars(options).items()
        if name != "leak_check"
    }
    digest = hashlib.sha256()
    with options.series.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return asked | {
        "data_sha256": digest.hexdigest(),
        "quantiles": list(WHOLE_QUANTILES),
        "cutoffs_made": [str(cutoff) for cutoff in cutoffs],
    }


def info_of(
    options: argparse.Namespace,
    baseline: str,
    asked: dict[str, Any],
    table: Table,
    told: Told,
    absent: dict[str, str],
    plan: Plan,
    seconds: float,
) -> dict[str, Any]:
    """Return what a reader must know to judge and repeat the run."""
    libraries = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            libraries[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            libraries[name] = "absent"
    failed: dict[str, int] = {}
    for _, model, series, _, _ in told.unanswered:
        if model and not series:
            failed[model] = failed.get(model, 0) + 1
    return {
        "asked": asked,
        "finished": True,
        "baseline": baseline,
        "frequency": options.freq,
        "counts_of_events": options.counts_of_events,
        "series": len(table.ids),
        "versions": len(table.known),
        "first": str(table.times(0, 1)[0]),
        "last": str(table.times(table.width - 1, 1)[0]),
        "vintages_assumed": table.vintages_assumed,
        "notes": list(table.notes),
        "absent_models": absent,
        "failed_at_cutoffs": failed,
        "answered_cells": told.answered,
        "cells_put_in_order": told.crossed,
        "seconds": {
            name: {"fit": round(fit, 3), "predict": round(predict, 3), "write_and_paths": round(rest, 3)}
            for name, (fit, predict, rest) in told.seconds.items()
        },
        "seconds_in_all": round(seconds, 1),
        "fingerprints": told.fingerprints,
        "paths_of": list(plan.paths_of),
        "sums_in_the_table_itself": list(plan.sums.told),
        "parts": {name: members for name, members in told.parts.items() if members},
        "code_version": versions.code_version(),
        "lock_sha256": versions.lock_sha256(),
        "libraries": libraries,
    }


def begin(options: argparse.Namespace, asked: dict[str, Any]) -> None:
    """Make the directory ready: what an earlier run left there is taken away, unless it is to be reused.

    How the run was asked is written before it begins, so that a later one can go on where this one broke off.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    if options.reuse is None or options.reuse.resolve() != options.out.resolve():
        for name in (FORECASTS, PATHS):
            for path in (options.out / name, unfinished(options.out / name)):
                path.unlink(missing_ok=True)
    write_info(options.out, {"asked": asked, "finished": False})


def write_info(out: Path, info: dict[str, Any]) -> None:
    """Write run.json."""
    (out / "run.json").write_text(json.dumps(info, indent=1, ensure_ascii=False), encoding="utf-8")


def write_frames(
    options: argparse.Namespace, table: Table, told: Told, plan: Plan, as_of: int | None
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Write and return what scores need beside the forecasts.

    Returns:
        truth (unique_id, ds, y), history (unique_id, cutoff, naive_error), capacity (unique_id, cutoff,
        capacity).
    """
    import polars as pl

    truth = table.truth(as_of)
    rows = table.frame(truth)
    if plan.sums.ids:
        totals = hierarchy.summed(table, plan.sums, truth)
        rows = pl.concat([rows, table.frame(totals, plan.sums.ids)])

    def at_cutoffs(column: str, found: list[tuple[str, Cutoff, float]]) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "unique_id": pl.Series([one[0] for one in found], dtype=pl.String),
                "cutoff": pl.Series(np.array([one[1].label for one in found], dtype="datetime64[us]")),
                column: pl.Series([one[2] for one in found], dtype=pl.Float64),
            }
        )

    history, capacity = at_cutoffs("naive_error", told.naive), at_cutoffs("capacity", told.capacity)
    for name, frame in (("truth", rows), ("history", history), ("capacity", capacity)):
        frame.write_parquet(options.out / f"{name}.parquet")
    return rows, history, capacity


def any_truth(forecasts: Path, truth: pl.DataFrame) -> bool:
    """Return whether the truth of any target is known: of forecasts from the table's end it is not."""
    import polars as pl

    targets = pl.scan_parquet(forecasts).select("unique_id", "ds").unique().collect()
    return bool(len(targets.join(truth, on=["unique_id", "ds"], how="semi")))
