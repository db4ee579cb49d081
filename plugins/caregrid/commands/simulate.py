"""`caregrid simulate`: write a made-up network's files, for a demo without any feed."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from caregrid.errors import CareGridError
from caregrid.paths import var


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("simulate", help="write the files of a simulated network of hospitals")
    parser.add_argument(
        "--out", type=Path, default=None, help="directory to write to (default: var/simulated)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed writes the same bytes (default: 1)"
    )
    parser.add_argument("--facilities", type=int, default=12, help="hospitals and clinics (default: 12)")
    parser.add_argument("--days", type=int, default=63, help="days to simulate (default: 63)")
    parser.add_argument(
        "--start", default="2025-11-03", metavar="DATE", help="first day (default: 2025-11-03)"
    )
    parser.set_defaults(run=_simulate)


def _simulate(options: argparse.Namespace) -> int:
    from caregrid.simulate import simulate  # numpy and polars only when the command runs

    try:
        start = date.fromisoformat(options.start)
    except ValueError as error:
        raise CareGridError(f"--start {options.start!r} is no date", fix="write it as 2025-11-03") from error
    out = options.out if options.out is not None else var("simulated")
    summary = simulate(out, options.seed, options.facilities, options.days, start)
    total = sum(summary.records.values())
    print(f"{len(summary.files)} files, {total:,} records in {summary.out}, as of {summary.as_of}")
    for folder, count in summary.records.items():
        print(f"  {folder:<12} {count:>9,}")
    print("faults planted on purpose:")
    for fault in summary.faults:
        print(f"  {fault.file}: {fault.kind} × {fault.count}: {fault.expected}")
    return 0
