"""OpenLineage events as plain dictionaries: what ran, under which run, on which tables and files.

They follow OpenLineage 2-0-2. Written out here and not through a client library, whose import would cost
every task more than all that is told of it (docs/adr/0016); a test reads them with that library's classes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from caregrid.lineage.columns import Made

NAMESPACE = "caregrid"
PRODUCER = "urn:caregrid"
# The run that started this process, as dbt's and Spark's integrations read it: namespace/job/run.
PARENT = "OPENLINEAGE_PARENT_ID"
_SPEC = "https://openlineage.io/spec"
_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_BASE = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/BaseFacet"
_OURS = uuid.UUID("6f1d5c2e-3a55-4c43-9d0b-8f5b1c6f2a10")

Event = dict[str, Any]
Dataset = dict[str, Any]


def run_id(*parts: object) -> str:
    """Return the id of a run that is named by its parts: the same parts, the same id."""
    return str(uuid.uuid5(_OURS, "/".join(map(str, parts))))


def run_event(
    state: str,
    job: str,
    run: str,
    *,
    moment: datetime | str | None = None,
    kind: tuple[str, str] = ("AIRFLOW", "TASK"),
    facets: Mapping[str, Any] | None = None,
    inputs: Iterable[Dataset] = (),
    outputs: Iterable[Dataset] = (),
) -> Event:
    """Return one event of a run.

    Args:
        state: START, COMPLETE, ABORT or FAIL.
        job: what ran, such as ingest_sim_beds.land_and_stage.
        run: its id, a UUID.
        moment: when; now by default.
        kind: who ran it, and what it is: integration and type of job.
        facets: of the run.
        inputs: what it read.
        outputs: what it wrote.
    """
    moment = moment or datetime.now(UTC)
    integration, job_type = kind
    typed = {"processingType": "BATCH", "integration": integration, "jobType": job_type}
    return {
        "eventType": state,
        "eventTime": moment if isinstance(moment, str) else moment.isoformat(),
        "producer": PRODUCER,
        "schemaURL": _EVENT,
        "run": {"runId": run, "facets": dict(facets or {})},
        "job": {
            "namespace": NAMESPACE,
            "name": job,
            "facets": {"jobType": _facet("facets/2-0-4/JobTypeJobFacet", **typed)},
        },
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


def parent(job: str, run: str) -> dict[str, Any]:
    """Return the facets of a run that another run started."""
    told = {"run": {"runId": run}, "job": {"namespace": NAMESPACE, "name": job}}
    return {"parent": _facet("facets/1-2-0/ParentRunFacet", **told)}


def error(message: str) -> dict[str, Any]:
    """Return the facets of a run that failed."""
    told = {"message": message[:4000], "programmingLanguage": "PYTHON"}
    return {"errorMessage": _facet("facets/1-0-1/ErrorMessageRunFacet", **told)}


def loads(load_ids: Iterable[int]) -> dict[str, Any]:
    """Return the facets of a run that wrote loads: their numbers in raw.load. The facet is our own."""
    return {"caregrid_loads": {"_producer": PRODUCER, "_schemaURL": _BASE, "load_ids": list(load_ids)}}


def table(name: str, made: Mapping[str, Made] | None = None) -> Dataset:
    """Return a table of the warehouse by schema and name, with what its columns are made of, where known."""
    namespace, prefix = _warehouse()
    found: Dataset = {"namespace": namespace, "name": f"{prefix}.{name}"}
    if made is not None:
        found["facets"] = {
            "columnLineage": _facet(
                "facets/1-2-0/ColumnLineageDatasetFacet",
                fields={column: _column(one, namespace, prefix) for column, one in made.items()},
            )
        }
    return found


def table_name(dataset: Mapping[str, Any]) -> str:
    """Return schema and name of a table that an event names."""
    return str(dataset["name"]).split(".", 1)[1]


def file(uri: str, member: str = "", sha256: str = "") -> Dataset:
    """Return what lies at an address that a feed reads, a member of an archive or a whole file."""
    parts = urlsplit(uri)
    path = f"{parts.path}#{member}" if member else parts.path
    if parts.scheme in ("", "file"):
        found: Dataset = {"namespace": "file", "name": path}
    else:
        # Without the part before @: an address may hold a password.
        host = parts.netloc.rpartition("@")[2]
        # A key in a bucket begins with no slash.
        name = path.lstrip("/") if parts.scheme == "s3" else path or "/"
        found = {"namespace": f"{parts.scheme}://{host}", "name": name}
    if sha256:
        version = _facet("facets/1-0-1/DatasetVersionDatasetFacet", datasetVersion=sha256)
        found["facets"] = {"version": version}
    return found


def _column(made: Made, namespace: str, prefix: str) -> dict[str, Any]:
    fields = [
        {
            "namespace": namespace,
            "name": f"{prefix}.{name}",
            "field": field,
            "transformations": [{"type": "DIRECT", "subtype": step.name, "masking": False}],
        }
        for (name, field), step in made.of.items()
    ]
    told = made.expression or ("" if made.of else "a constant")
    if made.rows:
        told = f"{told} -- counts the rows of {', '.join(made.rows)}"
    return {"inputFields": fields, **({"transformationDescription": told} if told else {})}


def _facet(schema: str, **told: Any) -> dict[str, Any]:
    name = schema.rpartition("/")[2]
    return {"_producer": PRODUCER, "_schemaURL": f"{_SPEC}/{schema}.json#/$defs/{name}", **told}


def _warehouse() -> tuple[str, str]:
    """Return the namespace and the database that every name of a table begins with."""
    # Airflow's services import this module and need no database driver for it.
    from caregrid.database.connect import ROLES, parameters
    from caregrid.errors import CareGridError

    found: dict[str, str] = {}
    for role in ROLES:
        try:
            found = parameters(role)
            break
        except CareGridError:
            # A worker may hold the passwords of some roles alone; all lead to one database.
            continue
    address = f"{found.get('host', '127.0.0.1')}:{found.get('port', '5432')}"
    return f"postgres://{address}", found.get("dbname", "warehouse")
