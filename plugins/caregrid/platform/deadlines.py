"""What happens when a run is slow: somebody is told. Late data are an alert rule's business instead."""

from __future__ import annotations

import json
import logging
from typing import Any

from caregrid import paths

log = logging.getLogger(__name__)


def say_run_is_slow(slow_after_seconds: int, context: dict[str, Any] | None = None) -> None:
    """Write to log and outbox that a run has not ended in time. Airflow calls it, by its import path."""
    run = (context or {}).get("dag_run") or {}
    line = {
        "kind": "run_is_slow",
        "dag_id": run.get("dag_id"),
        "run_id": run.get("dag_run_id") or run.get("run_id"),
        "slow_after_seconds": slow_after_seconds,
        "message": {
            "en": f"The run of {run.get('dag_id')} has not ended within {slow_after_seconds // 60} minutes.",
            "zh": f"{run.get('dag_id')} 的运行超过 {slow_after_seconds // 60} 分钟仍未结束。",
        },
    }
    log.warning("run is slow: %s", line)
    outbox = paths.var("outbox")
    outbox.mkdir(parents=True, exist_ok=True)
    with (outbox / "slow_runs.ndjson").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")
