"""`caregrid bench`: measures speed beside references, prints a table and writes var/bench.json."""

from __future__ import annotations

import argparse
from typing import Any


def register(subparsers: Any) -> None:
    """Add the command to the parser."""
    from caregrid.bench.sizes import AREAS, Sizes

    usual = Sizes()
    bench = subparsers.add_parser("bench", help="measure speed, each figure beside its reference")
    bench.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=list(AREAS),
        metavar="AREA,…",
        help=f"of {', '.join(AREAS)}",
    )
    for name, shown, what in (
        ("rows", usual.rows, "usage rows to load, and to build from; each size is measured"),
        ("mebibytes", usual.mebibytes, "sizes of the files whose loading is watched for memory"),
        ("series", usual.series, "daily series of three years to forecast; each size is measured"),
    ):
        usually = ",".join(map(str, shown))
        bench.add_argument(
            f"--{name}", type=_numbers, default=shown, metavar="N,…", help=f"{what} (default {usually})"
        )
    bench.add_argument(
        "--days", type=int, default=usual.short_days, help="of the short history (default %(default)s)"
    )
    bench.add_argument(
        "--times",
        type=int,
        default=usual.times,
        help="how often the long history holds the short one (default %(default)s)",
    )
    bench.add_argument(
        "--feeds",
        default=usual.feeds,
        help="what the whole job takes through Airflow; empty leaves it out (default %(default)s)",
    )
    bench.set_defaults(run=_bench)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part.replace("_", "")) for part in text.split(","))


def _bench(options: argparse.Namespace) -> int:
    from caregrid.bench import run
    from caregrid.bench.sizes import Sizes

    sizes = Sizes(
        rows=options.rows,
        mebibytes=options.mebibytes,
        short_days=options.days,
        times=options.times,
        feeds=options.feeds,
        series=options.series,
    )
    return run.run(options.only, sizes)
