"""Follows a chain of asset-triggered DAG runs from the first ingest to the alert, through Airflow's API."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from caregrid.platform.airflow_client import AirflowClient

_POLL_SECONDS = 0.7
_ENDED = {"success", "failed"}


@dataclass(frozen=True)
class Link:
    """One DAG of the chain.

    Attributes:
        dag_id: the DAG.
        emitters: the tasks that update what its successors wait for.
        after: the DAGs whose emitters start it.
    """

    dag_id: str
    emitters: Sequence[str]
    after: Sequence[str]


CHAIN = (
    Link("build_warehouse", ["publish"], []),
    Link("train_forecast", ["train"], ["build_warehouse"]),
    Link("score_forecast", ["build_forecast"], ["build_warehouse", "train_forecast"]),
    Link("evaluate_alerts", [], ["build_warehouse", "score_forecast"]),
    Link("document_warehouse", [], ["build_warehouse"]),
)


@dataclass
class Progress:
    """What has happened so far: per DAG its runs, and the moment (ISO 8601) of its last emission."""

    runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    emitted: dict[str, str] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def is_settled(self, link: Link) -> bool:
        """Whether nothing of a DAG is still to come: a run that ended has answered each emission."""
        runs = self.runs.get(link.dag_id, [])
        if any(run["state"] not in _ENDED for run in runs):
            return False
        newest = max((str(run["queued_at"]) for run in runs), default="")
        return all(newest >= self.emitted[name] for name in link.after if name in self.emitted)

    def look(self, client: AirflowClient, dag_id: str, emitters: Sequence[str], since: str) -> None:
        """Ask Airflow for the runs of a DAG and, once for each that ended, when its emitters succeeded."""
        self.runs[dag_id] = client.runs(dag_id, since)
        for run in self.runs[dag_id]:
            key = (dag_id, run["dag_run_id"])
            if emitters and run["state"] in _ENDED and key not in self._seen:
                self._seen.add(key)
                self.note_emission(client, *key, emitters)

    def note_emission(self, client: AirflowClient, dag_id: str, run_id: str, emitters: Sequence[str]) -> None:
        """Note when the emitting tasks of a run succeeded."""
        for task in client.task_instances(dag_id, run_id):
            if task["task_id"] in emitters and task["state"] == "success":
                self.emitted[dag_id] = max(self.emitted.get(dag_id, ""), str(task["end_date"]))

    def failed(self) -> list[tuple[str, str]]:
        """Return (dag, run) of every run that failed."""
        return [
            (dag_id, run["dag_run_id"])
            for dag_id, runs in self.runs.items()
            for run in runs
            if run["state"] == "failed"
        ]


def follow(
    client: AirflowClient,
    ingests: dict[str, str],
    since: str,
    say: Callable[[Progress, str], None],
    seconds: float = 3600.0,
) -> Progress:
    """Wait until the ingests and everything they set off have ended.

    Args:
        client: signed in.
        ingests: {dag_id: run_id} of the runs triggered.
        since: ISO 8601 moment; older runs are none of ours.
        say: called at each look with what is known and the DAG that is waited for.
        seconds: how long to wait at most.

    Raises:
        TimeoutError: it takes longer.
    """
    progress = Progress()
    deadline = time.monotonic() + seconds
    waiting = dict(ingests)
    while time.monotonic() < deadline:
        for dag_id, run_id in list(waiting.items()):
            run = client.run(dag_id, run_id)
            progress.runs[dag_id] = [run]
            if run["state"] in _ENDED:
                # Its own schedule may come round meanwhile, and would take more than was asked for.
                client.unpause(dag_id, paused=True)
                progress.note_emission(client, dag_id, run_id, ["land_and_stage"])
                del waiting[dag_id]
            else:
                client.drop_queued(dag_id, keep=run_id)
        for link in CHAIN:
            progress.look(client, link.dag_id, link.emitters, since)
        build = Link("build_warehouse", ["publish"], list(ingests))
        chain = [build, *(link for link in CHAIN if link.dag_id != build.dag_id)]
        open_links = [link.dag_id for link in chain if not progress.is_settled(link)]
        say(progress, "ingest" if waiting else open_links[0] if open_links else "")
        if not waiting and not open_links:
            return progress
        time.sleep(_POLL_SECONDS)
    raise TimeoutError(f"the chain has not ended within {seconds:.0f} s")
