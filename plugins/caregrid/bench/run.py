"""Runs the areas asked for, prints each figure as it comes, and writes them into var/bench.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from caregrid import paths
from caregrid.bench import airflow, figures, forecast, ground, load, memory, warehouse
from caregrid.bench.figures import Figure
from caregrid.bench.sizes import AREAS, Sizes
from caregrid.errors import CareGridError

_MEASURES: dict[str, Callable[[Sizes], Iterator[Figure]]] = {
    "load": lambda sizes: load.measure(sizes.rows),
    "memory": lambda sizes: memory.measure(sizes.mebibytes),
    "warehouse": lambda sizes: warehouse.measure(sizes.short_days, sizes.times, sizes.rows),
    "airflow": lambda sizes: airflow.measure(sizes.feeds),
    "forecast": lambda sizes: forecast.measure(sizes.series),
}


def run(areas: Sequence[str], sizes: Sizes) -> int:
    """Measure; return 0 when all goals are met, 1 when one is missed.

    Raises:
        CareGridError: there is no such area, or something measured failed; what was found is kept.
    """
    unknown = [area for area in areas if area not in AREAS]
    if unknown:
        raise CareGridError(f"there is no area {unknown[0]!r} to measure", fix=f"use of {', '.join(AREAS)}")
    file = paths.var("bench.json")
    print(figures.HEAD)
    missed = False
    for area in areas:
        found: list[Figure] = []
        try:
            with ground.own_server():
                for one in _MEASURES[area](sizes):
                    print(figures.line(one), flush=True)
                    found.append(one)
        finally:
            figures.write(file, found, [area])
        missed |= any(one.met is False for one in found)
    print(f"written to {file}")
    return int(missed)
