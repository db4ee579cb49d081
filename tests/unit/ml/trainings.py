"""A small training made in code: models, a back-test with its scores and risks, and a verdict."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from ml.evaluation.reading import read
from ml.gate.promotion import PROMOTED, Verdict
from ml.recipe.model import NO_VALUE, FittedCareGrid
from ml.tracking.card import Training
from ml.warehouse.eligibility import LeftOut
from ml.warehouse.scores import table
from ml.warehouse.tested import RiskCells, Tested
from tests.unit.ml.recipe.panels import census, panel, small

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
WIDTHS = {"caregrid": 4.0, "seasonal_naive": 6.0, "last_value": 7.0, "climatology": 9.0, "champion": 5.0}
FIRST = datetime.fromisoformat("2024-01-01")
GATE = {
    "grain": "day", "check": "loss beyond the champion's, region=NW", "value": -0.02, "low": -0.05,
    "high": 0.01, "limit": "not beyond 0.05 at the lower end", "cells": 260, "cutoffs": 32, "passed": True,
}  # fmt: skip


def fitted(series: int = 4) -> FittedCareGrid:
    """Return a model that a few series taught."""
    y, _, _ = census(series, 400)
    return small(2000, 10).fit(panel(y, 7, static={"measure": np.array(["occupied"] * series)}))


def back_test(
    feed: str, models: tuple[str, ...], cutoffs: int = 6, series: int = 4, horizon: int = 3, seed: int = 5
) -> Tested:
    """Return a back-test in which errors are as wide as WIDTHS says; our model lacks one cell."""
    draws = np.random.default_rng(seed)
    cuts = [FIRST + timedelta(days=7 * number) for number in range(cutoffs)]
    rows: list[tuple[Any, ...]] = []
    truths = {}
    for name in (f"{feed}-{number}" for number in range(series)):
        for cut in cuts:
            for step in range(1, horizon + 1):
                ds = cut + timedelta(days=step)
                truths[name, ds] = 50 + float(draws.normal(0, 4))
                for model in models:
                    if model == "caregrid" and (name, cut, step) == (f"{feed}-0", cuts[-1], horizon):
                        continue
                    middle = 50 + float(draws.normal(0, 1))
                    for level in LEVELS:
                        value = middle + WIDTHS[model] * 4 * (level - 0.5)
                        rows.append((name, cut, ds, step, model, level, value))
    names = ["unique_id", "cutoff", "ds", "horizon", "model", "quantile", "value"]
    truth = pl.DataFrame(
        [(name, ds, y) for (name, ds), y in truths.items()], schema=["unique_id", "ds", "y"], orient="row"
    )
    ids = truth["unique_id"].unique().sort().to_list()
    errors = pl.DataFrame(
        [(name, cut, 2.0) for name in ids for cut in cuts],
        schema=["unique_id", "cutoff", "naive_error"],
        orient="row",
    )
    event = draws.random(400) < 0.4
    said = np.clip(0.4 * event + 0.3 + draws.normal(0, 0.1, 400), 0, 1)
    constant = np.full(400, event.mean())
    probability = {"caregrid": said, "persistence": constant, "past_share": constant}
    return Tested(
        grain="day",
        feed=feed,
        cuts=[int(np.datetime64(cut, "us").astype(np.int64)) for cut in cuts],
        cells=read(pl.DataFrame(rows, schema=names, orient="row"), truth, errors),
        facts=pl.DataFrame({"unique_id": ids, "measure": "occupied", "region": "NW"}),
        assumed=False,
        risks=RiskCells(np.ones(400, np.int64), event.astype(float), np.zeros(400), probability),
    )


def training(answer: str = PROMOTED, champion: bool = False) -> Training:
    """Return a training on two feeds per day."""
    baselines = ("caregrid", "climatology", "last_value", "seasonal_naive")
    tests = [
        back_test("beds", (*baselines, "champion") if champion else baselines),
        back_test("wards", (*baselines, "champion") if champion else baselines, series=2, seed=8),
    ]
    return Training(
        run_id="train-0123456789abcdef",
        models={("day", "beds"): fitted(4), ("day", "wards"): fitted(2)},
        tests=tests,
        scores=table(tests),
        verdict=Verdict(answer, "it beats seasonal naive and may serve day", ("day",), [GATE]),
        left_out=[LeftOut(99, "no_value", NO_VALUE)],
        tags={
            "code_version": "abc+def", "data_sha256": "0" * 64, "lock_sha256": "1" * 64, "sample": "whole",
            "known_at_cut": "2024-06-30T00:00:00+00:00", "as_of": "2024-07-01T00:00:00+00:00",
            "load_ids": "1-2", "vintages_assumed": "none",
        },
    )  # fmt: skip
