"""Tells which files an ingest read and which tables its loads went to, for the lineage of its task."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import psycopg

from caregrid.database.connect import connect
from caregrid.errors import CareGridError
from caregrid.feeds import Feed
from caregrid.lineage import events, task

log = logging.getLogger(__name__)

_FILES = """
select load.source, file.uri, file.member, file.sha256
from raw.load as load join landing.file as file using (file_id)
where load.load_id = any(%s) order by load.load_id
"""


def tell(feed: Feed, load_ids: Sequence[int], rows_rejected: int = 0) -> None:
    """Note what the loads of this task read and wrote."""
    if not load_ids:
        return
    try:
        with connect("loader") as connection:
            files = connection.execute(_FILES, [list(load_ids)]).fetchall()
    except (CareGridError, psycopg.Error) as error:
        # The loads are staged; that nobody is told of them undoes nothing.
        log.warning("the files of loads %s are not told: %s", load_ids, error)
        return
    contracts = {
        output.contract for source in {source for source, *_ in files} for output in feed.outputs_of(source)
    }
    tables = ["raw.load", *(f"canonical.{contract}" for contract in sorted(contracts))]
    if rows_rejected:
        tables.append("rejected.record")
    task.note(
        inputs=[events.file(uri, member, sha256) for _, uri, member, sha256 in files],
        outputs=[events.table(name) for name in tables],
        **events.loads(load_ids),
    )
