"""Files of the simulated network for measuring: any number of usage rows in one file, years of history."""

from __future__ import annotations

import gzip
from datetime import date, timedelta
from pathlib import Path

from caregrid import paths
from caregrid.simulate import hourly, simulate, wire
from caregrid.simulate.flow import run_flow
from caregrid.simulate.hours import build_hours
from caregrid.simulate.world import build_world

END = date(2026, 1, 5)
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


def write_history(days: int) -> date:
    """Write a whole network of a few hospitals over so many days up to END; return its last day.

    The files of the last days hold one day each: the newest of them is the increment.
    """
    simulate(paths.var("simulated"), facilities=4, days=days, start=END - timedelta(days=days))
    return END - timedelta(days=1)


def hold_back(day: date) -> list[tuple[Path, Path]]:
    """Move the files of one day aside; return (where each is, where it belongs)."""
    root = paths.var("simulated")
    moved = []
    for file in sorted(root.rglob(f"*_{day}*")):
        aside = paths.var("held_back", str(file.relative_to(root)).replace("/", "_"))
        aside.parent.mkdir(parents=True, exist_ok=True)
        moved.append((file.rename(aside), file))
    return moved
