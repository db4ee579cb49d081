"""Files of the simulated network for measuring: any number of usage rows in one file."""

from __future__ import annotations

import gzip
from datetime import date, timedelta

from caregrid import paths
from caregrid.simulate import hourly, wire
from caregrid.simulate.flow import run_flow
from caregrid.simulate.hours import build_hours
from caregrid.simulate.world import build_world

_SEED = 1
_VALUES = 11  # of a record of beds
# Few enough days that their records fit into memory, many enough that a span costs little beside its rows.
_SPAN_DAYS = 28


def write_beds(rows: int, facilities: int = 24) -> int:
    """Write one file of hourly beds for the feed sim_beds, of so many usage rows; return its records."""
    hospitals = [place for place in build_world(_SEED, facilities) if not place.is_clinic]
    folder = paths.var("simulated", "beds")
    folder.mkdir(parents=True, exist_ok=True)
    # The feed has a second source; a run that takes the beds alone asks only that its file is there.
    diversions = paths.var("simulated", "diversions", "diversions_bench.ndjson")
    diversions.parent.mkdir(parents=True, exist_ok=True)
    diversions.touch()
    start, records = date(2010, 1, 4), 0
    with gzip.open(folder / "beds_bench.ndjson.gz", "wb", compresslevel=1) as file:
        while records * _VALUES < rows:
            hours = build_hours(_SEED, start, _SPAN_DAYS, len(hospitals))
            flow = run_flow(_SEED, hospitals, hours)
            wanted = -(-(rows - records * _VALUES) // _VALUES)
            span = hourly.bed_records(_SEED, hospitals, hours, flow)[:wanted]
            file.write(wire.ndjson(span))
            records += len(span)
            start += timedelta(days=_SPAN_DAYS)
    return records
