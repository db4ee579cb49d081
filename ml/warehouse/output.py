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
SCORED = (
    "model_output.area", "model_output.area_forecast", "model_output.forecast", "model_output.path",
    "model_output.remark", "model_output.risk", "model_output.run", "model_output.series_left_out",
)  # fmt: skip
REMEMBERED_RUNS = 20  # in which the level of a risk is looked for
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
# series_id, period_start, array of one value per path
PathRow = tuple[int, datetime, Any]
# area_id, period_start, period_end, horizon, quantile, value
AreaForecastRow = tuple[int, datetime, datetime, int, float, float]
# area_id, level, area_key, feed, grain, measure, service_or_resource, statistic, unit, dimensions,
# total_over, series_ids, series_absent
AreaRow = tuple[Any, ...]


@dataclass(frozen=True)
class RiskRow:
    """One row of model_output.risk; period_end is the end of the horizon."""

    series_id: int
    place_id: int
    horizon: int
    period_end: datetime
    capacity: float
    capacity_series_id: int
    probability: float
    is_over_now: bool
    known_at: datetime
    occupied_limit: float
    definition: str
    level: int = 1
    runs_below: tuple[int, int, int] = (0, 0, 0)


@dataclass
class Said:
    """What a scoring run appends."""

    forecasts: list[ForecastRow] = field(default_factory=list)
    paths: list[PathRow] = field(default_factory=list)
    areas: list[AreaRow] = field(default_factory=list)
    area_forecasts: list[AreaForecastRow] = field(default_factory=list)
    risks: list[RiskRow] = field(default_factory=list)
    remarks: list[tuple[int, str]] = field(default_factory=list)


def append(connection: Any, run: Run, said: Said | None = None) -> bool:
    """Append a run and all that belongs to it in one transaction.

    Returns False, having written nothing, when a run of this id is there already.
    """
    said = said or Said()
    with connection.transaction(), connection.cursor() as cursor:
        values = [getattr(run, name) for name in RUN_COLUMNS[:-1]]
        cursor.execute(INSERT_RUN, [*values, json.dumps(run.parameters)])
        if cursor.fetchone() is None:
            return False
        _copy(
            cursor,
            "forecast (run_id, series_id, period_start, period_end, horizon, quantile, value, known_at,"
            " made_at)",
            ((run.run_id, *row, run.made_at) for row in said.forecasts),
        )
        _copy(cursor, "path (run_id, series_id, period_start, values)",
              ((run.run_id, number, start, path.tolist()) for number, start, path in said.paths))  # fmt: skip
        _copy(
            cursor,
            "area (run_id, area_id, level, area_key, feed, grain, measure, service_or_resource, statistic,"
            " unit, dimensions, total_over, series_ids, series_absent)",
            ((run.run_id, *row) for row in said.areas),
        )
        _copy(
            cursor,
            "area_forecast (run_id, area_id, period_start, period_end, horizon, quantile, value)",
            ((run.run_id, *row) for row in said.area_forecasts),
        )
        _copy(
            cursor,
            "risk (run_id, series_id, place_id, horizon, period_end, capacity, capacity_series_id,"
            " probability, is_over_now, known_at, made_at, occupied_limit, definition, level, runs_below)",
            (
                (run.run_id, one.series_id, one.place_id, one.horizon, one.period_end, one.capacity,
                 one.capacity_series_id, one.probability, one.is_over_now, one.known_at, run.made_at,
                 one.occupied_limit, one.definition, one.level, list(one.runs_below))
                for one in said.risks
            ),
        )  # fmt: skip
        _copy(cursor, "remark (run_id, series_id, remark)", ((run.run_id, *row) for row in said.remarks))
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


def newest_levels(
    connection: Any, until: datetime, run_id: str
) -> dict[tuple[int, int], tuple[int, list[int], datetime]]:
    """Return {(series_id, horizon): (level, runs_below, known_at)} of each series' newest risk of other runs.

    Of a series that the newest runs left out nothing is remembered.

    Args:
        until: runs made later do not count; run_id: nor does this one.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """with run as (
                   select run_id, made_at from model_output.run
                   where kind = 'score' and made_at <= %s and run_id <> %s
                   order by made_at desc, run_id desc limit %s
               )
               select distinct on (risk.series_id, risk.horizon)
                   risk.series_id, risk.horizon, risk.level, risk.runs_below, risk.known_at
               from model_output.risk join run using (run_id)
               where risk.level is not null
               order by risk.series_id, risk.horizon, run.made_at desc, run.run_id desc""",
            (until, run_id, REMEMBERED_RUNS),
        )
        return {(row[0], row[1]): (row[2], row[3], row[4]) for row in cursor.fetchall()}


def _copy(cursor: Any, target: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with cursor.copy(f"copy model_output.{target} from stdin") as stream:
        for row in rows:
            stream.write_row(row)
