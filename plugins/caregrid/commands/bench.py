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
    bench.add_argument(
        "--rows",
        type=_numbers,
        default=usual.rows,
        metavar="N,…",
        help="usage rows to load; each size is measured (default %(default)s)",
    )
    bench.add_argument(
        "--mebibytes",
        type=_numbers,
        default=usual.mebibytes,
        metavar="N,…",
        help="sizes of the files whose loading is watched for memory",
    )
    bench.set_defaults(run=_bench)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part.replace("_", "")) for part in text.split(","))


def _bench(options: argparse.Namespace) -> int:
    from caregrid.bench import run
    from caregrid.bench.sizes import Sizes

    sizes = Sizes(options.rows, options.mebibytes)
    return run.run(options.only, sizes)
