"""Appending to model_output: one run in one transaction, once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .eligibility import LeftOut
from .scores import Score

RUN_COLUMNS = (
    "run_id", "kind", "mlflow_run_id", "model_name", "model_version", "made_at", "as_of", "known_at_cut",
    "code_version", "lock_sha256", "load_ids", "sample", "parameters",
)  # fmt: skip
# What a scoring run appends to, for its lineage.
SCORED = ("model_output.forecast", "model_output.risk", "model_output.run", "model_output.series_left_out")
INSERT_RUN = """
    insert into model_output.run (run_id, kind, mlflow_run_id, model_name, model_version, made_at, as_of,
        known_at_cut, code_version, lock_sha256, load_ids, sample, parameters)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    on conflict (run_id) do nothing returning run_id
"""


@dataclass
class Run:
    """One row of model_output.run and what belongs to it; columns as in the migration."""

    run_id: str
    kind: str
    model_name: str
    model_version: str
    made_at: datetime
    as_of: datetime
    known_at_cut: datetime
    code_version: str
    lock_sha256: str
    load_ids: list[int]
    parameters: dict[str, Any]
    mlflow_run_id: str | None = None
    sample: str | None = None
    left_out: list[LeftOut] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)


# series_id, period_start, period_end, horizon, quantile, value, known_at
ForecastRow = tuple[int, datetime, datetime, int, float, float, datetime]
# series_id, place_id, horizon, period_end, capacity, capacity_series_id, probability, is_over_now, known_at
RiskRow = tuple[int, int, int, datetime, float, int, float, bool, datetime]


def append(
    connection: Any, run: Run, forecasts: Iterable[ForecastRow] = (), risks: Iterable[RiskRow] = ()
) -> bool:
    """Append a run and all that belongs to it in one transaction.

    Returns False, having written nothing, when a run of this id is there already.
    """
    with connection.transaction(), connection.cursor() as cursor:
        values = [getattr(run, name) for name in RUN_COLUMNS[:-1]]
        cursor.execute(INSERT_RUN, [*values, json.dumps(run.parameters)])
        if cursor.fetchone() is None:
            return False
        _copy(
            cursor,
            "forecast (run_id, series_id, period_start, period_end, horizon, quantile, value, known_at,"
            " made_at)",
            ((run.run_id, *row, run.made_at) for row in forecasts),
        )
        _copy(
            cursor,
            "risk (run_id, series_id, place_id, horizon, period_end, capacity, capacity_series_id,"
            " probability, is_over_now, known_at, made_at)",
            ((run.run_id, *row, run.made_at) for row in risks),
        )
        _copy(
            cursor,
            "series_left_out (run_id, series_id, reason, detail)",
            ((run.run_id, one.series_id, one.reason, one.detail) for one in run.left_out),
        )
        _copy(
            cursor,
            "backtest (run_id, model, grain, metric, value, cells, origins)",
            (
                (run.run_id, one.model, one.grain, one.metric, one.value, one.cells, one.origins)
                for one in run.scores
            ),
        )
    return True


def find(connection: Any, run_id: str) -> Run | None:
    """Return a run as it was appended, with its scores, or None."""
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("select * from model_output.run where run_id = %s", (run_id,))
        row = cursor.fetchone()
        if row is None:
            return None
        cursor.execute(
            "select model, grain, metric, value, cells, origins from model_output.backtest where run_id = %s",
            (run_id,),
        )
        return Run(**row, scores=[Score(**score) for score in cursor.fetchall()])


def _copy(cursor: Any, target: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with cursor.copy(f"copy model_output.{target} from stdin") as stream:
        for row in rows:
            stream.write_row(row)
