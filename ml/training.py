"""Training: fit, back-test, judge and register; safe to repeat."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial
from typing import Any

from caregrid.errors import CareGridError

from . import versions
from .gate import paired, promotion
from .recipe import FittedCareGrid
from .tracking import registry, vetoes
from .warehouse import forecasting, output, tested
from .warehouse.data import Connect, Data, connect_as_model
from .warehouse.eligibility import left_out
from .warehouse.inputs import Inputs, read, warehouse
from .warehouse.scores import Score, table
from .warehouse.settings import MODEL_NAME, NAMED, Progress, Settings
from .warehouse.tested import Tested

Models = dict[tuple[str, str], FittedCareGrid]


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


def backtest(
    inputs: Inputs, settings: Settings, progress: Progress, champion: Settings | None = None
) -> list[Tested]:
    """Back-test every feed and grain, with a champion's recipe beside where one is given."""
    found = [tested.run(spine, settings, champion, progress) for spine in inputs.spines]
    return [one for one in found if one is not None]


def fit(inputs: Inputs, settings: Settings, progress: Progress) -> Models:
    """Fit every feed and grain on everything known."""
    models: Models = {}
    for grid in inputs.grids():
        spine = grid.spine
        fitted = forecasting.learn(grid, settings)
        if fitted is not None:
            # Its past is needed no more, and would be held for every feed.
            fitted.forget()
            models[spine.grain, spine.feed] = fitted
            progress(f"{spine.grain} {spine.feed}: fitted on {len(fitted.ids)} series")
    return models


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
        other_recipe_is_due: train as well where the champion was made by other settings than these, and
            no person's veto stands against these.
    """
    from . import due

    settings = NAMED[settings_name]
    open_connection = connect or connect_as_model
    champion = registry.by_alias(registry.CHAMPION)
    theirs = _settings_of(champion)
    other = theirs is None or theirs.fingerprint() != settings.fingerprint()
    code, lock = versions.code_version(), versions.lock_sha256()
    veto = None
    if champion is not None and other and other_recipe_is_due and not force:
        # What a person took off is refused: for its settings alone it need not be trained at each load.
        with open_connection() as connection:
            veto = vetoes.against(connection, settings.as_json(), code)
    if champion is not None and not force and (veto or not (other and other_recipe_is_due)):
        loaded = cache(partial(_loaded, champion))
        with open_connection() as connection:
            why = due.why(
                connection, champion, as_of, registry.by_alias(registry.CHALLENGER),
                lambda: due.watch(
                    read(data or warehouse(champion.settings), champion.settings, as_of),
                    champion, loaded()[0],
                ),
                lambda: loaded()[1],
            )  # fmt: skip
        if why is None:
            text = (
                f"champion {MODEL_NAME} version {champion.version} stands: neither age, drift nor growth asks"
                + (f"; the settings {settings.name} are vetoed: {vetoes.told(veto)}" if veto else "")
            )
            return TrainResult(None, champion.version, None, [], 0, 0, text)
    else:
        why = _asked(champion, settings, force)
    progress(f"due: {why}; settings {settings.name}, which read {settings.sample or 'every series'}")
    inputs = read(data or warehouse(settings), settings, as_of)
    made = versions.run_id(
        "train", settings.as_json(), inputs.data_sha256, code, champion and champion.version
    )
    with open_connection() as connection:
        if (before := output.find(connection, made)) is not None:
            return _settled(connection, before, inputs, settings)
    models = fit(inputs, settings, progress)
    if not models:
        text = "no series with enough values to learn from; nothing was registered"
        verdict = promotion.Verdict(promotion.NOT_ENOUGH, text, (), [])
        return TrainResult(None, None, verdict, [], len(inputs.series), 0, text)
    beside = theirs if other else None
    tests = backtest(inputs, settings, progress, beside)
    scores = table(tests)
    verdict = _judge(tests, champion, same_recipe=not other, readable=theirs is not None)
    with open_connection() as connection:
        verdict = vetoes.heeded(connection, verdict, settings.as_json(), code)
    missing = left_out(inputs.series, inputs.grids(), settings)
    registered = registry.log_training(
        made, settings, models, tests, scores, verdict, missing,
        {
            "code_version": code, "lock_sha256": lock, "known_at_cut": inputs.cut.isoformat(),
            "load_ids": _shortened(inputs.load_ids), "data_sha256": inputs.data_sha256,
            "as_of": as_of.isoformat(), "series_by_grain": due.series_counts(inputs.series),
            "sample": settings.sample or "whole",
            "vintages_assumed": ", ".join(f"{o.grain} {o.feed}" for o in tests if o.assumed) or "none",
        },
    )  # fmt: skip
    run = output.Run(
        run_id=made, kind="train", model_name=MODEL_NAME, model_version=registered.version, made_at=as_of,
        as_of=as_of, known_at_cut=inputs.cut, code_version=code, lock_sha256=lock, load_ids=inputs.load_ids,
        parameters={
            "settings": settings.as_json(), "data_sha256": inputs.data_sha256,
            "model_sha256": model_sha256(models), "verdict": verdict.answer, "reason": verdict.reason,
            "serves": list(verdict.serves), "gate": verdict.table,
            "champion_settings": beside and beside.as_json(),
        },
        mlflow_run_id=registered.run_id, sample=settings.sample, left_out=missing, scores=scores,
    )  # fmt: skip
    with open_connection() as connection:
        output.append(connection, run)
        verdict = registry.settle(connection, registered, verdict, made)
    return TrainResult(
        made, registered.version, verdict, scores, len(inputs.series), len(missing),
        f"version {registered.version} {verdict.answer}: {verdict.reason}; {len(models)} feeds and grains",
    )  # fmt: skip


def _asked(champion: registry.Registered | None, settings: Settings, force: bool) -> str:
    """Return why a training needs no other reason."""
    if champion is None:
        return "no champion stands"
    return "asked for" if force else f"version {champion.version} was trained by other settings"


def _settings_of(champion: registry.Registered | None) -> Settings | None:
    """Return a champion's settings, None where there is no champion or they cannot be read."""
    try:
        return None if champion is None else champion.settings
    except CareGridError:
        return None


def _loaded(champion: registry.Registered) -> tuple[Models, str | None]:
    """Return a champion's models, and why it cannot be loaded, if it cannot."""
    try:
        champion.settings  # noqa: B018
        return registry.models_of(champion.version), None
    except CareGridError as broken:
        return {}, f"the champion, version {champion.version}, cannot be loaded: {broken.message}"


def _settled(connection: Any, run: output.Run, inputs: Inputs, settings: Settings) -> TrainResult:
    """Move the aliases after a training that was appended before, where it broke off ahead of that."""
    told = run.parameters
    verdict = promotion.Verdict(told["verdict"], told["reason"], tuple(told["serves"]), told["gate"])
    verdict = registry.settle(connection, registry.by_version(run.model_version), verdict, run.run_id)
    missing = left_out(inputs.series, inputs.grids(), settings)
    return TrainResult(
        run.run_id, run.model_version, verdict, run.scores, len(inputs.series), len(missing),
        f"version {run.model_version} {verdict.answer}: {verdict.reason}; it was trained on the same before",
    )  # fmt: skip


def backtest_only(
    settings_name: str, as_of: datetime, *, data: Data | None = None, connect: Connect | None = None,
    progress: Progress = lambda line: None,
) -> tuple[str, list[Score]]:  # fmt: skip
    """Back-test on what was known as of a moment, append the scores, and return run id and scores."""
    settings = NAMED[settings_name]
    inputs = read(data or warehouse(settings), settings, as_of)
    scores = table(backtest(inputs, settings, progress))
    code = versions.code_version()
    made = versions.run_id("backtest", settings.as_json(), inputs.data_sha256, code)
    run = output.Run(
        run_id=made, kind="backtest", model_name=MODEL_NAME, model_version="none", made_at=as_of, as_of=as_of,
        known_at_cut=inputs.cut, code_version=code, lock_sha256=versions.lock_sha256(),
        load_ids=inputs.load_ids,
        parameters={"settings": settings.as_json(), "data_sha256": inputs.data_sha256},
        sample=settings.sample, left_out=left_out(inputs.series, inputs.grids(), settings),
        scores=scores,
    )  # fmt: skip
    with (connect or connect_as_model)() as connection:
        output.append(connection, run)
    return made, scores


def model_sha256(models: Models) -> str:
    """Return a sha256 over all that was learned."""
    digest = hashlib.sha256()
    for key in sorted(models):
        fitted = models[key]
        digest.update(repr(key).encode())
        for booster in [*(fitted.blend.trees if fitted.blend else []), fitted.spread and fitted.spread.sizes]:
            digest.update(booster.model_to_string().encode() if booster else b"none")
        if fitted.blend:
            digest.update(fitted.blend.ridge.weights.tobytes())
        if fitted.spread:
            digest.update(fitted.spread.shapes.tobytes() + json.dumps(fitted.spread.factors).encode())
    return digest.hexdigest()


def _judge(
    tests: list[Tested], champion: registry.Registered | None, same_recipe: bool, readable: bool
) -> promotion.Verdict:  # fmt: skip
    """Ask the gate; the champion's recipe was fitted anew at the same cuts: its models saw these cells.

    Args:
        readable: whether it is known what the champion's recipe was; else nothing can be compared with it.
    """
    grains = {grain: [one for one in tests if one.grain == grain] for grain in {one.grain for one in tests}}

    def beside(model: str) -> dict[str, paired.Paired]:
        found = {grain: paired.paired(some, tested.OURS, model) for grain, some in grains.items()}
        return {grain: one for grain, one in found.items() if one is not None}

    compared = champion is not None and readable and not same_recipe
    verdict = promotion.decide(
        beside(tested.BASELINE),
        beside(tested.CHAMPION) if compared else None,
        champion.serves if champion is not None else (),
        same_recipe=champion is not None and same_recipe,
    )
    if champion is not None and not readable:
        return replace(
            verdict, reason=f"{verdict.reason}; what version {champion.version} was cannot be read"
        )
    made_by = champion.tags["code_version"] if champion is not None and same_recipe else None
    if made_by is not None and not made_by.endswith(versions.source_hash()):
        # The code of then cannot be tried again, and an upgrade must not end all training.
        why = f"{verdict.reason}; the champion was made by other code ({made_by}), which is not compared"
        return replace(verdict, reason=why)
    return verdict


def _shortened(load_ids: list[int]) -> str:
    """Return load ids as ranges (1-5,9), which fit a tag; the warehouse's run holds each."""
    parts: list[list[int]] = []
    for number in load_ids:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in parts)
