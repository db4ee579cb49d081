"""The two jobs: train (back-test, fit, judge, register) and score (forecast, append), safe to repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from . import fitting, forecasting, origins, output, promotion, registry, versions
from .data import Data
from .eligibility import LeftOut, left_out
from .inputs import Inputs, read, warehouse
from .model import QuantileModel
from .scores import Score, table
from .settings import MODEL_NAME, NAMED, Settings
from .spine import Grid

Progress = Callable[[str], None]
Connect = Callable[[], Any]


@dataclass
class TrainResult:
    """What a training run did; `run_id` is None when it was not due."""

    run_id: str | None
    version: str | None
    verdict: promotion.Verdict | None
    scores: list[Score]
    series: int
    left_out: int
    message: str


@dataclass
class ScoreResult:
    """What a scoring run did; `appended` is False when the very same run was there already."""

    run_id: str
    version: str
    appended: bool
    series: int
    risks: int
    left_out: int


def backtest_and_fit(
    inputs: Inputs, settings: Settings, progress: Progress, fit_too: bool = True
) -> tuple[list[origins.Backtest], dict[str, QuantileModel]]:
    """Back-test every grain, and fit it on everything known."""
    tests, models = [], {}
    for grain in settings.grains:
        spines = [spine for spine in inputs.spines if spine.grain == grain]
        if not spines:
            continue
        tests.append(origins.run(spines, settings, progress))
        model = (
            fitting.fit([spine.as_known(None) for spine in spines], settings, settings.rows)
            if fit_too
            else None
        )
        if model is not None:
            models[grain] = model
            progress(f"{grain}: fitted on {model.rows} rows")
    return tests, models


def sample_text(settings: Settings) -> str | None:
    """Return what part of the whole a run takes, in words; None for the whole."""
    if settings.series_per_feed is None:
        return None
    return (
        f"trained and back-tested on at most {settings.series_per_feed} series per feed and grain, "
        f"{len(settings.quantiles)} quantiles; every usable series is scored"
    )


def train(
    settings_name: str,
    as_of: datetime,
    *,
    data: Data | None = None,
    connect: Connect | None = None,
    force: bool = False,
    other_recipe_is_due: bool = False,
    progress: Progress = lambda line: None,
) -> TrainResult:
    """Train, judge and register, unless a champion stands that neither age, drift nor growth asks to replace.

    Args:
        settings_name: `demo` or `whole`.
        as_of: what was known then is what is learned from.
        data: by default the warehouse; connect: opens a connection as role model, by default CareGrid's.
        force: train whether due or not.
        other_recipe_is_due: train as well where the champion was made by other settings than these.
    """
    from . import due

    settings = NAMED[settings_name]
    open_connection = connect or _connect
    champion = registry.by_alias(registry.CHAMPION)
    other = champion is not None and champion.settings.fingerprint() != settings.fingerprint()
    if champion is not None and not force and not (other and other_recipe_is_due):
        with open_connection() as connection:
            why = due.why(connection, champion, as_of, registry.by_alias(registry.CHALLENGER))
        if why is None:
            text = (
                f"champion {MODEL_NAME} version {champion.version} stands: neither age, drift nor growth asks"
            )
            return TrainResult(None, champion.version, None, [], 0, 0, text)
        progress(f"due: {why}")
    inputs = read(data or warehouse(settings), settings, as_of)
    tests, models = backtest_and_fit(inputs, settings, progress)
    scores = table(tests, settings.quantiles)
    if not models:
        verdict = promotion.decide([])
        text = "no series with two observed seasons to learn from; nothing was registered"
        return TrainResult(None, None, verdict, [], len(inputs.series), 0, text)
    verdict = _judge(champion, settings, inputs, scores, progress)
    grids = inputs.grids()
    missing = _left_out(inputs, grids, settings, tuple(models))
    code, lock = versions.code_version(), versions.lock_sha256()
    made = versions.run_id(
        "train", settings.as_json(), inputs.data_sha256, code, champion and champion.version
    )
    eligible = due.series_counts(inputs.series)
    registered = registry.log_training(
        made, settings, models, tests, scores, verdict, missing,
        {
            "code_version": code, "lock_sha256": lock, "known_at_cut": inputs.cut.isoformat(),
            "load_ids": _shortened(inputs.load_ids), "data_sha256": inputs.data_sha256, "as_of":
            as_of.isoformat(),
            "series_by_grain": eligible, "sample": sample_text(settings) or "whole",
            "vintages_assumed": ", ".join(feed for test in tests for feed in test.assumed) or "none",
        },
    )  # fmt: skip
    run = output.Run(
        run_id=made, kind="train", model_name=MODEL_NAME, model_version=registered.version, made_at=as_of,
        as_of=as_of, known_at_cut=inputs.cut, code_version=code, lock_sha256=lock, load_ids=inputs.load_ids,
        parameters={
            "settings": settings.as_json(), "data_sha256": inputs.data_sha256, "model_sha256":
            model_sha256(models),
            "verdict": verdict.answer, "reason": verdict.reason, "serves": list(verdict.serves),
        },
        mlflow_run_id=registered.run_id, sample=sample_text(settings), left_out=missing, scores=scores,
    )  # fmt: skip
    with open_connection() as connection:
        output.append(connection, run)
    used = sum(model.rows for model in models.values())
    return TrainResult(
        made, registered.version, verdict, scores, len(inputs.series), len(missing),
        f"version {registered.version} {verdict.answer}: {verdict.reason}; {used} training rows",
    )  # fmt: skip


def backtest_only(
    settings_name: str, as_of: datetime, *, data: Data | None = None, connect: Connect | None = None,
    progress: Progress = lambda line: None,
) -> tuple[str, list[Score]]:  # fmt: skip
    """Back-test on what was known as of a moment, append the scores, and return run id and scores."""
    settings = NAMED[settings_name]
    inputs = read(data or warehouse(settings), settings, as_of)
    tests, _ = backtest_and_fit(inputs, settings, progress, fit_too=False)
    scores = table(tests, settings.quantiles)
    code = versions.code_version()
    made = versions.run_id("backtest", settings.as_json(), inputs.data_sha256, code)
    run = output.Run(
        run_id=made, kind="backtest", model_name=MODEL_NAME, model_version="none", made_at=as_of, as_of=as_of,
        known_at_cut=inputs.cut, code_version=code, lock_sha256=versions.lock_sha256(),
        load_ids=inputs.load_ids,
        parameters={"settings": settings.as_json(), "data_sha256": inputs.data_sha256},
        sample=sample_text(settings), left_out=left_out(inputs.series, inputs.grids(), settings),
        scores=scores,
    )  # fmt: skip
    with (connect or _connect)() as connection:
        output.append(connection, run)
    return made, scores


def score(
    as_of: datetime, *, data: Data | None = None, connect: Connect | None = None,
    progress: Progress = lambda line: None,
) -> ScoreResult:  # fmt: skip
    """Forecast every usable series with the champion and append it, once per knowledge and model version.

    Raises:
        LookupError: there is no champion yet.
    """
    champion = registry.by_alias(registry.CHAMPION)
    if champion is None:
        raise LookupError("there is no champion model yet")
    settings = champion.settings
    inputs = read(data or warehouse(settings), settings, as_of)
    forecasts, risks, missing = compute(champion, inputs, progress)
    made = versions.run_id("score", MODEL_NAME, champion.version, inputs.data_sha256, inputs.load_ids)
    run = output.Run(
        run_id=made, kind="score", model_name=MODEL_NAME, model_version=champion.version, made_at=as_of,
        as_of=as_of, known_at_cut=inputs.cut, code_version=versions.code_version(),
        lock_sha256=versions.lock_sha256(), load_ids=inputs.load_ids,
        parameters={
            "settings": settings.as_json(), "data_sha256": inputs.data_sha256,
            "panels": forecasting.panels(inputs.grids()), "silences": forecasting.silences(inputs.grids()),
        },
        mlflow_run_id=champion.run_id, sample=sample_text(settings), left_out=missing,
    )  # fmt: skip
    with (connect or _connect)() as connection:
        appended = output.append(connection, run, forecasts, risks)
    series = len({row[0] for row in forecasts})
    return ScoreResult(made, champion.version, appended, series, len(risks), len(missing))


def compute(
    champion: registry.Registered, inputs: Inputs, progress: Progress = lambda line: None
) -> tuple[list[output.ForecastRow], list[output.RiskRow], list[LeftOut]]:
    """Return the forecasts, risks and left-out series of a model version on given inputs; saves nothing."""
    settings, models = champion.settings, registry.models_of(champion.version)
    served = tuple(grain for grain in champion.serves if grain in models)
    grids = inputs.grids()
    forecasts: list[output.ForecastRow] = []
    risks: list[output.RiskRow] = []
    for grid in grids:
        if grid.spine.grain not in served:
            continue
        made = forecasting.forecast_grid(models[grid.spine.grain], grid, settings)
        if made is not None:
            forecasts += forecasting.forecast_rows(made)
            risks += forecasting.risk_rows(made, settings)
            progress(f"{grid.spine.grain} {grid.spine.feed}: {len(made.rows)} series")
    return forecasts, risks, _left_out(inputs, grids, settings, served)


def model_sha256(models: dict[str, QuantileModel]) -> str:
    """Return a sha256 over all trees and calibrations."""
    digest = hashlib.sha256()
    for grain in sorted(models):
        for booster in models[grain].boosters:
            digest.update(booster.model_to_string().encode())
        for feed in sorted(models[grain].offsets):
            digest.update(models[grain].offsets[feed].tobytes())
            digest.update(repr(models[grain].risk_weights.get(feed)).encode())
    return digest.hexdigest()


def _judge(
    champion: registry.Registered | None, settings: Settings, inputs: Inputs, scores: list[Score],
    progress: Progress,
) -> promotion.Verdict:  # fmt: skip
    """Compare with the champion's recipe on the same cuts: its stored trees have seen these cells."""
    if champion is None:
        return promotion.decide(scores)
    theirs = champion.settings
    if theirs.fingerprint() == settings.fingerprint():
        return promotion.decide(scores, scores, champion.serves, same_recipe=True)
    progress(f"the champion's recipe ({theirs.name}) on the same cells")
    # Same cells: the challenger's quantiles and grains, the champion's way of learning.
    theirs = replace(
        theirs, quantiles=settings.quantiles, grains=settings.grains, series_per_feed=settings.series_per_feed
    )
    tests, _ = backtest_and_fit(inputs, theirs, progress, fit_too=False)
    return promotion.decide(scores, table(tests, settings.quantiles), champion.serves)


def _left_out(
    inputs: Inputs, grids: list[Grid], settings: Settings, served: tuple[str, ...]
) -> list[LeftOut]:
    """Return every demand series without a forecast, those of grains that are kept back included."""
    missing = left_out(inputs.series, grids, settings)
    known = {one.series_id for one in missing}
    for grid in grids:
        if grid.spine.grain not in served:
            for row in grid.spine.series.filter(grid.spine.series["is_forecast"])["series_id"].to_list():
                if row not in known:
                    missing.append(
                        LeftOut(row, "grain_kept_back", f"no model may serve the grain {grid.spine.grain}")
                    )
    return sorted(missing, key=lambda one: one.series_id)


def _shortened(load_ids: list[int]) -> str:
    """Return load ids as ranges (1-5,9), which fit a tag; the warehouse's run holds each."""
    parts: list[list[int]] = []
    for number in load_ids:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in parts)


def _connect() -> Any:
    from caregrid.database.connect import connect

    return connect("model")
