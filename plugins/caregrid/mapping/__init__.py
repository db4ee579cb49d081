"""From the bytes of a landed file to typed rows, rejects and filtered records. Pure: no database, no network.

How the loader uses it:

    feed = caregrid.feeds.load_feed(path)
    source = feed.sources["hourly"]
    for member in members(source, landed_path) or [""]:          # zip members; [""] for a plain file
        context = inspect_file(feed, source, landed_path, file_name=..., member=member, last_modified=...)
        outputs = feed.outputs_of(source.name)
        for batch in read(source, landed_path, member=member):    # UnreadableFile → one rejected file
            for part in batch.parts(records_at_once(outputs, context)):
                for output in outputs:
                    mapped = map_batch(feed, output, part, context)

`inspect_file` and `read` raise UnreadableFile, also in the middle of a file: the load is rolled back then.
Reader-level rejects stand in batch.rejects, once per record, and in no Mapped.
"""

from __future__ import annotations

from caregrid.mapping.facts import inspect_file
from caregrid.mapping.mapper import map_batch, records_at_once
from caregrid.mapping.readers import members, read
from caregrid.mapping.readers.fhir_screen import persons_in
from caregrid.mapping.readers.hl7 import sift
from caregrid.mapping.types import ROW_COLUMNS, FileContext, Mapped, RecordBatch, Reject, UnreadableFile

__all__ = [
    "ROW_COLUMNS",
    "FileContext",
    "Mapped",
    "RecordBatch",
    "Reject",
    "UnreadableFile",
    "inspect_file",
    "map_batch",
    "members",
    "persons_in",
    "read",
    "records_at_once",
    "sift",
]
