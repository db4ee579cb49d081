"""Doing a past run again from what it stored, and saying whether every number came out the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import output, pipeline, registry, versions
from .data import Data
from .inputs import read, warehouse
from .scores import Score, table
from .settings import Settings


@dataclass
class Reproduction:
    """How a run compares with its own repetition; `differences` is empty when every number is the same."""

    run_id: str
    kind: str
    compared: int
    differences: list[str]
    notes: list[str]

    @property
    def identical(self) -> bool:
        """Whether all numbers were the same."""
        return self.compared > 0 and not self.differences


def reproduce(
    run_id: str, *, data: Data | None = None, connect: Callable[[], Any] | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Reproduction:  # fmt: skip
    """Repeat a run under its stored settings, known_at cut and load ids; saves nothing.

    Raises:
        LookupError: there is no such run.
    """
    open_connection = connect or pipeline._connect
    with open_connection() as connection:
        run = output.find(connection, run_id)
        stored = _stored(connection, run_id) if run is not None and run.kind == "score" else {}
    if run is None:
        raise LookupError(f"there is no run {run_id!r} in model_output.run")
    settings = Settings.from_json(run.parameters["settings"])
    inputs = read(data or warehouse(settings), settings, run.known_at_cut, run.load_ids)
    notes, differences = [], []
    code = versions.code_version()
    if code != run.code_version:
        notes.append(f"made by code {run.code_version}, repeated by {code}")
    if inputs.data_sha256 != run.parameters["data_sha256"]:
        differences.append(
            f"the values known at {run.known_at_cut.isoformat()} from the run's {len(run.load_ids)} loads "
            "are not what they were: loads were superseded, or older values arrived since"
        )
    if run.kind == "score":
        forecasts, risks, _ = pipeline.compute(registry.by_version(run.model_version), inputs, progress)
        again: dict[tuple[Any, ...], float | None] = {
            ("forecast", row[0], row[1], row[4]): row[5] for row in forecasts
        }
        again |= {("risk", row[0], row[2]): row[6] for row in risks}
    else:
        fit_too = run.kind == "train"
        tests, models = pipeline.backtest_and_fit(inputs, settings, progress, fit_too)
        stored, again = _figures(run.scores), _figures(table(tests, settings.quantiles))
        if fit_too and pipeline.model_sha256(models) != run.parameters["model_sha256"]:
            differences.append("the fitted trees are others")
    for key in sorted(set(stored) | set(again), key=str):
        if stored.get(key) != again.get(key):
            differences.append(f"{key}: {stored.get(key)} then, {again.get(key)} now")
    return Reproduction(run_id, run.kind, len(set(stored) & set(again)), differences, notes)


def _figures(scores: list[Score]) -> dict[tuple[Any, ...], float | None]:
    return {(score.model, score.grain, score.metric): score.value for score in scores}


def _stored(connection: Any, run_id: str) -> dict[tuple[Any, ...], float | None]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select series_id, period_start, quantile, value from model_output.forecast where run_id = %s",
            (run_id,),
        )
        found: dict[tuple[Any, ...], float | None] = {
            ("forecast", *row[:3]): row[3] for row in cursor.fetchall()
        }
        cursor.execute(
            "select series_id, horizon, probability from model_output.risk where run_id = %s", (run_id,)
        )
        return found | {("risk", *row[:2]): row[2] for row in cursor.fetchall()}
