"""Trains a challenger where the champion's absence, age or drift demands it; promotes it if better."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task
from caregrid.platform.dags import MARTS, MODEL, Owner, Tier, settings, with_links
from caregrid.platform.links import ModelLink


@dag(
    dag_display_name="train_forecast · 训练预测模型",
    description="Trains a challenger where one is due; promotes it if it is better",
    schedule=[MARTS],
    is_paused_upon_creation=False,
    params={
        "settings": Param(
            os.environ.get("CAREGRID_FORECAST_SETTINGS", "whole"),
            enum=["whole", "demo"],
            title="Settings · 训练规模",
        ),
        "force": Param(False, type="boolean", title="Train whatever the champion's age · 强制训练"),
    },
    **settings(Owner.MACHINE_LEARNING, Tier.THIS_WEEK, "train_forecast", slow_after=timedelta(hours=1)),
)
def train_forecast() -> None:
    """Served marts → back-test → challenger → champion."""

    @task(outlets=[MODEL], retries=1)
    def train(params: dict[str, Any]) -> dict[str, Any]:
        from caregrid.platform.steps import train

        return train(params["settings"], params["force"])

    with_links(train(), ModelLink())


train_forecast()
