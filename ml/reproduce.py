"""Doing a past run again from what it stored, and saying whether every number came out the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import scoring, training, versions
from .tracking import registry
from .warehouse import output
from .warehouse.data import Connect, Data, connect_as_model
from .warehouse.inputs import read, warehouse
from .warehouse.scores import Score, table
from .warehouse.settings import Progress, Settings

Numbers = dict[tuple[Any, ...], Any]

STORED = {
    "forecast": """select series_id, period_start, quantile, value
                   from model_output.forecast where run_id = %s""",
    "area": """select level, area_key, feed, grain, measure, service_or_resource, statistic, dimensions::text,
                   total_over::text, period_start, quantile, value
               from model_output.area join model_output.area_forecast using (run_id, area_id)
               where run_id = %s""",
    "risk": "select series_id, horizon, probability from model_output.risk where run_id = %s",
    "path": "select series_id, period_start, values from model_output.path where run_id = %s",
}
# Loads of the very same bytes as those of a run, which stand in for them once they are superseded.
SUCCESSORS = """
    select distinct again.load_id
    from ledger.load_order as once
    join ledger.load_order as again using (sha256, source, uri, member)
    where once.load_id = any (%s) and again.status = 'accepted'
"""


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
    run_id: str, *, data: Data | None = None, connect: Connect | None = None,
    progress: Progress = lambda line: None,
) -> Reproduction:  # fmt: skip
    """Repeat a run under its stored settings, known_at cut and load ids; saves nothing.

    Raises:
        LookupError: there is no such run.
    """
    open_connection = connect or connect_as_model
    with open_connection() as connection:
        run = output.find(connection, run_id)
        if run is None:
            raise LookupError(f"there is no run {run_id!r} in model_output.run")
        stored = _stored(connection, run_id) if run.kind == "score" else _figures(run.scores)
        loads = sorted({*run.load_ids, *_successors(connection, run.load_ids)})
    settings = Settings.from_json(run.parameters["settings"])
    inputs = read(data or warehouse(settings), settings, run.known_at_cut, loads)
    notes, differences = [], []
    code = versions.code_version()
    if code != run.code_version:
        notes.append(f"made by code {run.code_version}, repeated by {code}")
    if more := len(set(loads) - set(run.load_ids)):
        notes.append(f"{more} loads of the same bytes, loaded again since, stand in for its own")
    if inputs.data_sha256 != run.parameters["data_sha256"]:
        differences.append(
            f"the values known at {run.known_at_cut.isoformat()} from the run's {len(run.load_ids)} loads "
            "are not what they were: other bytes or another mapping took their place, or older values arrived"
        )
    if run.kind == "score":
        again = _said(scoring.compute(registry.by_version(run.model_version), inputs, progress)[0])
        # Paths are kept for some days only.
        again = {key: value for key, value in again.items() if key[0] != "path" or key in stored}
    else:
        champion = run.parameters.get("champion_settings")
        beside = Settings.from_json(champion) if champion else None
        again = _figures(table(training.backtest(inputs, settings, progress, beside)))
        if run.kind == "train":
            sha256 = training.model_sha256(training.fit(inputs, settings, progress))
            if sha256 != run.parameters["model_sha256"]:
                differences.append("what was learned is another model")
    for key in sorted(set(stored) | set(again), key=str):
        if stored.get(key) != again.get(key):
            differences.append(f"{key}: {stored.get(key)} then, {again.get(key)} now")
    return Reproduction(run_id, run.kind, len(set(stored) & set(again)), differences, notes)


def _successors(connection: Any, load_ids: list[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(SUCCESSORS, (load_ids,))
        return [row[0] for row in cursor.fetchall()]


def _figures(scores: list[Score]) -> Numbers:
    return {(score.model, score.grain, score.metric): score.value for score in scores}


def _stored(connection: Any, run_id: str) -> Numbers:
    found: Numbers = {}
    with connection.cursor() as cursor:
        for kind, query in STORED.items():
            cursor.execute(query, (run_id,))
            for row in cursor.fetchall():
                value = _single(row[-1]) if kind == "path" else row[-1]
                found[(kind, *row[:-1])] = value
    return found


def _said(said: output.Said) -> Numbers:
    found: Numbers = {("forecast", row[0], row[1], row[4]): row[5] for row in said.forecasts}
    kinds = {row[0]: (*row[1:8], *row[9:11]) for row in said.areas}
    found |= {("area", *kinds[row[0]], row[1], row[4]): row[5] for row in said.area_forecasts}
    found |= {("risk", one.series_id, one.horizon): one.probability for one in said.risks}
    return found | {("path", row[0], row[1]): _single(row[2]) for row in said.paths}


def _single(values: Any) -> bytes:
    """Return values as the single precision that they are stored in."""
    return np.asarray(values, dtype=np.float32).tobytes()
