"""Evaluates the alert rules on new data and every five minutes, because silence emits no event."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetAny, AssetOrTimeSchedule, dag, task
from caregrid.platform.dags import FORECAST, GATE_RESULT, MARTS, Owner, Tier, cron, settings


@dag(
    dag_display_name="evaluate_alerts · 评估告警规则",
    description="Evaluates the alert rules on new data and every five minutes; tells each change once",
    schedule=AssetOrTimeSchedule(
        timetable=cron("*/5 * * * *"),
        assets=AssetAny(MARTS, FORECAST, GATE_RESULT),
    ),
    is_paused_upon_creation=False,
    **settings(Owner.OPERATIONS, Tier.NOW, "evaluate_alerts", slow_after=timedelta(minutes=5)),
)
def evaluate_alerts() -> None:
    """Rules → changes of state → messages, each once."""

    @task(retry_delay=timedelta(seconds=5))
    def evaluate() -> dict[str, Any]:
        from caregrid.platform.steps import evaluate_alerts

        return evaluate_alerts()

    evaluate()


evaluate_alerts()
