"""Keeps the place small and quick: old runs, logs, joint paths, dead rows, deleted models, unused files."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task
from caregrid.platform.dags import Owner, Tier, cron, settings


@dag(
    dag_display_name="maintain · 日常维护",
    description="Removes old runs, logs and joint paths, dead rows, deleted models and unused landed files",
    schedule=cron("30 3 * * *"),
    is_paused_upon_creation=False,
    params={
        "keep_run_days": Param(
            30, type="integer", minimum=1, title="Days of runs and logs kept · 运行记录保留天数"
        ),
        "keep_path_days": Param(
            7, type="integer", minimum=1, title="Days of joint paths kept · 联合路径保留天数"
        ),
    },
    **settings(Owner.PLATFORM, Tier.THIS_WEEK, "maintain", slow_after=timedelta(hours=1)),
)
def maintain() -> None:
    """Six independent cleanings and a look; one that fails does not keep the others from their work."""

    @task
    def clean_airflow(params: dict[str, Any]) -> str:
        from caregrid.platform.maintenance import clean_airflow

        return clean_airflow(params["keep_run_days"])

    @task
    def clean_logs(params: dict[str, Any]) -> str:
        from caregrid.platform.maintenance import clean_logs

        return clean_logs(params["keep_run_days"])

    @task
    def clean_paths(params: dict[str, Any]) -> str:
        from caregrid.platform.maintenance import clean_paths

        return clean_paths(params["keep_path_days"])

    @task
    def vacuum_warehouse() -> str:
        from caregrid.platform.maintenance import vacuum_warehouse

        return vacuum_warehouse()

    @task
    def clean_mlflow(params: dict[str, Any]) -> str:
        from caregrid.platform.maintenance import clean_mlflow

        return clean_mlflow(params["keep_run_days"])

    @task
    def clean_landing() -> str:
        from caregrid.platform.maintenance import clean_landing

        return clean_landing()

    @task
    def check_sources() -> str:
        from caregrid.platform.maintenance import check_sources

        return check_sources()

    clean_airflow()
    clean_logs()
    clean_paths()
    vacuum_warehouse()
    clean_mlflow()
    clean_landing()
    check_sources()


maintain()
