"""Tells what a build does as OpenLineage events: the run of dbt, then each model and seed, with columns."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caregrid.lineage import events, journal
from caregrid.warehouse import dbt
from caregrid.warehouse.lineage import Lineage, current_lineage, served_name, write_lineage

log = logging.getLogger(__name__)

_ENDED = {"success": "COMPLETE", "error": "FAIL"}


class Told:
    """One run of dbt. Nothing here ever fails a build: what cannot be told is logged."""

    def __init__(self, kind: str) -> None:
        self._job = f"dbt.build_{kind}"
        self._run = str(uuid.uuid4())
        self._ran: tuple[dbt.Outcome, Path, bool] | None = None
        self._tell("START")

    def ran(self, outcome: dbt.Outcome, target: Path, whole: bool) -> None:
        """Keep what dbt did, and where its SQL lies; `whole`: no table was built by touched keys."""
        self._ran = (outcome, target, whole)

    def ended(self, reason: str | None) -> None:
        """Tell of every model, and how the whole ended: published, or refused for a `reason`."""
        try:
            if self._ran is not None:
                journal.write(self._models(*self._ran, is_published=reason is None))
            facets = {} if reason is None else events.error(reason)
            self._tell("COMPLETE" if reason is None else "FAIL", facets)
        except Exception:
            log.exception("the lineage of the build was not told")

    def _tell(self, state: str, facets: Mapping[str, Any] | None = None) -> None:
        above: dict[str, Any] = {}
        # namespace/job/run of the task that this process runs, if any.
        started_by = os.environ.get(events.PARENT, "").split("/")
        if len(started_by) == 3:
            above = events.parent(*started_by[1:])
        journal.write(
            [
                events.run_event(
                    state, self._job, self._run, kind=("DBT", "JOB"), facets={**above, **(facets or {})}
                )
            ]
        )

    def _models(
        self, outcome: dbt.Outcome, target: Path, whole: bool, is_published: bool
    ) -> Iterator[events.Event]:
        lineage = _lineage(outcome, target, whole)
        nodes = outcome.manifest["nodes"]
        relations = {**nodes, **outcome.manifest["sources"]}
        for node in outcome.nodes:
            state = _ENDED.get(node.status)
            # A test makes no table; what was skipped never began.
            if node.resource_type not in ("model", "seed") or state is None or not node.started_at:
                continue
            definition = nodes[node.unique_id]
            name = served_name(definition)
            job = f"{self._job}.{name}"
            run = events.run_id(self._run, node.unique_id)
            facets = events.parent(self._job, self._run)
            told: dict[str, Any] = {"kind": ("DBT", node.resource_type.upper())}
            yield events.run_event("START", job, run, moment=node.started_at, facets=facets, **told)
            if state == "FAIL":
                facets |= events.error(node.message or node.status)
            inputs = [
                events.table(served_name(relations[above]))
                for above in definition["depends_on"].get("nodes", [])
                if above in relations
            ]
            # What was refused stays where it was built, and nobody reads it.
            output = name if is_published else f"{definition['schema']}.{definition['name']}"
            columns = lineage.tables.get(name) if lineage and name not in lineage.unread else None
            written = [events.table(output, columns)] if state == "COMPLETE" else []
            yield events.run_event(
                state,
                job,
                run,
                moment=node.finished_at,
                facets=facets,
                inputs=inputs,
                outputs=written,
                **told,
            )


def _lineage(outcome: dbt.Outcome, target: Path, whole: bool) -> Lineage | None:
    """Return the columns of the present models; read anew when others than before were built whole."""
    found = current_lineage()
    if found is None and whole and outcome.succeeded:
        found = write_lineage(target, outcome.manifest)
        for reason in found.unread.values():
            log.warning("columns that cannot be followed: %s", reason)
    return found
