"""`caregrid feeds`: lists, checks and tries feeds; the loader adds its own actions to the group."""

from __future__ import annotations

import argparse
from pathlib import Path

from caregrid.errors import CareGridError
from caregrid.loading.commands import register_actions, whole_number


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group with its actions."""
    group = subparsers.add_parser("feeds", help="the feeds: list, check, try, ingest, replay, backfill")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")

    listing = actions.add_parser("list", help="every feed with its owner, cadence and contracts")
    listing.set_defaults(run=_list)

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

    register_actions(actions)


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
    from rich.console import Console
    from rich.table import Table

    from caregrid.feeds import load_feeds

    table = Table("feed", "name", "owner", "every", "contracts", "sources")
    for feed in load_feeds().values():
        contracts = ", ".join(dict.fromkeys(output.contract for output in feed.outputs))
        table.add_row(
            feed.name,
            f"{feed.title['en']} {feed.title['zh']}",
            feed.owner_id,
            feed.expected_every or "once",
            contracts,
            ", ".join(feed.sources),
        )
    Console().print(table)
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
        problems += found or expression_problems(path)
    for problem in problems:
        print(problem)
    feeds = f"{len(paths)} feed" + ("s" if len(paths) != 1 else "")
    print(f"{feeds} checked, {len(problems)} mistake{'s' if len(problems) != 1 else ''}")
    return 2 if problems else 0


def _try(options: argparse.Namespace) -> int:
    from caregrid.feeds import check_file
    from caregrid.mapping.expressions import expression_problems
    from caregrid.mapping.preview import preview

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
