"""Tells every run of a DAG and of a task as OpenLineage events, from within Airflow: one appended line each.

The hooks of tasks run in the task's own process, those of DAGs in the scheduler. Nothing here waits for a
network or imports a library, and an error never reaches the work: Airflow logs it.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.listeners import hookimpl

from caregrid.lineage import events, journal, task

# What sends the events would otherwise have one to send whenever it is done.
_UNTOLD = {"send_lineage"}


@hookimpl
def on_task_instance_running(previous_state: Any, task_instance: Any) -> None:
    """Tell that a task begins; what it starts names it as its parent."""
    task.take()
    job, run = _of_task(task_instance)
    os.environ[events.PARENT] = f"{events.NAMESPACE}/{job}/{run}"
    _tell("START", task_instance)


@hookimpl
def on_task_instance_success(previous_state: Any, task_instance: Any) -> None:
    """Tell that a task ended well."""
    _tell("COMPLETE", task_instance)


@hookimpl
def on_task_instance_skipped(previous_state: Any, task_instance: Any) -> None:
    """Tell that a task found nothing to do."""
    _tell("COMPLETE", task_instance)


@hookimpl
def on_task_instance_failed(previous_state: Any, task_instance: Any, error: Any) -> None:
    """Tell that a try of a task failed, or that its process was lost."""
    _tell("FAIL", task_instance, error)


@hookimpl
def on_dag_run_running(dag_run: Any, msg: str) -> None:
    """Tell that a run of a DAG begins."""
    _tell_run("START", dag_run)


@hookimpl
def on_dag_run_success(dag_run: Any, msg: str) -> None:
    """Tell that a run of a DAG ended well."""
    _tell_run("COMPLETE", dag_run)


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """Tell that a run of a DAG failed."""
    _tell_run("FAIL", dag_run, msg)


def _tell(state: str, instance: Any, error: Any = None) -> None:
    job, run = _of_task(instance)
    if instance.dag_id in _UNTOLD:
        return
    # The scheduler, too, tells of tasks: of those whose process it lost, which have noted nothing there.
    done = task.take() if state != "START" else task.Work()
    facets = {**events.parent(instance.dag_id, _run_of(instance)), **done.facets}
    if state == "FAIL":
        facets |= events.error(_masked(error) if error else "the task's process ended without a word")
    journal.write(
        [events.run_event(state, job, run, facets=facets, inputs=done.inputs, outputs=done.outputs)]
    )


def _masked(error: Any) -> str:
    """Return what an error says, without the secrets that Airflow hides in its logs, too."""
    from airflow.sdk._shared.secrets_masker import redact

    return str(redact(str(error)))


def _tell_run(state: str, dag_run: Any, message: str = "") -> None:
    if dag_run.dag_id in _UNTOLD:
        return
    facets = events.error(message or "a task failed") if state == "FAIL" else {}
    journal.write(
        [events.run_event(state, dag_run.dag_id, _run_of(dag_run), kind=("AIRFLOW", "DAG"), facets=facets)]
    )


def _of_task(instance: Any) -> tuple[str, str]:
    """Return the job of a task and the id of this try: not Airflow's own, which changes with a retry."""
    index = instance.map_index if instance.map_index is not None else -1
    run = events.run_id(instance.dag_id, instance.run_id, instance.task_id, index, instance.try_number)
    return f"{instance.dag_id}.{instance.task_id}", run


def _run_of(instance: Any) -> str:
    return events.run_id(instance.dag_id, instance.run_id)
