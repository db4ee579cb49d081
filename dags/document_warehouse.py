"""Documents the tables and what the gates found, after a publication and out of its way."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import AssetAny, dag, task
from caregrid.platform.dags import GATE_RESULT, MARTS, Owner, Tier, settings, with_links
from caregrid.platform.links import BuildLink, DataDocsLink


@dag(
    dag_display_name="document_warehouse · 生成文档",
    description="Writes the documentation of the tables and of what the gates found",
    schedule=AssetAny(MARTS, GATE_RESULT),
    is_paused_upon_creation=False,
    **settings(Owner.PLATFORM, Tier.THIS_WEEK, "document_warehouse", slow_after=timedelta(minutes=15)),
)
def document_warehouse() -> None:
    """Served tables and gate results → var/docs."""

    # Least weight: whoever waits for forecasts and alerts comes first.
    @task(priority_weight=1, weight_rule="absolute")
    def write_documentation() -> list[str]:
        from caregrid.platform.steps import write_documentation

        return write_documentation()

    with_links(write_documentation(), BuildLink(), DataDocsLink())


document_warehouse()
