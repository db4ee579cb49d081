"""Airflow's REST API as the platform uses it: triggers, progress, pools. The CLI takes 10 s a call."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import httpx

from caregrid.errors import CareGridError
from caregrid.platform import accounts, environment

# A busy API server answers 500 now and then, say while a DAG is written anew; asking again is harmless.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
# By status; of any other the server's log tells more.
_FIXES = {
    401: "the accounts have changed since it started: `make down`, then `make up`",
    403: "the account may not do that: use one whose role may (README, Two commands)",
    404: "Airflow knows no such thing: see its name; the DAG of a new feed is parsed within a minute",
    409: "it is there already: wait until it has ended, or see it in Airflow",
}


class AirflowClient:
    """A signed-in client of the API server."""

    def __init__(self, base_url: str, token: str) -> None:
        # trust_env off: a proxy of the user's shell must see nothing of this.
        self._http = httpx.Client(
            base_url=f"{base_url}/api/v2",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60.0,
            trust_env=False,
        )

    def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Send one request; return its JSON. What only reads is asked again after a fault of the server.

        Raises:
            CareGridError: Airflow refuses, with what it answered.
        """
        answer = self._http.request(method, path, **options)
        for pause in _PAUSES if method == "GET" else ():
            if answer.status_code < 500:
                break
            time.sleep(pause)
            answer = self._http.request(method, path, **options)
        if answer.status_code >= 400:
            raise CareGridError(
                f"Airflow answered {answer.status_code}: {answer.text[:500]}",
                where=f"{method} {path}",
                fix=_FIXES.get(answer.status_code, "see var/logs/airflow-api-server.log, then run it again"),
            )
        return dict(answer.json()) if answer.content else {}

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Create a pool, or give it this size."""
        body = {"slots": slots, "description": description, "include_deferred": False}
        if self._http.get(f"/pools/{name}").status_code == 404:
            self.request("POST", "/pools", json=body | {"name": name})
        else:
            # The same field bears another name here.
            self.request("PATCH", f"/pools/{name}", json=body | {"pool": name})

    def scheduler_is_healthy(self) -> bool:
        """Whether a scheduler has sent its heartbeat lately."""
        health = self.request("GET", "/monitor/health")
        return bool(health["scheduler"]["status"] == "healthy")

    def dag_ids(self) -> set[str]:
        """Return the ids of the DAGs that Airflow has parsed."""
        listed = self.request("GET", "/dags", params={"limit": 100, "exclude_stale": True})
        ids = {dag["dag_id"] for dag in listed["dags"]}
        while len(ids) < listed["total_entries"]:
            listed = self.request(
                "GET", "/dags", params={"limit": 100, "offset": len(ids), "exclude_stale": True}
            )
            if not listed["dags"]:
                break
            ids |= {dag["dag_id"] for dag in listed["dags"]}
        return ids

    def import_errors(self) -> list[str]:
        """Return what Airflow could not import: file and the last line of the error."""
        found = self.request("GET", "/importErrors", params={"limit": 100})["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in found]

    def unpause(self, dag_id: str, paused: bool = False) -> None:
        """Let a DAG run, or pause it."""
        self.request("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    def next_run_after(self, dag_id: str) -> datetime | None:
        """Return when a DAG's schedule comes round next, None where it has none."""
        moment = self.request("GET", f"/dags/{dag_id}")["next_dagrun_run_after"]
        return datetime.fromisoformat(moment) if moment else None

    def is_paused(self, dag_id: str) -> bool:
        """Whether a DAG is paused."""
        return bool(self.request("GET", f"/dags/{dag_id}")["is_paused"])

    def trigger(
        self, dag_id: str, conf: dict[str, Any] | None = None, logical_date: str | None = None
    ) -> str:
        """Queue a run; return its id."""
        body = {"conf": conf or {}, "logical_date": logical_date}
        return str(self.request("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def runs(self, dag_id: str, since: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG queued at or after a moment (ISO 8601), newest first."""
        options = {"limit": 100, "order_by": "-id", "run_after_gte": since}
        return list(self.request("GET", f"/dags/{dag_id}/dagRuns", params=options)["dag_runs"])

    def drop_queued(self, dag_id: str, keep: str) -> None:
        """Delete the runs of a DAG that wait for their turn, all but one."""
        for run in self.request("GET", f"/dags/{dag_id}/dagRuns", params={"state": "queued"})["dag_runs"]:
            if run["dag_run_id"] != keep:
                self.request("DELETE", f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}")

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return one run."""
        return self.request("GET", f"/dags/{dag_id}/dagRuns/{run_id}")

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the tasks of a run with their states and times."""
        found = self.request("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 100})
        return list(found["task_instances"])


def sign_in(account: str = "admin") -> AirflowClient:
    """Return a client of the running API server, signed in with a generated account.

    Raises:
        CareGridError: the server does not run, or refuses.
    """
    base_url = environment.deployment().airflow_url
    try:
        answer = httpx.post(
            f"{base_url}/auth/token",
            json={"username": account, "password": accounts.passwords()[account]},
            timeout=30.0,
            trust_env=False,
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise CareGridError(f"cannot sign in to Airflow: {error}", where=base_url, fix="make up") from error
    return AirflowClient(base_url, answer.json()["access_token"])
