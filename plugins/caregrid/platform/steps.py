"""What the tasks of the DAGs call: the library's functions, with small results, and skips where idle.

Every heavy import happens inside a function: one per task, none at parse.
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
import os
import threading
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk.exceptions import AirflowSkipException

from caregrid.errors import CareGridError

log = logging.getLogger(__name__)


def ingest_feed(
    feed_name: str, day: date | None, when: tuple[str, datetime | None], run_id: str, files: str | None = None
) -> list[str]:
    """Land and stage one feed; return the files that could not be taken.

    Args:
        feed_name: a name in dags/feeds.
        day: the publication day asked for, if any.
        when: type and logical date of the Airflow run.
        run_id: of the Airflow run, kept with the loads.
        files: a glob; only these are taken.

    The day is the publication day: the Param, else the logical date of a backfill, or of a manual run set
    into the past. A scheduled run takes what is there.

    Raises:
        AirflowSkipException: nothing new; success would tell the build that there is.
        CareGridError: nothing at all could be taken.
    """
    from caregrid.feeds import load_feed
    from caregrid.landing.addresses import today
    from caregrid.loading import IngestFailedError, ingest
    from caregrid.loading.told import tell

    feed = load_feed(feed_name)
    run_type, logical_date = when
    if day is None and logical_date is not None and run_type in ("backfill", "manual"):
        local = logical_date.astimezone(ZoneInfo(feed.timezone))
        if run_type == "backfill" and _is_later_tick(feed.schedule, local):
            raise AirflowSkipException(f"{local.date()} is taken by the first run of that day")
        if run_type == "backfill" or local.date() < today(feed):
            day = local.date()
    try:
        summary = ingest(feed.name, day, run_id, reload=day is not None, files=files)
    except IngestFailedError as failed:
        if not failed.summary["loads_staged"]:
            raise
        summary = failed.summary
    log.info("%s", summary)
    tell(feed, summary["load_ids"], summary["rows_rejected"])
    for note in summary["notes"]:
        log.warning("%s", note)
    if not summary["loads_staged"] and not summary["failures"]:
        raise AirflowSkipException("; ".join(["nothing new", *summary["notes"]]))
    return list(summary["failures"])


def _is_later_tick(schedule: str | None, moment: datetime) -> bool:
    """Whether an earlier run of the schedule falls on the same day: a day is reloaded only once."""
    if not schedule:
        return False
    # Airflow's own reader of cron expressions; it bears no types.
    croniter = importlib.import_module("croniter").croniter
    earlier: datetime = croniter(schedule, moment).get_prev(datetime)
    return earlier.date() == moment.date()


def gate_loads(quiet_seconds: float) -> dict[str, Any]:
    """Wait for feeds to pause, then accept or refuse every staged load.

    Raises:
        CareGridError: a verdict could not be carried out; the load is still staged and a retry decides it.
    """
    from caregrid.gates import gate_staged
    from caregrid.platform.debounce import is_anything_staged, wait_for_quiet

    if is_anything_staged():
        # The import takes seconds, which pass while loads still come in.
        threading.Thread(target=importlib.import_module, args=["great_expectations"], daemon=True).start()
    log.info("waited %.1f s for more loads", wait_for_quiet(quiet_seconds))
    verdict = gate_staged().to_dict()
    log.info("%s", verdict)
    if verdict["undecided"]:
        raise CareGridError(
            f"verdicts that could not be carried out: {verdict['undecided']}",
            where="raw.load",
            fix="the loads stay staged; mend what each says and clear the task gate_loads",
        )
    return verdict


def build(full_refresh: bool) -> dict[str, Any]:
    """Build and publish what accepted loads touch.

    Raises:
        AirflowSkipException: every accepted load is built already.
    """
    from caregrid.warehouse import build

    result = _plain(build(full_refresh=full_refresh))
    log.info("%s", result)
    if result["status"] == "nothing_to_do":
        raise AirflowSkipException("every accepted load is built already")
    return result


def confirm_published(built: dict[str, Any]) -> None:
    """Fail where the build was refused: what is served is the old, and nothing downstream must start."""
    if built["status"] != "published":
        raise CareGridError(
            f"build {built['build_id']} was not published: {built['reason']}",
            fix="see docs/runbooks/build_warehouse.md",
        )


def skip_unless_gates_failed(gated: dict[str, Any], built: dict[str, Any]) -> None:
    """Let the event through only where a gate refused or warned: alerts then need not wait for the clock."""
    if not gated["refused"] and not gated["warnings"] and built["status"] == "published":
        raise AirflowSkipException("both gates passed without a remark")


def build_forecast() -> dict[str, Any]:
    """Build and publish what depends on the newest forecast."""
    from caregrid.warehouse import build_forecast

    result = _plain(build_forecast())
    log.info("%s", result)
    if result["status"] == "nothing_to_do":
        raise AirflowSkipException("what is served holds every forecast already")
    confirm_published(result)
    return result


def train(settings: str, force: bool) -> dict[str, Any]:
    """Train a challenger if one is due.

    Args:
        settings: `whole` or `demo`, of the forecaster.
        force: train whether due or not.

    Raises:
        AirflowSkipException: the champion is young and does not drift.
    """
    from caregrid import clock
    from ml.training import train

    result = train(settings, clock.now(), force=force, progress=log.info)
    log.info("%s", result.message)
    if result.run_id is None:
        raise AirflowSkipException(result.message)
    return {"run_id": result.run_id, "version": result.version, "message": result.message}


def veto_model(reason: str, version: str | None, who: str | None, run_id: str) -> str:
    """Take the champion off and let an earlier one serve again; return what was done.

    Args:
        reason: kept in the history.
        version: the one that is to serve; None: the champion before this one.
        who: whom Airflow knows as having asked for it.
        run_id: of the Airflow run, which asks once however often it is tried again.

    Raises:
        CareGridError: there is nothing to go back to, or the version cannot serve.
    """
    from caregrid.database.connect import connect
    from ml.tracking.registry import rollback

    with connect("model") as connection:
        before, now = rollback(connection, who or "somebody in Airflow", reason, version or None, run_id)
    said = f"version {now} serves again, in place of {before}"
    log.info("%s", said)
    return said


def score() -> dict[str, Any]:
    """Forecast with the champion.

    Raises:
        AirflowSkipException: there is no champion yet.
    """
    from caregrid import clock
    from caregrid.lineage import events, task
    from ml.scoring import score
    from ml.warehouse.data import READS
    from ml.warehouse.output import SCORED

    try:
        result = _plain(score(clock.now(), progress=log.info))
    except LookupError as none_yet:
        raise AirflowSkipException(str(none_yet)) from none_yet
    log.info("%s", result)
    task.note(inputs=[events.table(name) for name in READS], outputs=[events.table(name) for name in SCORED])
    return result


def write_documentation() -> list[str]:
    """Write var/docs, politely: the pages wait for whatever else wants the processor."""
    from caregrid.platform import documents

    os.nice(10)
    return [str(page) for page in documents.write_all()]


def evaluate_alerts() -> dict[str, Any]:
    """Evaluate every rule once and send what changed."""
    from caregrid.alerts import evaluate

    result = _plain(evaluate())
    log.info("%s", result)
    if result["broken"]:
        raise CareGridError(
            f"rules that could not be evaluated: {result['broken']}",
            where="plugins/caregrid/alerts/rules",
            fix="all other rules were; mend what each says, and the next run evaluates them again",
        )
    return result


def _plain(result: Any) -> dict[str, Any]:
    """Return a dataclass, or a dict, as plain values."""
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return dataclasses.asdict(result)
    return dict(result or {})
