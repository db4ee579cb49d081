"""What came of a model version's forecasts: a bounded sample of cells whose truth is known by now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from ..panel import Floats, Ints
from ..periods import MODEL_GRAIN
from .scores import TOLD_LEADS

MOST_RUNS = 40  # spread over all of the version's
MOST_SERIES = 200  # of each grain, drawn by a hash of their number

RUNS = """
select distinct on (known_at_cut) run_id, known_at_cut from model_output.run
where kind = 'score' and model_version = %s and as_of <= %s order by known_at_cut, made_at desc
"""
# The newest version of each value is the truth; several instants of one hour: the newest speaks for it. Of a
# panel, the value is told for as many reporting units as the forecast was made for.
CELLS = """
with sampled as (
    select series_id, grain from (
        select one.series_id, s.grain,
            row_number() over (partition by s.grain order by md5(one.series_id::text)) as place
        from (select distinct series_id from model_output.forecast where run_id = %(newest)s) one
        join core.dim_series s using (series_id)
    ) ranked where place <= %(series)s
), cells as materialized (
    select sampled.grain, r.run_id, r.known_at_cut, f.series_id, f.period_start, f.horizon, truth.value
    from model_output.run r
    cross join sampled
    join model_output.forecast f on f.run_id = r.run_id and f.series_id = sampled.series_id
    cross join lateral (
        select u.value * coalesce(
            (r.parameters -> 'panels' ->> u.series_id::text)::float8 / nullif(u.reporting_units, 0), 1
        ) as value
        from core.fct_usage u
        where u.series_id = f.series_id and u.period_start >= f.period_start and u.period_start < f.period_end
            and u.is_current and u.value_status = 'reported'
            and u.known_at > f.known_at and u.known_at <= %(as_of)s
        order by u.period_start desc limit 1
    ) truth
    where r.run_id = any(%(runs)s) and f.quantile = 0.5 and f.horizon = any(%(leads)s)
        and f.period_start < %(as_of)s
)
select c.grain, c.known_at_cut, c.series_id, c.horizon,
    avg(2 * greatest(f.quantile * (c.value - f.value), (f.quantile - 1) * (c.value - f.value))),
    bool_and(c.value >= f.value) filter (where f.quantile = 0.1)
        and bool_and(c.value <= f.value) filter (where f.quantile = 0.9)
from cells c
join model_output.forecast f using (run_id, series_id, period_start)
group by c.grain, c.run_id, c.known_at_cut, c.series_id, c.horizon, c.period_start
"""


@dataclass(frozen=True)
class Realised:
    """Cells of one grain whose truth is known by now.

    Args:
        origin: [cell] when the newest value that the forecast knew had become known, seconds since 1970.
        score: [cell] weighted interval score (mean over quantiles of twice the pinball loss, Bracher et al.
            2021) in the series' unit.
        covered: [cell] 1 where the 80 % interval holds the truth, NaN where there is none.
    """

    origin: Ints
    series_id: Ints
    lead: Ints
    score: Floats
    covered: Floats


def realised(connection: Any, version: str, as_of: datetime) -> dict[str, Realised]:
    """Return {model grain: cells} of a version's scoring runs, at the leads the back-test tells of.

    However often it was scored and however many series there are, at most MOST_RUNS x MOST_SERIES x leads
    cells of a grain are looked at.
    """
    with connection.cursor() as cursor:
        cursor.execute(RUNS, (version, as_of))
        runs = [run_id for run_id, _ in cursor.fetchall()]
        if not runs:
            return {}
        chosen = np.unique(np.linspace(0, len(runs) - 1, min(MOST_RUNS, len(runs))).astype(np.int64))
        asked = {
            "newest": runs[-1], "runs": [runs[int(at)] for at in chosen], "leads": list(TOLD_LEADS),
            "series": MOST_SERIES, "as_of": as_of,
        }  # fmt: skip
        cursor.execute(CELLS, asked)
        rows = cursor.fetchall()
    found = {}
    for grain in {MODEL_GRAIN[row[0]] for row in rows}:
        of_grain = [row for row in rows if MODEL_GRAIN[row[0]] == grain]
        found[grain] = Realised(
            np.array([int(row[1].timestamp()) for row in of_grain], dtype=np.int64),
            np.array([row[2] for row in of_grain], dtype=np.int64),
            np.array([row[3] for row in of_grain], dtype=np.int64),
            np.array([row[4] for row in of_grain], dtype=float),
            np.array([np.nan if row[5] is None else float(row[5]) for row in of_grain], dtype=float),
        )
    return found
