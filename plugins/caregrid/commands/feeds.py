"""`caregrid feeds`: list, new, check, try, ingest, replay, backfill, show, loads."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import Any

from caregrid.arguments import count, whole_number
from caregrid.errors import CareGridError

_NEXT = "staged: the gate decides when the warehouse is next built (Airflow: trigger build_warehouse)"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group with its actions."""
    group = subparsers.add_parser("feeds", help="the feeds: list, check, try, ingest, replay, backfill")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")

    listing = actions.add_parser("list", help="every feed with its owner, cadence and contracts")
    listing.set_defaults(run=_list)

    new = actions.add_parser("new", help="draft a feed's YAML from a sample file, for a person to confirm")
    new.add_argument("--sample", type=Path, required=True, metavar="FILE", help="a data file of the feed")
    new.add_argument("--name", help="the feed's name, lower_snake_case; by default from the file's name")
    new.add_argument("--to", type=Path, metavar="DIR", help="where to write it (default dags/feeds)")
    new.set_defaults(run=_new)

    check = actions.add_parser("check", help="every mistake in feeds' YAML: file, line, field and fix")
    check.add_argument(
        "files", nargs="*", metavar="FILE", help="YAML file, directory or feed name; all by default"
    )
    check.set_defaults(run=_check)

    attempt = actions.add_parser(
        "try", help="the first mapped and rejected rows of each output, without loading"
    )
    attempt.add_argument("feed", metavar="FILE|FEED", help="YAML file or feed name")
    attempt.add_argument(
        "--rows", type=whole_number, default=5, help="rows to show of each output (default 5)"
    )
    attempt.add_argument("--source", help="only this source of the feed")
    attempt.add_argument("--output", help="only this output of the feed")
    attempt.add_argument("--file", type=Path, help="map this file instead of what the source's path finds")
    attempt.add_argument("--all", action="store_true", help="map whole files, not only their first batch")
    attempt.set_defaults(run=_try)

    _register_loading(actions)


def _register_loading(actions: Any) -> None:
    """Add the actions that move data."""
    one = actions.add_parser("ingest", help="fetch, land and load what a feed offers now")
    one.add_argument("feed", metavar="FEED")
    one.add_argument("--day", type=_day, help="publication date (YYYY-MM-DD) to take instead")
    one.set_defaults(run=_ingest)
    again = actions.add_parser("replay", help="load landed files again under a corrected mapping")
    again.add_argument("target", metavar="FEED|LOAD", help="a feed, or the number of one load")
    again.set_defaults(run=_replay)
    past = actions.add_parser("backfill", help="load again what was published on past days")
    past.add_argument("feed", metavar="FEED")
    past.add_argument("first", metavar="D", type=_day, help="publication date, YYYY-MM-DD")
    past.add_argument("last", metavar="D2", type=_day, nargs="?", help="last day, if more than one")
    past.set_defaults(run=_backfill)
    record = actions.add_parser("show", help="show a record as received, and what became of it")
    record.add_argument("load", metavar="LOAD", type=int)
    record.add_argument("line", metavar="LINE", type=int)
    record.add_argument("--feed", metavar="FILE", help="read it as this YAML says, not as it was loaded")
    record.set_defaults(run=_show)
    ledger = actions.add_parser("loads", help="list the newest loads")
    ledger.add_argument("--feed", help="of this feed only")
    ledger.add_argument("--count", type=count, default=20, help="how many (20)")
    ledger.set_defaults(run=_loads)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; write it as 2025-01-31") from None


def _paths(names: list[str]) -> list[Path]:
    from caregrid.feeds import feed_files
    from caregrid.paths import FEEDS_DIR

    if not names:
        return feed_files()
    paths = []
    for name in names:
        path = Path(name) if Path(name).suffix in (".yml", ".yaml") else FEEDS_DIR / f"{name}.yml"
        if Path(name).is_dir():
            found = feed_files(Path(name))
            if not found:
                raise CareGridError("no feed lies in this directory", where=name, fix="feeds end in .yml")
            paths += found
        elif path.is_file():
            paths.append(path)
        elif Path(name).is_file():
            raise CareGridError("this is no feed", where=name, fix="name the YAML file that describes it")
        else:
            raise CareGridError("there is no such file", where=str(path), fix="see: caregrid feeds list")
    return paths


def _list(_options: argparse.Namespace) -> int:
    from rich.table import Table

    from caregrid import terminal
    from caregrid.feeds import sound_feeds

    feeds, problems = sound_feeds()
    table = Table("feed", "name", "owner", "every", "contracts", "sources")
    for feed in feeds.values():
        contracts = ", ".join(dict.fromkeys(output.contract for output in feed.outputs))
        table.add_row(
            feed.name,
            f"{feed.title['en']} {feed.title['zh']}",
            feed.owner_id,
            feed.expected_every or "once",
            contracts,
            ", ".join(feed.sources),
        )
    terminal.console().print(table)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def _new(options: argparse.Namespace) -> int:
    from caregrid.drafts import draft
    from caregrid.feeds import CONFIRM, confirm_lines
    from caregrid.paths import FEEDS_DIR

    directory = options.to or FEEDS_DIR
    if not directory.is_dir():
        raise CareGridError("there is no such directory", where=str(directory), fix="make it first")
    made = draft(options.sample, options.name)
    path = directory / f"{made.name}.yml"
    try:
        with path.open("x", encoding="utf-8") as stream:  # never over what is there
            stream.write(made.text)
    except FileExistsError:
        raise CareGridError(
            "there is a feed of this name already", where=str(path), fix="give another one: --name NAME"
        ) from None
    print(f"{path} written; it passes `caregrid feeds check`, and of the sample's first records")
    for output, rows in made.mapped.items():
        print(f"  {output}: {rows:,} rows map, {made.rejected[output]:,} are rejected")
    asked = len(confirm_lines(made.text))
    print(f"read its {asked} lines marked {CONFIRM}, then: caregrid feeds try {path}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from caregrid.feeds import check_file
    from caregrid.mapping.expressions import expression_problems

    paths = _paths(options.files)
    if not paths:
        raise CareGridError("there is no feed to check", fix="add one to dags/feeds, or name a file")
    problems = []
    for path in paths:
        found = check_file(path)
        problems += sorted({*found, *expression_problems(path, is_sound=not found)})
    for problem in problems:
        print(problem)
    for path in paths:
        _remark(path)
    feeds = f"{len(paths)} feed" + ("s" if len(paths) != 1 else "")
    print(f"{feeds} checked, {len(problems)} mistake{'s' if len(problems) != 1 else ''}")
    return 2 if problems else 0


def _remark(path: Path) -> None:
    """Say how much of a draft nobody has confirmed; no mistake, since a draft has to pass the check."""
    from caregrid.feeds import CONFIRM, confirm_lines

    asked = confirm_lines(path.read_text(encoding="utf-8", errors="replace"))
    if asked:
        lines = f"{len(asked)} line{'s' if len(asked) > 1 else ''} still say{'' if len(asked) > 1 else 's'}"
        print(f"{path}:{asked[0]}: remark: {lines} {CONFIRM}: take each away once it is confirmed or mended")


def _try(options: argparse.Namespace) -> int:
    from caregrid.feeds import check_file
    from caregrid.loading.preview import preview
    from caregrid.mapping.expressions import expression_problems

    path, *others = _paths([options.feed])
    if others:
        raise CareGridError("several feeds lie in this directory", where=options.feed, fix="try one of them")
    problems = check_file(path) or expression_problems(path)
    if problems:
        for problem in problems:
            print(problem)
        return 2
    return preview(
        path,
        rows=options.rows,
        source_name=options.source,
        output_name=options.output,
        file=options.file,
        whole=options.all,
    )


def _ingest(options: argparse.Namespace) -> int:
    from caregrid.loading.ingest import IngestFailedError, ingest
    from caregrid.paths import FEEDS_DIR

    if (path := FEEDS_DIR / f"{options.feed}.yml").is_file():
        _remark(path)
    try:
        _print_summary(ingest(options.feed, options.day))
    except IngestFailedError as failed:
        _print_summary(failed.summary)
        return 1
    return 0


def _backfill(options: argparse.Namespace) -> int:
    from caregrid.platform import services

    if services.is_up():
        # A run of its own per day: it shows in the UI, and the build and all that follows take its loads.
        from caregrid.platform.backfill import backfill_in_airflow

        return backfill_in_airflow(options.feed, options.first, options.last or options.first)
    from caregrid.loading.backfill import BackfillFailedError, backfill

    try:
        summaries, code = backfill(options.feed, options.first, options.last), 0
    except BackfillFailedError as failed:
        summaries, code = failed.summaries, 1
    for summary in summaries:
        print(f"{summary['day']}: {summary['how']}")
        _print_summary(summary)
    return code


def _print_summary(summary: dict[str, Any]) -> None:
    print(
        f"{summary['feed']}: files {summary['files_landed']} landed, {summary['files_unchanged']} unchanged, "
        f"{summary['files_failed']} failed"
    )
    terms = ("loaded", "partly_rejected", "rejected", "duplicate", "filtered")
    became = " + ".join(f"{summary[f'records_{term}']:,} {term.replace('_', ' ')}" for term in terms)
    print(f"  records {summary['records_received']:,} received = {became}")
    print(f"  rows {summary['rows_loaded']:,} loaded, {summary['rows_rejected']:,} rejected")
    if summary["first_reject"]:
        reasons = sorted(summary["reject_reasons"].items(), key=lambda item: (-item[1], item[0]))
        counted = ", ".join(f"{code} {times:,}" for code, times in reasons)
        load_id, line = summary["first_reject"]
        print(f"  rejected for: {counted}; the first of them: caregrid feeds show {load_id} {line}")
    if summary["load_ids"]:
        print(f"  loads {', '.join(map(str, summary['load_ids']))} {_NEXT}")
    for note in summary["notes"]:
        print(f"  note: {note}")
    for failure in summary["failures"]:
        print(f"  failed: {failure}")


def _replay(options: argparse.Namespace) -> int:
    from caregrid.loading.replay import feed_of, replay

    load_id = int(options.target) if options.target.isdigit() else None
    done = replay(options.target if load_id is None else feed_of(load_id), load_id)
    print(
        f"{done['feed']}: {done['files']} landed files, {done['already_current']} under this mapping already"
    )
    for new, old in done["replaced"].items():
        print(f"  load {new} {_NEXT}" + (f"; then it supersedes load {old}" if old else ""))
    for failure in done["unreadable"]:
        print(f"  failed: {failure}")
    return 1 if done["unreadable"] else 0


def _show(options: argparse.Namespace) -> int:
    from caregrid import terminal
    from caregrid.loading.records import show

    print(terminal.as_json(show(options.load, options.line, options.feed)))
    return 0


def _loads(options: argparse.Namespace) -> int:
    from caregrid.loading.accounting import newest_loads

    loads = newest_loads(options.feed, options.count)
    if not loads:
        raise CareGridError(
            f"nothing of the feed {options.feed!r} has been loaded yet"
            if options.feed
            else "nothing has been loaded yet",
            fix="load a feed with `caregrid feeds ingest FEED`; `caregrid feeds list` names them",
        )
    print(
        f"{'load':>6}  {'feed':<32} {'status':<10} {'received':>11} {'rejected':>9}  {'loaded at':<20} file"
    )
    for row in loads:
        print(
            f"{row['load_id']:>6}  {row['feed']:<32} {row['status']:<10} {row['received']:>11,} "
            f"{row['rejected']:>9,}  {row['loaded_at']:%Y-%m-%d %H:%M:%S}  "
            f"{row['uri']} {row['member']}".rstrip()
        )
    return 0
