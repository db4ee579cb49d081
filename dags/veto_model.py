"""Takes the champion off by a person's word; an earlier one serves again, and forecasts at once."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, dag, get_current_context, task
from caregrid.platform.dags import MODEL, Owner, Tier, settings, with_links
from caregrid.platform.links import ModelLink


@dag(
    dag_display_name="veto_model · 否决模型",
    description="Lets an earlier model serve again, for a reason that is kept",
    schedule=None,
    is_paused_upon_creation=False,
    params={
        "reason": Param(
            type="string",
            minLength=3,
            title="Reason · 原因",
            description="Kept in the history beside your name. · 与您的姓名一同保留在历史记录中。",
        ),
        "version": Param(
            None,
            type=["null", "string"],
            pattern="^[0-9]+$",
            title="Version that is to serve · 要启用的版本",
            description="Empty: the champion before this one. · 留空则启用上一个正式模型。",
        ),
    },
    **settings(Owner.MACHINE_LEARNING, Tier.NOW, "veto_model", slow_after=timedelta(minutes=10)),
)
def veto_model() -> None:
    """A person's reason → the champion before → score_forecast."""

    @task(outlets=[MODEL])
    def veto() -> str:
        from caregrid.platform.steps import veto_model

        context = get_current_context()
        run, params = context["dag_run"], context["params"]
        return veto_model(params["reason"], params["version"], run.triggering_user_name, run.run_id)

    with_links(veto(), ModelLink())


veto_model()
