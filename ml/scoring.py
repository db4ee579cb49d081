"""Scoring: what the champion says of everything that is known, appended once; safe to repeat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from . import levels, versions
from .tracking import registry
from .warehouse import forecasting, output, rows
from .warehouse.data import Connect, Data, connect_as_model
from .warehouse.eligibility import LeftOut, left_out
from .warehouse.inputs import Inputs, read, warehouse
from .warehouse.settings import MODEL_NAME, Progress

RULE = levels.Hysteresis()


@dataclass
class ScoreResult:
    """What a scoring run did; `appended` is False when the very same run was there already."""

    run_id: str
    version: str
    appended: bool
    series: int
    risks: int
    left_out: int


def score(
    as_of: datetime, *, data: Data | None = None, connect: Connect | None = None,
    progress: Progress = lambda line: None,
) -> ScoreResult:  # fmt: skip
    """Forecast every usable series with the champion and append it, once per knowledge and champion's tenure.

    Raises:
        LookupError: there is no champion yet.
    """
    champion = registry.by_alias(registry.CHAMPION)
    if champion is None:
        raise LookupError("there is no champion model yet")
    settings = champion.settings
    inputs = read(data or warehouse(settings), settings, as_of)
    said, missing = compute(champion, inputs, progress)
    with (connect or connect_as_model)() as connection:
        # The newest run is what is served: a version that is led back must say the same thing anew.
        tenure = registry.tenure(connection)
    made = versions.run_id("score", MODEL_NAME, champion.version, tenure, inputs.data_sha256, inputs.load_ids)
    run = output.Run(
        run_id=made, kind="score", model_name=MODEL_NAME, model_version=champion.version, made_at=as_of,
        as_of=as_of, known_at_cut=inputs.cut, code_version=versions.code_version(),
        lock_sha256=versions.lock_sha256(), load_ids=inputs.load_ids,
        parameters={
            "settings": settings.as_json(), "data_sha256": inputs.data_sha256, "panels": panels(inputs),
        },
        mlflow_run_id=champion.run_id, sample=settings.sample, left_out=missing,
    )  # fmt: skip
    with (connect or connect_as_model)() as connection:
        before = output.newest_levels(connection, as_of, made)
        said.risks = [_levelled(risk, before.get((risk.series_id, risk.horizon))) for risk in said.risks]
        appended = output.append(connection, run, said)
    series = len({row[0] for row in said.forecasts})
    return ScoreResult(made, champion.version, appended, series, len(said.risks), len(missing))


def compute(
    champion: registry.Registered, inputs: Inputs, progress: Progress = lambda line: None
) -> tuple[output.Said, list[LeftOut]]:
    """Return what a model version says on given inputs, and the series it leaves out; saves nothing."""
    settings, models = champion.settings, registry.models_of(champion.version)
    grids = inputs.grids()
    missing = {one.series_id: one for one in left_out(inputs.series, grids, settings)}
    said = output.Said()
    for grid in grids:
        spine = grid.spine
        ids = spine.series["series_id"].to_list()
        fitted, served = models.get((spine.grain, spine.feed)), spine.grain in champion.serves
        if fitted is None or not served:
            reason = (
                (
                    "no_model_yet",
                    "the feed had too little when the model was trained · 训练模型时该数据源的数据太少",
                )
                if served
                else (
                    "grain_kept_back",
                    f"no model may serve the grain {spine.grain} · 该时段类型的模型未获准使用",
                )
            )
            for row in spine.series.filter(spine.series["is_forecast"])["series_id"].to_list():
                missing.setdefault(row, LeftOut(row, *reason))
            continue
        made = forecasting.forecast_grid(fitted, grid, settings)
        if made is None:
            continue
        rows.add(said, made, settings)
        for reason_name, found in (("withdrawn", made.withdrawn), ("no_forecast", made.unanswered)):
            for row, why in found.items():
                missing.setdefault(ids[row], LeftOut(ids[row], reason_name, why))
        progress(f"{spine.grain} {spine.feed}: {len(made.rows)} series")
    return said, sorted(missing.values(), key=lambda one: one.series_id)


def panels(inputs: Inputs) -> dict[str, float]:
    """Return {series_id: reporting units} of the panels the forecasts are for."""
    return {
        grid.spine.names[row]: float(grid.units[row])
        for grid in inputs.grids()
        for row in range(len(grid.units))
        if grid.spine.is_panel[row] and grid.last[row] >= 0
    }


def _levelled(risk: output.RiskRow, before: tuple[int, list[int], datetime] | None) -> output.RiskRow:
    """Return the risk with its level, which follows from the one before it.

    A run that knows nothing new of the feed (another feed's news, a model led back) leaves it as it is.
    """
    now = levels.State(before[0], (before[1][0], before[1][1], before[1][2])) if before else levels.State()
    if before is None or risk.known_at > before[2]:
        now = levels.step(now, risk.probability, RULE)
    return replace(risk, level=now.level, runs_below=now.below)
