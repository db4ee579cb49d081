"""Loading: landed files become staged loads, verdicts make them count, and every record is accounted for."""

from caregrid.loading.backfill import BackfillFailedError, backfill
from caregrid.loading.ingest import IngestFailedError, ingest
from caregrid.loading.ledger import accept, refuse
from caregrid.loading.replay import replay
from caregrid.loading.stage import stage

__all__ = [
    "BackfillFailedError",
    "IngestFailedError",
    "accept",
    "backfill",
    "ingest",
    "refuse",
    "replay",
    "stage",
]
