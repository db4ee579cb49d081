"""What the command line of a back-test may be asked, and what its options mean."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

from caregrid.errors import CareGridError

from .. import paths as joint
from . import models, times
from .building import Meaning, build
from .plugins import TIME_LIMIT
from .reading import read
from .table import Table

FARTHEST = 10_000  # periods: more than a year of hours


class Parser(argparse.ArgumentParser):
    """A parser whose refusals are told as all others are."""

    def error(self, message: str) -> NoReturn:
        """Refuse what cannot be parsed.

        Raises:
            CareGridError: always.
        """
        raise CareGridError(
            message,
            fix="`python -m ml.backtest --help` lists the options; a value that begins with - is written "
            "--option=VALUE",
        )


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = Parser(
        prog="python -m ml.backtest",
        description="Back-test models on a long table: at each cutoff each sees what was known by then.",
    )
    add = made.add_argument
    add("--series", type=Path, required=True, help="CSV, .csv.gz or Parquet: unique_id, ds, y, and more")
    add(
        "--freq",
        type=str.upper,
        choices=tuple(times.STEPS),
        required=True,
        help="hours, days, weeks (ds: their last day)",
    )
    add("--horizon", type=int, required=True, help="periods with ds after the cutoff that are forecast")
    add("--cutoffs", required=True, help="FIRST:LAST:STEP (STEP: 31h, 28D, 1W), times with commas, or a file")
    add("--out", type=Path, required=True, help="directory of what is written")
    add("--known-at", help="column: when a row became known (default: known_at where there is one)")
    add("--publication-lag", help="without vintages: from ds to publication, such as 0, 6h, 1D or 2W")
    add("--known-in-advance", nargs="+", default=[], metavar="COLUMN", help="numbers known before their ds")
    add("--static", nargs="+", metavar="COLUMN", help="what does not change (default: text, population)")
    add("--capacity", metavar="COLUMN", help="what demand is held against")
    add("--hierarchy", default="", metavar="COLUMN,…", help="add the sum of the series of each value")
    add("--time-zone", metavar="ZONE", help="whose clock ds follows, e.g. America/Montreal (default: UTC)")
    add("--truth-as-of", metavar="TIME", help="score against the newest version by then (default: of all)")
    add(
        "--models",
        default=",".join(models.EVERY),
        help=f"names with commas (default and all: {', '.join(models.EVERY)}), or your own: see the docs",
    )
    add("--baseline", help="model that relative scores divide by (default: seasonal_naive; last_value for W)")
    add("--champion", metavar="MODEL", help=f"whose place the gate asks for (default: {models.OURS})")
    add("--external", type=Path, metavar="DIR", help="submissions of the CDC's hubs, scored beside")
    add(
        "--external-target", metavar="NAME", help="which target of those submissions, where they hold several"
    )
    add("--paths", default="", metavar="MODELS", help="whose joint paths are written: names, all or none")
    add("--path-count", type=int, default=200, help="paths per cutoff (default: 200)")
    add("--counts-of-events", action="store_true", help="y counts events, no stock: show the Poisson floor")
    add("--seed", type=int, default=1, help="of every draw (default: 1)")
    add("--model-time-limit", type=float, default=TIME_LIMIT, help="seconds per call of a model's command")
    add("--reuse", type=Path, metavar="DIR", help="take unchanged models' forecasts from an earlier --out")
    add(
        "--anew",
        metavar="MODELS",
        help="models that --reuse leaves out (default: ours and anybody's)",
    )
    add("--leak-check", action="store_true", help="test every model for leaks at the first cutoff, and stop")
    return made


def check(options: argparse.Namespace) -> None:
    """Refuse numbers that make no sense."""
    refused = (
        (options.horizon < 1, f"{options.horizon} periods are none", "--horizon", "give 1 or more"),
        (
            options.horizon > FARTHEST,
            f"{options.horizon} periods are too many",
            "--horizon",
            f"give {FARTHEST} or fewer",
        ),
        (
            options.path_count < joint.FEWEST,
            f"{options.path_count} paths are too few",
            "--path-count",
            f"give {joint.FEWEST} or more",
        ),
        (options.seed < 0, f"{options.seed} is no seed", "--seed", "give 0 or more"),
        (
            # Not "at most 0": that would let pass what is no number.
            not options.model_time_limit > 0,
            f"{options.model_time_limit:g} seconds are no time",
            "--model-time-limit",
            "give more than 0",
        ),
    )
    for wrong, message, where, fix in refused:
        if wrong:
            raise CareGridError(message, where=where, fix=fix)


def zone_of(options: argparse.Namespace) -> ZoneInfo | None:
    """Return whose clock hours follow. A day or a week is the same in every zone: it is the publisher's."""
    zone = times.zone_named(options.time_zone)
    return zone if options.freq == "H" else None


def table_of(options: argparse.Namespace) -> Table:
    """Return the table that the options name."""
    lag = options.publication_lag
    zone = zone_of(options)
    meaning = Meaning(
        frequency=options.freq,
        lag=None if lag is None else times.span(lag, options.freq, "--publication-lag"),
        ahead=each(options.known_in_advance),
        static=None if options.static is None else each(options.static),
        hierarchy=listed(options.hierarchy),
        capacity=options.capacity,
        zone=zone,
    )
    notes: list[str] = []
    rows = read(options.series, options.known_at, zone, notes)
    return build(rows, meaning, options.series.name, notes)


def as_of(options: argparse.Namespace) -> int | None:
    """Return the instant whose truth is scored against, None for the newest."""
    if options.truth_as_of is None:
        return None
    try:
        return times.cutoff(options.truth_as_of, options.freq, zone_of(options)).known
    except CareGridError as error:
        raise CareGridError(error.message, where="--truth-as-of", fix=error.fix) from None


def listed(text: str) -> tuple[str, ...]:
    """Return the parts between commas. A command line may hold commas in quotes."""
    parts = next(csv.reader([text], skipinitialspace=True), [])
    return tuple(part.strip() for part in parts if part.strip())


def each(given: list[str]) -> tuple[str, ...]:
    """Return names that stand apart or with commas between them."""
    return tuple(name for text in given for name in listed(text))


def baseline_of(options: argparse.Namespace) -> str:
    """Return the model that relative scores divide by."""
    if options.baseline:
        return str(options.baseline)
    return "last_value" if options.freq == "W" else "seasonal_naive"
