"""Sends lineage on to a server such as Marquez; it exists only where CAREGRID_OPENLINEAGE_URL names one."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task
from caregrid.lineage.send import server
from caregrid.platform.dags import Owner, Tier, cron, settings


@dag(
    dag_display_name="send_lineage · 发送血缘事件",
    description="Sends OpenLineage events from var/lineage on to the server that is named",
    schedule=cron("* * * * *"),
    is_paused_upon_creation=False,
    **settings(Owner.DATA_ENGINEERING, Tier.THIS_WEEK, "send_lineage", slow_after=timedelta(minutes=15)),
)
def send_lineage() -> None:
    """var/lineage → the server."""

    @task
    def send() -> int:
        from caregrid.lineage.send import send

        return send()

    send()


if server():
    send_lineage()
