"""`caregrid models`: the versions of the model, who let which of them serve, and the way back."""

from __future__ import annotations

import argparse
import getpass
import os
from typing import Any

from caregrid.arguments import count
from caregrid.quiet import apply_quiet


def register(subparsers: Any) -> None:
    """Add the group."""
    group = subparsers.add_parser("models", help="versions of the model: list, history, rollback")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="versions with aliases, verdict and what they may serve")
    listed.set_defaults(run=_list)
    history = actions.add_parser("history", help="every move of an alias, the newest first")
    history.add_argument("--count", type=count, default=30, help="how many (30)")
    history.set_defaults(run=_history)
    rollback = actions.add_parser("rollback", help="let the champion before the current one serve again")
    rollback.add_argument("--to", metavar="VERSION", help="default: the last champion before this one")
    rollback.add_argument("--why", required=True, metavar="TEXT", help="kept in the history")
    rollback.set_defaults(run=_rollback)


def _list(options: argparse.Namespace) -> int:
    apply_quiet()
    from ml.tracking import registry

    aliases: dict[str, list[str]] = {}
    for alias in (registry.CHALLENGER, registry.CHAMPION):
        found = registry.by_alias(alias)
        if found is not None:
            aliases.setdefault(found.version, []).append(alias)
    versions = registry.versions()
    if not versions:
        print("no version is registered; train one with `caregrid forecast train`")
        return 0
    print(f"{'version':8} {'aliases':22} {'known as of':20} {'serves':22} verdict")
    for one in versions:
        named, tags = ", ".join(aliases.get(one.version, [])), one.tags
        serves = ", ".join(one.serves) or "-"
        verdict = f"{tags.get('verdict', '-')}: {tags.get('reason', '-')}"
        print(f"{one.version:8} {named:22} {tags.get('as_of', '-')[:19]:20} {serves:22} {verdict}")
    return 0


def _history(options: argparse.Namespace) -> int:
    apply_quiet()
    from caregrid.database.connect import connect
    from ml.tracking import registry

    with connect("model") as connection:
        changes = registry.history(connection)
    for one in changes[::-1][: options.count]:
        move = f"{one.from_version or '-'} → {one.to_version}"
        print(f"{one.changed_at:%Y-%m-%d %H:%M} {one.alias:11} {move:10} {one.who}: {one.why}")
    if not changes:
        print("no alias has moved yet")
    return 0


def _rollback(options: argparse.Namespace) -> int:
    apply_quiet()
    from caregrid.database.connect import connect
    from ml.tracking import registry

    with connect("model") as connection:
        before, now = registry.rollback(connection, _who(), options.why, options.to)
    print(f"version {now} serves again, in place of {before}; score with it: `caregrid forecast score`")
    return 0


def _who() -> str:
    """Return the name of who types this; on a server without names, the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
