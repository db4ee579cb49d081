"""What a load uses of memory at most, as its file grows beyond it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

from caregrid import paths
from caregrid.bench import ground
from caregrid.bench.figures import Figure, Goal, figure

_FEED = """
feed: bench_wide
name: {en: "Wide records, for measuring", zh: "测量用的宽记录"}
owner: {id: bench, name: "Benchmark 测量"}
visibility: network
country: HK
timezone: Asia/Hong_Kong
schedule: "0 5 * * *"
expected_every: P1D
lateness_tolerance: P1D
licence: "Made up for measuring"
provenance: "plugins/caregrid/bench/memory.py"
base: simulated
sources:
  wide:
    path: wide/wide.csv
    url: null  # not found
    format: {type: csv}
    published_at: {column: sent_at, format: "%Y-%m-%dT%H:%M:%S"}
    known_at: {column: sent_at, format: "%Y-%m-%dT%H:%M:%S"}
outputs:
  - name: wide
    contract: usage
    source: wide
    place: {level: facility, system: sim, code: hospital}
    period: {column: at, format: "%Y-%m-%dT%H:%M:%S", role: instant, grain: instant}
    service_or_resource: bed_general_acute
    values:
      - {column: occupied, measure: occupied, statistic: snapshot, unit: beds}
"""
_REMARK = "bed moved twice today; see the ward's own book for who and when and why. " * 14
_HOSPITALS = 40
_FORMS = {"file": "%Y-%m-%dT%H:%M:%S", "rejected": "%d.%m.%Y %H:%M"}


def measure(mebibytes: Sequence[int]) -> Iterator[Figure]:
    """Yield peak memory and speed at each size of file: one value and a kilobyte of remarks per record.

    First of a file whose records are right, then of one whose records are all rejected: their times have
    another form than the feed says.
    """
    for size, (name, form) in product(mebibytes, _FORMS.items()):
        with ground.fresh_database():
            feed = paths.var("bench_wide.yml")
            feed.write_text(_FEED, encoding="utf-8")
            file = paths.var("simulated", "wide", "wide.csv")
            _write(file, size << 20, form)
            setup = "from caregrid.quiet import apply_quiet; apply_quiet()\n"
            setup += "from caregrid.loading.ingest import ingest; import polars"
            seconds, peak, before = ground.in_a_process(f"ingest(Path({str(feed)!r}))", setup)
            yield figure(f"memory.peak_{size}_mib_{name}", peak / 2**20, "MiB", goal=Goal("under", 1024))
            yield figure(f"memory.above_imports_{size}_mib_{name}", (peak - before) / 2**20, "MiB",
                         "size of the file", size)  # fmt: skip
            yield figure(f"memory.speed_{size}_mib_{name}", size / seconds, "MiB/s")
            shutil.rmtree(paths.var("simulated"))


def _write(file: Path, size: int, form: str) -> None:
    """Write hours of records until the file has its size; one block is one hour of all hospitals."""
    file.parent.mkdir(parents=True, exist_ok=True)
    moment = datetime(2010, 1, 4)  # noqa: DTZ001 - local time, as the simulator writes it
    with file.open("w", encoding="utf-8") as out:
        written = out.write("hospital,at,sent_at,occupied,remark\n")
        while written < size:
            times = f"{moment.strftime(form)},{(moment + timedelta(minutes=65)).isoformat()}"
            written += out.write(
                "".join(
                    f"W{number:03d},{times},{number + moment.hour},{_REMARK}\n"
                    for number in range(_HOSPITALS)
                )
            )
            moment += timedelta(hours=1)
