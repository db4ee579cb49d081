"""`caregrid warehouse …`: build and publish, match facilities, write dbt's documentation."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

PARTS = ("models", "tests_passed", "tests_warned", "tests_failed", "loads")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group `warehouse` to the parser."""
    group = subparsers.add_parser("warehouse", help="build core and marts, check them, publish them")
    commands = group.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="build what loads not yet built touch, and publish it")
    build.add_argument("--full-refresh", action="store_true", help="rebuild the facts whole")
    build.add_argument("--force", action="store_true", help="build also when no load is due")
    build.set_defaults(run=_build)
    forecast = commands.add_parser("build-forecast", help="build and publish what depends on new forecasts")
    forecast.set_defaults(run=_build_forecast)
    match = commands.add_parser("match", help="match the facilities of all registries")
    match.set_defaults(run=_match)
    sources = commands.add_parser("sources", help="how long ago each table that dbt reads was written to")
    sources.set_defaults(run=_sources)
    holidays = commands.add_parser(
        "holidays", help="write the seeds of holidays and weekends from the pinned library"
    )
    holidays.set_defaults(run=_holidays)
    lineage = commands.add_parser("lineage", help="where a column comes from, up to the columns of the feeds")
    lineage.add_argument("column", help="schema.table.column, such as marts.quality_scorecard.value")
    lineage.add_argument("--feed", help="name the columns of this feed alone, and all of them")
    lineage.set_defaults(run=_lineage)
    docs = commands.add_parser("docs", help="write dbt's documentation to var/docs/dbt")
    docs.set_defaults(run=_docs)


def _build(options: argparse.Namespace) -> int:
    from caregrid.warehouse import build

    return _told(build(full_refresh=options.full_refresh, force=options.force))


def _build_forecast(options: argparse.Namespace) -> int:
    from caregrid.warehouse import build_forecast

    return _told(build_forecast())


def _told(result: object) -> int:
    from caregrid.warehouse import BuildResult

    assert isinstance(result, BuildResult)
    if result.status == "nothing_to_do":
        print("nothing to do: every accepted load is built")
        return 0
    print(
        f"build {result.build_id}: {result.status}",
        *(f"{getattr(result, part)} {part}" for part in PARTS),
        sep=", ",
    )
    print(", ".join(f"{step} {seconds:.1f} s" for step, seconds in result.seconds.items()))
    for name, what in result.published.items():
        print(f"  {name}: {what}")
    if result.reason:
        print(result.reason)
    return 0 if result.status == "published" else 1


def _match(options: argparse.Namespace) -> None:
    from caregrid.warehouse import match_facilities

    print(", ".join(f"{number} {status}" for status, number in match_facilities().items()))


def _sources(options: argparse.Namespace) -> int:
    from caregrid.warehouse.dbt import source_freshness

    ages = source_freshness()
    for age in ages:
        written = f"{age.written_at:%Y-%m-%d %H:%M} UTC" if age.written_at else "never"
        told = "see var/logs/dbt/dbt.log" if age.status == "failed" else written
        print(f"{age.status:6} {age.table:<34} {told}")
    return 1 if any(age.status in ("error", "failed") for age in ages) else 0


def _holidays(options: argparse.Namespace) -> None:
    from caregrid.warehouse.public_holidays import write_seeds

    print(*write_seeds(), sep="\n")


def _lineage(options: argparse.Namespace) -> int:
    from caregrid.errors import CareGridError
    from caregrid.feeds import load_feed, sound_feeds
    from caregrid.warehouse.lineage import read_lineage
    from caregrid.warehouse.lineage_text import lineage_text

    table, _, column = options.column.rpartition(".")
    if "." not in table:
        raise CareGridError(f"{options.column} names no column of a table", fix="write schema.table.column")
    # A registry gives a name through one column, a sheet of beds through thirty.
    shown = None if options.feed else 6
    found, problems = ({}, []) if options.feed else sound_feeds()
    feeds = [load_feed(options.feed)] if options.feed else found.values()
    print(lineage_text(read_lineage(), table, column, feeds, shown))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _docs(options: argparse.Namespace) -> None:
    from caregrid.warehouse import generate_documentation

    page: Path = generate_documentation()
    print(page)
