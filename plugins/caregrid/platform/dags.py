"""What all DAG files share: assets, tags, owners, retries, deadlines. Light: every parse imports it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

from airflow.sdk import (  # type: ignore[attr-defined]
    Asset,
    BaseOperatorLink,
    CronTriggerTimetable,
    DeadlineAlert,
    DeadlineReference,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    SyncCallback,
)

from caregrid.platform.deadlines import say_run_is_slow
from caregrid.platform.runbooks import documentation

__all__ = [
    "FORECAST",
    "GATE_RESULT",
    "MARTS",
    "MODEL",
    "Owner",
    "Tier",
    "documentation",
    "feed_asset",
    "settings",
]


class Tier(StrEnum):
    """How soon somebody must look when a DAG fails."""

    NOW = "tier:1"  # a bed manager decides on it within the hour
    TODAY = "tier:2"  # the served data grow old, and are still served
    THIS_WEEK = "tier:3"  # nobody outside the team would notice


class Owner(StrEnum):
    """Who answers for a DAG."""

    DATA_ENGINEERING = "data-engineering"
    MACHINE_LEARNING = "machine-learning"
    OPERATIONS = "operations"
    PLATFORM = "platform"


MARTS = Asset("marts", group="warehouse")
MODEL = Asset("model", group="models")
FORECAST = Asset("forecast", group="models")
GATE_RESULT = Asset("gate_result", group="warehouse")

# A policy can end the retries early, never add to them.
_RETRIES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            "psycopg.errors.InvalidPassword",
            RetryAction.FAIL,
            reason="A wrong password does not mend itself.",
        ),
        RetryRule(
            "psycopg.errors.InsufficientPrivilege",
            RetryAction.FAIL,
            reason="A missing grant does not mend itself.",
        ),
        RetryRule(
            # Exactly this class: its children (a file that is not there yet) may well mend themselves.
            "caregrid.errors.CareGridError",
            RetryAction.FAIL,
            reason="The input is wrong; the message says what to do.",
            match_subclasses=False,
        ),
        RetryRule(
            "psycopg.OperationalError",
            RetryAction.RETRY,
            retry_delay=timedelta(seconds=10),
            reason="The database was away.",
        ),
    ]
)


def feed_asset(feed: str) -> Asset:
    """Return the asset that a feed's ingest updates when it has staged something new."""
    return Asset(f"feed_{feed}", group="feed")


def cron(expression: str, timezone: str = "UTC") -> CronTriggerTimetable:
    """Return the schedule whose first run comes at its next moment, never at one that has passed.

    Without a start date, and with no tolerance: otherwise whoever switches a DAG on sets off a run at once.
    """
    return CronTriggerTimetable(expression, timezone=timezone, run_immediately=timedelta(0))


def settings(
    owner: Owner, tier: Tier, kind: str, slow_after: timedelta, retry_delay: timedelta = timedelta(seconds=20)
) -> dict[str, Any]:
    """Return the arguments that every DAG has in common.

    Args:
        owner: who answers for it.
        tier: how soon somebody must look.
        kind: the runbook's name; also a tag.
        slow_after: a run that has not ended this long after it was queued is slow, and somebody is told.
        retry_delay: between tries, doubled each time.
    """
    return {
        "catchup": False,
        "max_active_runs": 1,
        "tags": [tier, f"kind:{kind}"],
        "doc_md": documentation(kind),
        "default_args": {
            "owner": owner,
            "retries": 2,
            "retry_delay": retry_delay,
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(minutes=30),
            "retry_policy": _RETRIES,
        },
        "deadline": DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=slow_after,
            callback=SyncCallback(
                say_run_is_slow, kwargs={"slow_after_seconds": int(slow_after.total_seconds())}
            ),
        ),
        "dagrun_timeout": 8 * slow_after,
    }


def with_links(result: Any, *links: BaseOperatorLink) -> Any:
    """Show links on the task that gives `result`, and return `result`."""
    result.operator.operator_extra_links = links
    return result
