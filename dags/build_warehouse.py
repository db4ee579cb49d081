"""Gates what feeds have staged, builds what it touches beside the served tables, and publishes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetAny, Param, dag, task
from caregrid.feeds import feed_files
from caregrid.platform.dags import GATE_RESULT, MARTS, Owner, Tier, feed_asset, settings, with_links
from caregrid.platform.links import BuildLink, DataDocsLink


@dag(
    dag_display_name="build_warehouse · 质检、构建并发布数据仓库",
    description="Gates what feeds have staged, builds what it touches, publishes it in one transaction",
    schedule=AssetAny(*(feed_asset(file.stem) for file in feed_files())),
    is_paused_upon_creation=False,
    params={
        "full_refresh": Param(False, type="boolean", title="Rebuild everything · 全部重建"),
        "debounce_seconds": Param(
            4, type="number", minimum=0, title="Wait for more loads · 等待更多数据（秒）"
        ),
    },
    **settings(Owner.DATA_ENGINEERING, Tier.NOW, "build_warehouse", slow_after=timedelta(minutes=30)),
)
def build_warehouse() -> None:
    """Staged loads → gate → build → marts."""

    @task
    def gate_loads(params: dict[str, Any]) -> dict[str, Any]:
        from caregrid.platform.steps import gate_loads

        return gate_loads(params["debounce_seconds"])

    @task(pool="warehouse_write")
    def build(params: dict[str, Any]) -> dict[str, Any]:
        from caregrid.platform.steps import build

        return build(params["full_refresh"])

    @task(outlets=[MARTS], retries=0)
    def publish(built: dict[str, Any]) -> None:
        from caregrid.platform.steps import confirm_published

        confirm_published(built)

    @task(outlets=[GATE_RESULT])
    def tell_of_gates(gated: dict[str, Any], built: dict[str, Any]) -> None:
        from caregrid.platform.steps import skip_unless_gates_failed

        skip_unless_gates_failed(gated, built)

    gated = with_links(gate_loads(), DataDocsLink())
    built = with_links(build(), BuildLink(), DataDocsLink())
    gated >> built
    publish(built)
    tell_of_gates(gated, built)


build_warehouse()
