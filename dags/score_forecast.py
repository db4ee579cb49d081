"""Forecasts with the champion, scores the risk of overload, and builds what is served of both."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetAny, dag, task
from caregrid.platform.dags import FORECAST, MARTS, MODEL, Owner, Tier, settings, with_links
from caregrid.platform.links import BuildLink, ModelLink


@dag(
    dag_display_name="score_forecast · 预测与风险评分",
    description="Forecasts with the champion, scores the risk of overload, serves both",
    schedule=AssetAny(MARTS, MODEL),
    is_paused_upon_creation=False,
    **settings(Owner.MACHINE_LEARNING, Tier.NOW, "score_forecast", slow_after=timedelta(minutes=20)),
)
def score_forecast() -> None:
    """Champion → model_output → forecasts, paths, areas, risks."""

    @task
    def score() -> dict[str, Any]:
        from caregrid.platform.steps import score

        return score()

    # The pool of the build: two writers never publish at once. It never emits marts, or it would loop.
    @task(pool="warehouse_write", outlets=[FORECAST])
    def build_forecast() -> dict[str, Any]:
        from caregrid.platform.steps import build_forecast

        return build_forecast()

    with_links(score(), ModelLink()) >> with_links(build_forecast(), BuildLink())


score_forecast()
